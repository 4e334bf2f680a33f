"""The known sets, worst first, each a link to its own address."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html

from dash_app.codec import View, encode
from dash_app.components.band import chip
from dash_app.data.port import SetView, SosPoint
from dash_app.text import Words, rounded_down

MOST = 50
"""How many sets the list shows; the worst are the ones that matter."""


def set_list(
    rows: Sequence[tuple[SetView, SosPoint | None]], open_id: int | None, span: str, words: Words
) -> list[html.Li]:
    """One entry per set."""
    if not rows:
        return [html.Li(words["sets_none"], className="empty")]
    return [_entry(view, point, view.set_id == open_id, span, words) for view, point in rows[:MOST]]


def _entry(view: SetView, point: SosPoint | None, opened: bool, span: str, words: Words) -> html.Li:
    weakest = (
        [] if point is None or point.limiting_tag is None else [f"{words['weakest']} {point.limiting_tag}"]
    )
    body = html.Div(
        [
            html.Div(
                [
                    chip(point.band if point else "waiting", words),
                    html.Span(words["set"].format(id=view.set_id), className="set-name"),
                    html.Span(_number(point), className="set-sos"),
                ],
                className="set-line",
            ),
            html.Div(", ".join(view.tags), className="set-tags"),
            html.Div(weakest, className="set-weakest"),
        ]
    )
    link = dcc.Link(
        body,
        href=encode(View(set_id=view.set_id, span=span)),
        className="set-link",
        id=f"set-{view.set_id}",
        refresh=False,
    )
    return html.Li(link, className="set-entry opened" if opened else "set-entry", key=str(view.set_id))


def _number(point: SosPoint | None) -> str:
    if point is None:
        return "-"
    if point.value is not None:
        return rounded_down(point.value)
    return "?" if point.upper is None or point.upper >= 1 else f"≤ {rounded_down(point.upper)}"
