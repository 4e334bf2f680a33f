"""A real server around a store, and a real Chromium in front of it."""

from __future__ import annotations

import base64
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from dash_app.app import create_app
from dash_app.data.port import SafetyStore

CHROMIUM = os.environ.get("SOS_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
"""None: the browser that Playwright installed for itself."""
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class QuietHandler(WSGIRequestHandler):
    """Serves without a line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass
class PageServer:
    """A page being served on a free port of 127.0.0.1."""

    url: str
    _server: Any
    _thread: threading.Thread

    def stop(self) -> None:
        """End the server, as if its process had died; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def serve(store: SafetyStore) -> PageServer:
    """Serve the page over `store` from a thread."""
    server = make_server(
        "127.0.0.1", 0, create_app(store).server, threaded=True, request_handler=QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return PageServer(f"http://127.0.0.1:{server.server_port}", server, thread)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(context: BrowserContext, address: str) -> Page:
    """A tab at `address`, once the page has drawn itself."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("document.body.dataset.freshness !== undefined")
    return page


def tick(page: Page, *tags: str) -> None:
    """Choose tags by their checkboxes."""
    for tag in tags:
        page.get_by_label(tag, exact=True).check()
        page.wait_for_selector(f".tag-row.chosen:has(input[value='{tag}'])")


def figure_of(page: Page, graph: str) -> dict[str, Any]:
    """Data and layout of a chart as Plotly holds them."""
    drawn: dict[str, Any] = page.evaluate(
        "id => { const plot = document.querySelector(`#${id} .js-plotly-plot`);"
        " return { data: plot.data.map(({ name, x, y, line }) => ({ name, x, y, line })), layout: plot.layout } }",
        graph,
    )
    return drawn


def colourful_pixels(page: Page) -> int:
    """How many pixels of the window are saturated: the page is grey where all is normal."""
    shot = base64.b64encode(page.screenshot()).decode()
    return int(
        page.evaluate(
            """async (png) => {
                const image = new Image();
                image.src = "data:image/png;base64," + png;
                await image.decode();
                const canvas = new OffscreenCanvas(image.width, image.height);
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                const { data } = context.getImageData(0, 0, image.width, image.height);
                let count = 0;
                for (let i = 0; i < data.length; i += 4) {
                    const high = Math.max(data[i], data[i + 1], data[i + 2]);
                    const low = Math.min(data[i], data[i + 1], data[i + 2]);
                    if (high > 40 && (high - low) / high > 0.35) count += 1;
                }
                return count;
            }""",
            shot,
        )
    )
