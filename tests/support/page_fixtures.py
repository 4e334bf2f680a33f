"""Fixtures of the page's tests: one Chromium per module; each test has its own store, server and window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dash_app.data.port import SafetyStore
from tests.support.browser import PageServer, chromium, open_page, serve

PATIENCE_MS = 30_000
"""The machine may be busy with the rest of the tests."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with the module: while it runs, no other test of the process could run an event loop."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as running:
        yield running


@pytest.fixture
def serving() -> Iterator[Callable[[SafetyStore], PageServer]]:
    """Serve a store until the test ends."""
    servers: list[PageServer] = []

    def start(store: SafetyStore) -> PageServer:
        servers.append(serve(store))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a window of its own; `timezone_id`, `viewport` and the like go to the window."""
    contexts: list[BrowserContext] = []

    def open_(address: str, **window: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **window}))
        return open_page(contexts[-1], address)

    yield open_
    for context in contexts:
        context.close()
