"""What is true now: the pulse of the data, the tags, the sets, and the open set with its reasons."""

from __future__ import annotations

from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from dash_app import ids
from dash_app.codec import epoch_ms, from_kst, kst_clock, kst_minute
from dash_app.components import sos_panel
from dash_app.components.explain import decided, explanation
from dash_app.components.grid import rows
from dash_app.components.set_list import set_list
from dash_app.components.tag_list import count_line, gauges, marks, tag_list
from dash_app.data.port import SafetyStore
from dash_app.language import words
from dash_app.notice import notify
from dash_app.pages.overview.navigation import Picture
from sos_ops.clock import floor_minute
from sos_ops.errors import SosOpsError


def register(app: Dash, store: SafetyStore) -> None:
    """Wire everything that shows the newest state."""
    _register_pulse(app, store)
    _register_tags(app, store)
    _register_sets(app, store)
    _register_reasons(app, store)


def pulse_of(store: SafetyStore, last: dict[str, Any] | None) -> dict[str, Any]:
    """The clock and the data time, milliseconds since 1970; without the database the last ones, marked.

    `recoveries` counts how often the database came back, so that what failed meanwhile is drawn again.
    """
    last = last or {"beat": 0, "recoveries": 0, "ok": True}
    beat = last["beat"] + 1
    try:
        now, data = store.now(), store.data_time()
    except SosOpsError:
        return {**last, "beat": beat, "ok": False}
    return {
        "beat": beat,
        "ok": True,
        "recoveries": last["recoveries"] + (not last["ok"]),
        "now": epoch_ms(now),
        "minute": epoch_ms(floor_minute(now)),
        "data": None if data is None else epoch_ms(data),
        "data_clock": None if data is None else kst_clock(data),
    }


def version_of(pulse: dict[str, Any]) -> str:
    """A token that changes when a minute was closed, when the clock passed a minute, and after an outage."""
    return f"{pulse['data']}|{pulse['minute']}|{pulse['recoveries']}"


def _register_pulse(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.PULSE, "data"),
        Output(ids.VERSION, "data"),
        Input(ids.TICK, "n_intervals"),
        State(ids.PULSE, "data"),
        State(ids.VERSION, "data"),
    )
    def beat(_tick: int, last: dict[str, Any] | None, version: str | None) -> tuple[dict[str, Any], Any]:
        pulse = pulse_of(store, last)
        fresh = version_of(pulse) if pulse["ok"] else version
        return pulse, no_update if fresh == version else fresh

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("sos", "second"),
        Output(ids.FRESHNESS, "children"),
        Input(ids.SECOND, "n_intervals"),
        Input(ids.PULSE, "data"),
        State(ids.WORDS, "data"),
    )


def _register_tags(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.TAG_LIST, "children"),
        Output(ids.TAG_NAMES, "data"),
        Output(ids.SITE, "data"),
        Output(ids.SITE, "className"),
        Input(ids.VERSION, "data"),
        Input(ids.TAGS, "value"),
        Input(ids.SITE, "value"),
        State(ids.TAG_NAMES, "data"),
    )
    def list_tags(
        _version: str, chosen: list[str], site: str | None, listed: list[str] | None
    ) -> tuple[Any, ...]:
        views = store.tags()
        sites = sorted({view.site for view in views})
        of_chosen = [view.site for view in views if view.tag in chosen]
        shown_site = site or next(iter(of_chosen + sites), None)
        shown = [view for view in views if view.site == shown_site or view.tag in chosen]
        names = [view.tag for view in shown]
        children = no_update if names == listed else tag_list(shown, words())
        return children, names, sites, "site hidden" if len(sites) < 2 else "site"

    @app.callback(
        Output({"type": ids.TAG_GAUGE, "tag": ALL}, "children"),
        Output({"type": ids.TAG_ROW, "tag": ALL}, "className"),
        Output({"type": ids.TAG_ROW, "tag": ALL}, "title"),
        Output({"type": ids.TAG_BOX, "tag": ALL}, "disabled"),
        Output(ids.TAG_COUNT, "children"),
        Output(ids.GRID, "rowData"),
        Input(ids.VERSION, "data"),
        Input(ids.TAGS, "value"),
        Input(ids.TAG_NAMES, "data"),
    )
    def refresh_tags(_version: str, chosen: list[str], _names: list[str] | None) -> tuple[Any, ...]:
        if ctx.triggered_id == ids.TAGS and chosen:
            notify("")
        views = store.tags()
        names = [place["id"]["tag"] for place in ctx.outputs_list[0]]
        classes, line = marks(names, chosen), count_line(chosen, words())
        refused = ["refused" in name for name in classes]
        titles = [line if no else name for name, no in zip(names, refused, strict=True)]
        return gauges(names, views, words()), classes, titles, refused, line, rows(views, chosen)


def _register_sets(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.SETS, "children"),
        Input(ids.VERSION, "data"),
        Input(ids.PICTURE, "data"),
    )
    def show_sets(_version: str, picture: Picture | None) -> Any:
        open_id, span = (picture["set_id"], picture["span"]) if picture else (None, "1h")
        return set_list(store.sets(), open_id, span, words())

    @app.callback(
        Output(ids.SOS_PANEL, "children"),
        Input(ids.PICTURE, "data"),
        Input(ids.VERSION, "data"),
        prevent_initial_call=True,
    )
    def show_sos(picture: Picture | None, _version: str) -> Any:
        if not picture:
            return no_update
        view = None if picture["set_id"] is None else store.set_view(picture["set_id"])
        if view is None:
            return sos_panel.nothing(words())
        if store.latest(view.set_id) is None:
            return sos_panel.waiting(view, words())
        return sos_panel.panel(view, store.explain(view.set_id, None), words())


def _register_reasons(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.EXPLAIN, "children"),
        Output(ids.EXPLAIN_TITLE, "children"),
        Output(ids.EXPLAIN_CARD, "className"),
        Input(ids.PICTURE, "data"),
        Input(ids.MINUTE, "data"),
        Input(ids.VERSION, "data"),
        prevent_initial_call=True,
    )
    def show_reasons(picture: Picture | None, minute: str | None, _version: str) -> Any:
        if not picture or picture["set_id"] is None:
            return no_update, no_update, "card hidden"
        if minute is None and store.latest(picture["set_id"]) is None:
            return no_update, no_update, "card hidden"
        why = store.explain(picture["set_id"], from_kst(minute) if minute else None)
        title = words()["why_minute"].format(time=kst_minute(why.minute))
        return explanation(why, words()), ", ".join(filter(None, (title, decided(why, words())))), "card"
