"""The two charts: a whole figure when the page is about something else, otherwise a patch, which keeps the zoom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dash import Dash, Input, Output, Patch, State, no_update

from dash_app import ids
from dash_app.codec import SPANS, from_kst
from dash_app.data.port import SafetyStore
from dash_app.figures import sos, values
from dash_app.figures.theme import Figure
from dash_app.figures.thin import MAX_POINTS
from dash_app.language import words
from dash_app.pages.overview.navigation import Picture

HIDDEN = "card chart-card hidden"
SHOWN = "card chart-card"


def refreshed(figure: Figure) -> Patch:
    """Only what time changes in a drawn figure of the same signature (4.4.1 would lose the zoom on a whole one)."""
    patch = Patch()
    for number, trace in enumerate(figure["data"]):
        patch["data"][number]["x"] = trace["x"]
        patch["data"][number]["y"] = trace["y"]
    patch["layout"]["xaxis"]["autorangeoptions"] = figure["layout"]["xaxis"]["autorangeoptions"]
    patch["layout"]["annotations"] = figure["layout"]["annotations"]
    patch["layout"]["shapes"] = figure["layout"].get("shapes", [])
    return patch


def window(store: SafetyStore, span: str) -> tuple[datetime, datetime]:
    """The shown range, up to the platform's now."""
    until = store.now()
    return until - SPANS[span], until


def register(app: Dash, store: SafetyStore) -> None:
    """Wire the charts."""
    _register_values(app, store)
    _register_sos(app, store)


def _register_values(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.VALUES_CHART, "figure"),
        Output(ids.VALUES_DRAWN, "data"),
        Output(ids.VALUES_CHART, "style"),
        Output(ids.VALUES_SUMMARY, "children"),
        Output(ids.VALUES_CARD, "className"),
        Input(ids.PICTURE, "data"),
        Input(ids.VERSION, "data"),
        State(ids.VALUES_DRAWN, "data"),
        prevent_initial_call=True,
    )
    def draw_values(picture: Picture | None, _version: str, drawn: str | None) -> tuple[Any, ...]:
        views = [view for view in store.tags() if picture and view.tag in picture["tags"]]
        if not picture or not views:
            return no_update, None, no_update, "", HIDDEN
        since, until = window(store, picture["span"])
        series = store.values([view.tag for view in views], since, until, MAX_POINTS)
        figure = values.figure(views, series, since, until, words())
        key = f"{picture['span']} {values.signature(views)}"
        style = {"height": figure["layout"]["height"]}
        drawing = refreshed(figure) if key == drawn else figure
        return drawing, key, style, values.summary(views, series, words()), SHOWN


def _register_sos(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.SOS_CHART, "figure"),
        Output(ids.SOS_DRAWN, "data"),
        Output(ids.SOS_SUMMARY, "children"),
        Output(ids.SOS_CARD, "className"),
        Input(ids.PICTURE, "data"),
        Input(ids.MINUTE, "data"),
        Input(ids.VERSION, "data"),
        State(ids.SOS_DRAWN, "data"),
        prevent_initial_call=True,
    )
    def draw_sos(
        picture: Picture | None, minute: str | None, _version: str, drawn: str | None
    ) -> tuple[Any, ...]:
        set_id = picture["set_id"] if picture else None
        if picture is None or set_id is None or store.latest(set_id) is None:
            return no_update, None, "", HIDDEN
        since, until = window(store, picture["span"])
        series = store.sos_series(set_id, since, until, MAX_POINTS)
        why = store.explain(set_id, None)
        at = from_kst(minute) if minute else None
        figure = sos.figure(series, since, until, (why.warning_below, why.critical_below), at, words())
        key = f"{picture['span']} {set_id}"
        return refreshed(figure) if key == drawn else figure, key, sos.summary(set_id, series, words()), SHOWN
