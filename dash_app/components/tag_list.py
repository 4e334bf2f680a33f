"""The tags of `tag_list` as checkboxes, each with its gauge."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import html

from dash_app.components.gauge import state_of, tag_gauge
from dash_app.data.port import MAX_TAGS, TagView
from dash_app.text import Words


def tag_list(views: Sequence[TagView], chosen: Sequence[str], words: Words) -> list[html.Div]:
    """One row per tag; with `MAX_TAGS` chosen the others are disabled and say why."""
    if not views:
        return [html.Div(words["tags_none"], className="empty")]
    full = len(chosen) >= MAX_TAGS
    return [_row(view, view.tag in chosen, full and view.tag not in chosen, words) for view in views]


def count_line(chosen: Sequence[str], words: Words) -> str:
    """How many are chosen, and what to do when no more can be."""
    if len(chosen) > MAX_TAGS:
        return words["too_many"].format(max=MAX_TAGS, over=len(chosen) - MAX_TAGS)
    key = "tags_full" if len(chosen) == MAX_TAGS else "tags_count"
    return words[key].format(n=len(chosen), max=MAX_TAGS)


def _row(view: TagView, chosen: bool, refused: bool, words: Words) -> html.Div:
    box = dmc.Checkbox(
        value=view.tag,
        label=view.tag,
        disabled=refused,
        size="sm",
        color="dark",
        id={"type": "tag", "tag": view.tag},
    )
    mark = " chosen" if chosen else " refused" if refused else ""
    return html.Div(
        [box, tag_gauge(view, words)],
        className=f"tag-row state-{state_of(view)}{mark}",
        title=words["tags_full"].format(max=MAX_TAGS) if refused else view.partner,
        key=view.tag,
    )
