"""The address is the state: every action names an address, and every address draws the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from dash_app import ids
from dash_app.codec import BadAddressError, View, decode, encode, from_kst, kst_minute
from dash_app.data.port import MAX_TAGS, SafetyStore
from dash_app.language import words
from dash_app.notice import notify
from sos_ops.errors import SosOpsError

Picture = dict[str, Any]
"""What the page is about: {"tags": [...], "set_id": int | None, "span": "1h"}."""

STEPS = {ids.EARLIER: timedelta(minutes=-1), ids.LATER: timedelta(minutes=1)}


class ChoiceError(SosOpsError):
    """The chosen tags cannot be used as they are."""


def checked(tags: list[str]) -> tuple[str, ...]:
    """The chosen tags, once more counted on the server: callbacks are plain POSTs.

    Raises:
        ChoiceError: none, or more than a set may have.
    """
    if not tags:
        raise ChoiceError(words()["choose_first"])
    if len(tags) > MAX_TAGS:
        raise ChoiceError(words()["too_many"].format(max=MAX_TAGS, over=len(tags) - MAX_TAGS))
    return tuple(tags)


def view_of(picture: Picture | None, at: str | None = None) -> View:
    """The view that a picture came from."""
    if not picture:
        return View(at=at)
    set_id = picture["set_id"]
    return View(() if set_id is not None else tuple(picture["tags"]), set_id, picture["span"], at)


def picture_of(store: SafetyStore, view: View) -> Picture:
    """What to draw for a view; a set brings its own tags."""
    if view.set_id is None:
        known_tags = {tag.tag for tag in store.tags()} if view.tags else set()
        for name in view.tags:
            if name not in known_tags:
                raise BadAddressError(words()["tag_unknown"].format(tag=name))
        return {"tags": list(view.tags), "set_id": None, "span": view.span}
    known = store.set_view(view.set_id)
    if known is None:
        raise BadAddressError(words()["set_unknown"].format(id=view.set_id))
    return {"tags": list(known.tags), "set_id": known.set_id, "span": view.span}


def register(app: Dash, store: SafetyStore) -> None:
    """Wire the actions to addresses, and addresses to the page."""
    _register_address(app, store)
    _register_actions(app, store)
    _register_minutes(app, store)


def _register_address(app: Dash, store: SafetyStore) -> None:
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("sos", "go"),
        Output(ids.RUNNING, "data"),
        Input(ids.GOTO, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.PICTURE, "data"),
        Output(ids.MINUTE, "data"),
        Output(ids.TAGS, "value"),
        Output(ids.SPAN, "value"),
        Input(ids.URL, "pathname"),
        Input(ids.URL, "search"),
        Input(ids.VERSION, "data"),
        State(ids.PICTURE, "data"),
        State(ids.MINUTE, "data"),
    )
    def open_address(
        pathname: str, search: str, _version: str, shown: Picture | None, minute: str | None
    ) -> tuple[Any, Any, Any, Any]:
        notify("")
        try:
            view = decode(pathname, search)
            picture = picture_of(store, view)
        except BadAddressError as error:
            notify(str(error))
            view, picture = View(), picture_of(store, View())
        at = no_update if view.at == minute else view.at
        if picture == shown:
            return no_update, at, no_update, no_update
        return picture, at, picture["tags"], picture["span"]


def _register_actions(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.GOTO, "data", allow_duplicate=True),
        Input(ids.CHECK, "n_clicks"),
        State(ids.TAGS, "value"),
        State(ids.PICTURE, "data"),
        State(ids.SPAN, "value"),
        prevent_initial_call=True,
    )
    def check(_clicks: int, tags: list[str], picture: Picture | None, span: str) -> str:
        chosen = checked(tags)
        if picture and picture["set_id"] is not None and sorted(picture["tags"]) == sorted(chosen):
            return encode(View(set_id=picture["set_id"], span=span))
        return encode(View(chosen, span=span))

    @app.callback(
        Output(ids.GOTO, "data", allow_duplicate=True),
        Input(ids.CREATE, "n_clicks"),
        State(ids.TAGS, "value"),
        State(ids.SPAN, "value"),
        prevent_initial_call=True,
    )
    def create(_clicks: int, tags: list[str], span: str) -> str:
        made = store.find_or_create_set(checked(tags), actor="page")
        return encode(View(set_id=made.set_id, span=span))

    @app.callback(
        Output(ids.GOTO, "data", allow_duplicate=True),
        Input(ids.SPAN, "value"),
        State(ids.PICTURE, "data"),
        State(ids.MINUTE, "data"),
        prevent_initial_call=True,
    )
    def change_span(span: str, picture: Picture | None, minute: str | None) -> Any:
        if not picture or picture["span"] == span:
            return no_update
        return encode(replace(view_of(picture, minute), span=span))


def _register_minutes(app: Dash, store: SafetyStore) -> None:
    @app.callback(
        Output(ids.GOTO, "data", allow_duplicate=True),
        Input(ids.SOS_CHART, "clickData"),
        State(ids.PICTURE, "data"),
        prevent_initial_call=True,
    )
    def click_minute(click: dict[str, Any] | None, picture: Picture | None) -> Any:
        if not click or not picture:
            return no_update
        return encode(view_of(picture, kst_minute(from_kst(click["points"][0]["x"]))))

    @app.callback(
        Output(ids.GOTO, "data", allow_duplicate=True),
        Input(ids.EARLIER, "n_clicks"),
        Input(ids.LATER, "n_clicks"),
        Input(ids.NEWEST, "n_clicks"),
        State(ids.PICTURE, "data"),
        State(ids.MINUTE, "data"),
        prevent_initial_call=True,
    )
    def step(_earlier: int, _later: int, _newest: int, picture: Picture | None, minute: str | None) -> Any:
        if not picture or picture["set_id"] is None:
            return no_update
        if ctx.triggered_id == ids.NEWEST:
            return encode(view_of(picture))
        newest = store.latest(picture["set_id"])
        base = from_kst(minute) if minute else newest.minute if newest else None
        return (
            no_update
            if base is None
            else encode(view_of(picture, kst_minute(base + STEPS[ctx.triggered_id])))
        )
