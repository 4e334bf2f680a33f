"""A band as colour, shape, word: never colour alone, and no colour at all for what is normal."""

from __future__ import annotations

from dash import html

from dash_app.components.attributes import attributes
from dash_app.text import Words


def chip(band: str, words: Words) -> html.Span:
    """The band's mark and word; `waiting` for a set without a minute. Styled by `assets/style.css`."""
    return html.Span(
        [
            html.Span(className="shape", **attributes(aria_hidden="true")),
            html.Span(f"{words['last_known']} ", className="when-stale"),
            html.Span(words[band], className="chip-word"),
        ],
        className=f"chip band-{band}",
    )
