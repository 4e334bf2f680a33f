"""Why one minute's SoS is what it is: the rows used, the limits valid then, the shares, and what is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dash import html

from dash_app.codec import kst_minute, kst_second
from dash_app.components.attributes import attributes
from dash_app.data.port import ExplainedTag, Explanation
from dash_app.figures.values import number
from dash_app.text import Words

COLUMNS = (
    "row_value",
    "row_time",
    "row_received",
    "row_limits",
    "row_version",
    "row_u",
    "row_f",
    "row_share",
)
REASONS = {
    "none": "missing_none",
    "set_aside": "missing_set_aside",
    "stale": "missing_stale",
    "not_validated": "missing_not_validated",
}


def explanation(why: Explanation, words: Words) -> list[Any]:
    """The table of tags and the list of later changes."""
    if not why.exists:
        return [html.P(words["why_none"].format(time=kst_minute(why.minute)), className="empty")]
    heads = [html.Th(words["row_tag"], scope="col"), *(html.Th(words[key], scope="col") for key in COLUMNS)]
    rows = [_row(part, words) for part in why.parts]
    return [
        html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows)], className="why-table"),
        *_changes(why, words),
    ]


def decided(why: Explanation, words: Words) -> str:
    """When the minute was decided."""
    return "" if why.decided_at is None else words["why_decided"].format(time=kst_second(why.decided_at))


def reason(part: ExplainedTag, words: Words) -> str:
    """Why a tag has no value, as one line."""
    return part.missing_detail or words[REASONS.get(part.missing_reason or "", "missing_other")]


def _row(part: ExplainedTag, words: Words) -> html.Tr:
    name = html.Th([part.tag, *_doubt(part, words)], scope="row")
    limits = [
        _cell(words["row_limits"], _limits(part)),
        _cell(words["row_version"], _version(part, words)),
    ]
    if part.f is None:
        missing = html.Td(
            [html.Span(words["missing"], className="missing-word"), " ", reason(part, words)],
            colSpan=3,
            className="missing-cell",
        )
        rest = [_cell(words[key], "-") for key in ("row_u", "row_f", "row_share")]
        return html.Tr([name, missing, *limits, *rest], className="missing")
    return html.Tr(
        [
            name,
            _cell(words["row_value"], f"{number(part.value or 0.0)} {part.unit or ''}".rstrip()),
            _cell(words["row_time"], _taken(part, words)),
            _cell(words["row_received"], _moment(part.received_at)),
            *limits,
            _cell(words["row_u"], "-" if part.u is None else f"{part.u:.3f}"),
            _cell(words["row_f"], f"{part.f:.4f}"),
            _share(part, words),
        ],
        className="past" if (part.u or 0.0) >= 1 else "",
    )


def _doubt(part: ExplainedTag, words: Words) -> list[Any]:
    if not part.marks:
        return []
    said = f"{words['doubtful']}: {part.doubt or ', '.join(part.marks)}"
    return [html.Span(said, className="doubt")]


def _cell(label: str, content: Any) -> html.Td:
    return html.Td(content, **attributes(data_label=label))


def _share(part: ExplainedTag, words: Words) -> html.Td:
    share = part.share or 0.0
    bar = html.Span(className="share-bar", style={"--part": f"{share:.4f}"})
    content = html.Span([bar, html.Span(f"{share:.0%}")], className="share-cell")
    return html.Td(content, className="share", **attributes(data_label=words["row_share"]))


def _limits(part: ExplainedTag) -> str:
    limit = "" if part.upper_safety_limit == 0.8 else f" (L = {number(part.upper_safety_limit)})"
    return f"{number(part.maximum_safe_value)} → {number(part.warning_threshold)}{limit}"


def _version(part: ExplainedTag, words: Words) -> str:
    since = part.limits_valid_from
    valid = words["valid_always"] if since is None else words["valid_from"].format(time=kst_minute(since))
    return f"{part.limits_version}, {valid}"


def _taken(part: ExplainedTag, words: Words) -> str:
    age = "" if part.age_s is None else f" ({words['age']} {part.age_s:.0f} s)"
    return f"{_moment(part.timestamp)}{age}"


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else kst_second(moment)[11:]


def _changes(why: Explanation, words: Words) -> list[Any]:
    if not why.changes:
        return [html.P(words["changes_none"], className="quiet")]
    lines = [html.Li(line) for line in why.changes]
    return [html.H3(words["changes"]), html.Ul(lines, className="changes")]
