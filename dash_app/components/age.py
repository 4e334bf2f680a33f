"""Times that go on counting in the browser, also when the server is gone (`assets/sos.js` fills them)."""

from __future__ import annotations

from datetime import datetime

from dash import html

from dash_app.codec import epoch_ms
from dash_app.components.attributes import attributes


def age_of(moment: datetime | None, max_age_s: float | None = None) -> html.Span:
    """How old `moment` is on the platform's clock; past `max_age_s` the browser marks it as too old."""
    if moment is None:
        return html.Span("-", className="age")
    limit = {} if max_age_s is None else {"data_max_age": str(max_age_s)}
    return html.Span(className="age", **attributes(data_since=str(epoch_ms(moment)), **limit))


def countdown_to(moment: datetime) -> html.Span:
    """How long until `moment` on the platform's clock."""
    return html.Span(className="age countdown", **attributes(data_until=str(epoch_ms(moment))))
