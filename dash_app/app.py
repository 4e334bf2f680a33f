"""The web application. Nothing happens at import: `create_app` makes one around any store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import Dash
from flask import Flask, Response

from dash_app.data.port import SafetyStore
from dash_app.data_docs import serve_data_docs
from dash_app.language import language, remember_language, words
from dash_app.notice import on_error
from dash_app.pages.overview import page
from dash_app.pages.overview.layout import layout
from sos_ops.errors import SosOpsError


class Page(Dash):
    """A Dash application whose document names its language."""

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        """The document of the index page."""
        document = str(super().interpolate_index(*args, **parts))  # type: ignore[no-untyped-call]
        return document.replace("<html>", f'<html lang="{language()}">', 1)


def create_app(store: SafetyStore, data_docs: Path | None = None) -> Dash:
    """The page over `store`; serve its `.server` with any WSGI server. Its state is in addresses and the store.

    Args:
        store: where its data come from.
        data_docs: the folder of the validation reports, served at `/data-docs/`; None serves none.
    """
    app = Page(
        "dash_app",
        title="State of Safety",
        update_title=None,  # type: ignore[arg-type]
        serve_locally=True,
        suppress_callback_exceptions=True,
        on_error=on_error,
        health_endpoint="health",
        enable_mcp=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = lambda: layout(words(), language())
    page.register(app, store)
    remember_language(app.server)
    _add_ready(app.server, store)
    if data_docs is not None:
        serve_data_docs(app.server, data_docs)
    return app


def _add_ready(server: Flask, store: SafetyStore) -> None:
    @server.get("/ready")
    def ready() -> Response:
        try:
            store.ready()
        except SosOpsError as error:
            return Response(f"{error}\n", status=503, mimetype="text/plain")
        return Response("ready\n", mimetype="text/plain")
