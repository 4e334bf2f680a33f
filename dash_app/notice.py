"""One line to the reader, and what happens when a callback fails: the last picture stays, and the line says so."""

from __future__ import annotations

import logging

from dash import set_props

from dash_app import ids
from dash_app.language import words
from sos_ops.errors import SosOpsError

logger = logging.getLogger(__name__)


def notify(line: str) -> None:
    """Show one line at the top of the page; an empty one takes it away."""
    set_props(ids.NOTICE, {"children": line})


def on_error(error: Exception) -> None:
    """Answer a failed callback: nothing is redrawn, and no trace of the program reaches the page."""
    if isinstance(error, SosOpsError):
        notify(str(error))
    else:
        logger.error("a callback failed", exc_info=error)
        notify(words()["problem"])
