"""The document's table of the chosen tags: its header words, then age and score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag

from dash_app.codec import epoch_ms
from dash_app.data.port import TagView
from dash_app.text import Words

THEME = (
    "themeQuartz.withParams({backgroundColor: 'var(--card)', foregroundColor: 'var(--ink)', "
    "headerBackgroundColor: 'var(--card)', headerTextColor: 'var(--ink-2)', borderColor: 'var(--line)', "
    "fontFamily: 'inherit', fontSize: 14, headerFontSize: 12, headerFontWeight: 600, spacing: 7, "
    "wrapperBorder: false, oddRowBackgroundColor: 'var(--card)'})"
)
"""The grid in the page's own colours, which follow light and dark."""


def grid(id_: str, words: Words) -> dag.AgGrid:
    """An empty grid; its rows come from `rows`."""
    return dag.AgGrid(
        id=id_,
        columnDefs=_columns(words),
        rowData=[],
        getRowId="params.data.TAG",
        columnSize="responsiveSizeToFit",
        defaultColDef={"sortable": True, "resizable": True, "suppressMovable": True},
        dashGridOptions={
            "domLayout": "autoHeight",
            "theme": {"function": THEME},
            "suppressCellFocus": False,
            "rowClassRules": {"row-old": "!params.data.fresh", "row-past": "params.data.past"},
            "localeText": {"noRowsToShow": words["table_empty"]},
            "animateRows": False,
        },
        style={"height": None},
    )


def rows(views: Sequence[TagView], chosen: Sequence[str]) -> list[dict[str, Any]]:
    """One row per chosen tag, in the order of choosing."""
    by_name = {view.tag: view for view in views}
    return [_row(by_name[name]) for name in chosen if name in by_name]


def _row(view: TagView) -> dict[str, Any]:
    sign = 1 if view.warning_threshold > view.maximum_safe_value else -1
    past = view.fresh and view.value is not None and sign * (view.value - view.warning_threshold) >= 0
    return {
        "TAG": view.tag,
        "Value": view.value,
        "Action": "null" if view.action is None else view.action,
        "MAX_count": view.max_count,
        "SAFETY_VALUE": view.maximum_safe_value,
        "WARN_THRESHOLD": view.warning_threshold,
        "since": None if view.timestamp is None else epoch_ms(view.timestamp),
        "score": view.score,
        "unit": view.unit or "",
        "fresh": view.fresh,
        "past": past,
    }


def _columns(words: Words) -> list[dict[str, Any]]:
    plain = {"function": "sosNumber(params.value)"}
    return [
        {"field": "TAG", "headerName": "TAG", "minWidth": 130},
        {
            "field": "Value",
            "headerName": "Value",
            "valueFormatter": {"function": "sosValue(params)"},
            "minWidth": 95,
        },
        {"field": "Action", "headerName": "Action", "minWidth": 85, "tooltipField": "Action"},
        {"field": "MAX_count", "headerName": "MAX_count", "minWidth": 110},
        {"field": "SAFETY_VALUE", "headerName": "SAFETY_VALUE", "valueFormatter": plain, "minWidth": 135},
        {"field": "WARN_THRESHOLD", "headerName": "WARN_THRESHOLD", "valueFormatter": plain, "minWidth": 158},
        {
            "colId": "age",
            "headerName": words["age"],
            "valueGetter": {"function": "sosAge(params.data.since)"},
            "minWidth": 105,
        },
        {
            "field": "score",
            "headerName": words["score"],
            "valueFormatter": {"function": "sosScore(params)"},
            "minWidth": 80,
        },
    ]
