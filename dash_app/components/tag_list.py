"""The tags of `tag_list` as checkboxes, each with its gauge."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import html

from dash_app import ids
from dash_app.components.gauge import tag_gauge
from dash_app.data.port import MAX_TAGS, TagView
from dash_app.text import Words


def tag_list(views: Sequence[TagView], words: Words) -> list[html.Div]:
    """One row per tag, whose checkbox stays as it is while `gauges` and `marks` are refreshed around it.

    Components replaced by a callback are made anew in the browser: a checkbox would lose the keyboard's focus.
    """
    if not views:
        return [html.Div(words["tags_none"], className="empty")]
    return [_row(view, words) for view in views]


def gauges(names: Sequence[str], views: Sequence[TagView], words: Words) -> list[html.Div | None]:
    """The gauge of each listed tag."""
    by_name = {view.tag: view for view in views}
    return [tag_gauge(by_name[name], words) if name in by_name else None for name in names]


def marks(names: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """The class of each row: `chosen`, or `refused` where `MAX_TAGS` others are chosen."""
    full = len(chosen) >= MAX_TAGS
    return [
        "tag-row chosen" if name in chosen else "tag-row refused" if full else "tag-row" for name in names
    ]


def count_line(chosen: Sequence[str], words: Words) -> str:
    """How many are chosen, and what to do when no more can be."""
    if len(chosen) > MAX_TAGS:
        return words["too_many"].format(max=MAX_TAGS, over=len(chosen) - MAX_TAGS)
    key = "tags_full" if len(chosen) == MAX_TAGS else "tags_count"
    return words[key].format(n=len(chosen), max=MAX_TAGS)


def _row(view: TagView, words: Words) -> html.Div:
    return html.Div(
        [
            dmc.Checkbox(
                value=view.tag,
                label=view.tag,
                size="sm",
                color="dark",
                id={"type": ids.TAG_BOX, "tag": view.tag},
            ),
            html.Div(
                tag_gauge(view, words),
                id={"type": ids.TAG_GAUGE, "tag": view.tag},
                className="tag-gauge-place",
            ),
        ],
        id={"type": ids.TAG_ROW, "tag": view.tag},
        className="tag-row",
        title=view.partner,
    )
