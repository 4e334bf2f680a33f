"""What the open set is now: the gauge, how much of it is known, and who is to blame."""

from __future__ import annotations

from typing import Any

from dash import html

from dash_app.codec import kst_clock, kst_minute
from dash_app.components.age import age_of, countdown_to
from dash_app.components.explain import reason
from dash_app.components.gauge import coverage, sos_gauge
from dash_app.data.port import ExplainedTag, Explanation, SetView
from dash_app.figures.values import number
from dash_app.text import Words

STALE_AFTER_S = 180.0
"""A minute older than this says nothing about now."""


def nothing(words: Words) -> list[Any]:
    """No set is open."""
    return [html.H2(words["sos_none"]), html.P(words["sos_none_hint"], className="empty")]


def waiting(view: SetView, words: Words) -> list[Any]:
    """A set so new that no minute of it was decided."""
    first = words["first_value"].format(time=kst_clock(view.first_minute))
    return [
        html.H2(words["sos_title"].format(id=view.set_id)),
        html.P(", ".join(view.tags), className="quiet"),
        html.P([html.Strong(first), ", ", countdown_to(view.first_minute)], className="first-value"),
        html.P(words["first_value_hint"], className="quiet"),
    ]


def panel(view: SetView, why: Explanation, words: Words) -> list[Any]:
    """The gauge of the newest minute beside its weakest tag and the shares of the loss."""
    edges = {"warning": f"{why.warning_below:.2f}", "critical": f"{why.critical_below:.2f}"}
    legend: list[Any] = [words["legend_safety"].format(**edges), html.Br(), words["legend"].format(**edges)]
    return [
        html.Div(
            [
                html.H2(words["sos_title"].format(id=view.set_id)),
                html.Span(
                    [
                        words["of_minute"].format(time=kst_minute(why.minute)),
                        ", ",
                        age_of(why.minute, STALE_AFTER_S),
                    ],
                    className="quiet",
                ),
            ],
            className="card-head",
        ),
        html.Div(
            [
                html.Div([sos_gauge(why, words), html.P(legend, className="legend")], className="sos-left"),
                html.Div(
                    [
                        html.P(_coverage(why, words), className=_coverage_class(why)),
                        *(_causes(why, words) if why.exists else []),
                    ],
                    className="sos-right",
                ),
            ],
            className="sos-now",
        ),
    ]


def _coverage(why: Explanation, words: Words) -> str:
    return coverage(why, words) if why.exists else words["why_none"].format(time=kst_minute(why.minute))


def _coverage_class(why: Explanation) -> str:
    return "coverage" if why.exists and why.known == why.tags else "coverage incomplete"


def _causes(why: Explanation, words: Words) -> list[Any]:
    return [*_missing(why, words), *_weakest(why, words), _shares(why, words)]


def _missing(why: Explanation, words: Words) -> list[Any]:
    lines = [
        html.Li([html.Strong(part.tag), f" {words['missing']}: {reason(part, words)}"])
        for part in why.parts
        if part.f is None
    ]
    return [html.Ul(lines, className="missing-list")] if lines else []


def _weakest(why: Explanation, words: Words) -> list[Any]:
    part = next((part for part in why.parts if part.tag == why.limiting_tag), None)
    if part is None or part.f is None:
        return [html.P(words["weakest_none"], className="quiet")] if why.known == why.tags else []
    title = words["weakest_tag"] if why.known == why.tags else words["weakest_of_known"]
    return [
        html.Div(
            [
                html.Span(title, className="weakest-title"),
                html.Span(part.tag, className="weakest-name"),
                html.Span(f"f {part.f:.3f}", className="weakest-f"),
                html.Span(_against_limit(part, words), className="quiet"),
            ],
            className="weakest past" if (part.u or 0.0) >= 1 else "weakest",
        )
    ]


def _against_limit(part: ExplainedTag, words: Words) -> str:
    return (
        words["limit_of"]
        .format(value=number(part.value or 0.0), unit=part.unit or "", limit=number(part.warning_threshold))
        .replace(" ,", ",")
    )


def _shares(why: Explanation, words: Words) -> html.Div:
    parts = sorted(why.parts, key=lambda part: -(part.share or 0.0))
    rows = [
        html.Div(
            [
                html.Span(part.tag, className="share-name"),
                html.Span(className="share-bar", style={"--part": f"{part.share or 0.0:.4f}"}),
                html.Span(_share_text(part, words), className="share-text"),
            ],
            className="share-row" if part.f is not None else "share-row missing",
        )
        for part in parts
    ]
    return html.Div([html.H3(words["row_share"]), *rows], className="shares")


def _share_text(part: ExplainedTag, words: Words) -> str:
    return words["missing"] if part.f is None else f"{part.share or 0.0:.0%}   f {part.f:.3f}"
