"""The two gauges, drawn by CSS so that they follow the theme: a tag on its own scale, and SoS from 0 to 1."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

from dash import html

from dash_app.components.age import age_of
from dash_app.components.attributes import attributes
from dash_app.components.band import chip
from dash_app.data.port import Band, Explanation, TagView
from dash_app.figures.values import number
from dash_app.text import Words

DEPTH_FROM, DEPTH_TO = -3.0, 2.5
"""The part of the depth scale a tag's gauge shows: SAFETY is 0, WARN is 1."""


def depth_of(view: TagView, value: float) -> float:
    """U of a value: 0 at SAFETY, 1 at WARN, whichever of the two is larger."""
    return (value - view.maximum_safe_value) / (view.warning_threshold - view.maximum_safe_value)


def position(view: TagView, value: float) -> float:
    """Where a value stands on its gauge, 0..100 % from the left: the danger of a lower limit lies on the left."""
    part = (depth_of(view, value) - DEPTH_FROM) / (DEPTH_TO - DEPTH_FROM)
    part = min(max(part, 0.0), 1.0)
    return 100 * (part if view.warning_threshold > view.maximum_safe_value else 1 - part)


def state_of(view: TagView) -> str:
    """`absent`, `old`, `past` (at or past WARN), `leaving` (past SAFETY) or `inside`."""
    if view.value is None:
        return "absent"
    if not view.fresh:
        return "old"
    u = depth_of(view, view.value)
    return "past" if u >= 1 else "leaving" if u > 0 else "inside"


def tag_gauge(view: TagView, words: Words) -> html.Div:
    """One tag: value, unit and age, and the value between its own SAFETY and WARN marks."""
    state = state_of(view)
    side = "upper" if view.warning_threshold > view.maximum_safe_value else "lower"
    return html.Div(
        [
            html.Div(_reading(view, state, words), className="reading"),
            html.Div(
                [
                    _zone("zone-leaving", view, view.maximum_safe_value, view.warning_threshold),
                    _zone("zone-past", view, view.warning_threshold, None),
                    _mark("safety", words["mark_safety"], view, view.maximum_safe_value),
                    _mark("warn", words["mark_warn"], view, view.warning_threshold),
                    *_needle(view),
                ],
                className=f"track {side}",
                role="img",
                **attributes(aria_label=_sentence(view, state, words)),
            ),
        ],
        className=f"tag-gauge state-{state}",
    )


def _reading(view: TagView, state: str, words: Words) -> list[Any]:
    if view.value is None:
        return [html.Span(words["no_value"], className="no-value")]
    notes = {"old": words["too_old"], "past": words["at_limit"], "leaving": words["over_safe"]}
    note = (
        [html.Span([html.Span(className="shape"), notes[state]], className="note")] if state in notes else []
    )
    return [
        *note,
        html.Span(number(view.value), className="number"),
        html.Span(view.unit or "", className="unit"),
        age_of(view.timestamp, view.max_age_s),
    ]


def _sentence(view: TagView, state: str, words: Words) -> str:
    value = words["no_value"] if view.value is None else f"{number(view.value)} {view.unit or ''}".strip()
    notes = {"old": words["too_old"], "past": words["at_limit"], "leaving": words["over_safe"]}
    parts = [
        f"{view.tag} {value}",
        *([notes[state]] if state in notes else []),
        f"{words['mark_safety']} {number(view.maximum_safe_value)}",
        f"{words['mark_warn']} {number(view.warning_threshold)}",
    ]
    return ", ".join(parts)


def _zone(name: str, view: TagView, start: float, end: float | None) -> html.Div:
    a = position(view, start)
    upper = view.warning_threshold > view.maximum_safe_value
    b = (100.0 if upper else 0.0) if end is None else position(view, end)
    return html.Div(
        className=f"zone {name}", style={"left": f"{min(a, b):.2f}%", "width": f"{abs(b - a):.2f}%"}
    )


def _mark(kind: str, word: str, view: TagView, value: float) -> html.Div:
    style = {"left": f"{position(view, value):.2f}%"}
    return html.Div(html.Span(f"{word} {number(value)}"), className=f"mark mark-{kind}", style=style)


def _needle(view: TagView) -> list[html.Div]:
    if view.value is None:
        return []
    return [html.Div(className="needle", style={"left": f"{position(view, view.value):.2f}%"})]


def sos_gauge(why: Explanation, words: Words) -> html.Div:
    """SoS on its half circle. Without a value the space below the upper bound is hatched and no needle is shown."""
    known = why.value is not None
    bound = 1.0 if why.upper is None else why.upper
    part = why.value if why.value is not None else bound
    style = {
        "--part": f"{part:.4f}",
        "--warning-at": f"{why.warning_below:.4f}",
        "--critical-at": f"{why.critical_below:.4f}",
    }
    return html.Div(
        [
            html.Div(
                [
                    html.Div(className="arc arc-bands"),
                    html.Div(className="arc arc-value"),
                    *(_tick(at) for at in (why.critical_below, why.warning_below)),
                    *([html.Div(className="arc-needle")] if known else []),
                ],
                className="dial",
            ),
            html.Div(
                [
                    html.Div(sos_text(why, words), className="sos-number"),
                    *(
                        []
                        if why.band == Band.UNKNOWN
                        else [html.Div(chip(why.band, words), className="sos-band")]
                    ),
                ],
                className="sos-words",
            ),
        ],
        className=f"sos-gauge band-{why.band} {'known' if known else 'not-known'}",
        style=style,
        **_meter(why, words),
    )


def sos_text(why: Explanation, words: Words) -> str:
    """The number in the middle: SoS, or the word that says it is not known."""
    return words["sos_unknown"] if why.value is None else sos_number(why.value, why)


def sos_number(value: float, why: Explanation) -> str:
    """Two digits, or as many as it takes not to round the number out of its band: 0.7996 is no 0.80."""
    edges = (why.critical_below, why.warning_below, 1.0)
    for digits in range(2, 5):
        text = f"{value:.{digits}f}"
        if all((float(text) < edge) == (value < edge) for edge in edges):
            return text
    return "< " + next(f"{edge:g}" for edge in edges if value < edge)


def _meter(why: Explanation, words: Words) -> dict[str, Any]:
    if why.value is None:
        return {"role": "img", "aria-label": f"SoS {words['unknown']}, {coverage(why, words)}"}
    return {
        "role": "meter",
        "aria-label": words["sos"],
        "aria-valuemin": "0",
        "aria-valuemax": "1",
        "aria-valuenow": f"{why.value:.4f}",
        "aria-valuetext": f"{sos_number(why.value, why)}, {words[why.band]}",
    }


def coverage(why: Explanation, words: Words) -> str:
    """`3 of 4 tags known, SoS at most 0.74`; a bound is only worth saying when it says something."""
    if why.known == why.tags or why.upper is None or why.upper >= 1:
        return words["coverage"].format(known=why.known, tags=why.tags)
    return words["coverage_bound"].format(known=why.known, tags=why.tags, upper=sos_number(why.upper, why))


def _tick(at: float) -> html.Div:
    """A label outside the half circle, whose centre is (50 %, 100 %) and radius half the width."""
    angle = pi * (1 - at)
    left, top = 50 + 56 * cos(angle), 100 - 112 * sin(angle)
    return html.Div(f"{at:.2f}", className="dial-tick", style={"left": f"{left:.2f}%", "top": f"{top:.2f}%"})
