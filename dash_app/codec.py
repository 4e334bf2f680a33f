"""The address of a view, and times as a person in Korea reads them.

`/s/3?range=24h&at=2026-01-01T10:04` is set 3 over a day with the minute 10:04 KST explained;
`/?tags=over_temp,under_temp` is two tags without a set. The address alone brings the same view back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

from dash_app.data.port import MAX_TAGS
from sos_ops.errors import SosOpsError

KST = ZoneInfo("Asia/Seoul")
"""Without daylight saving, so a wall-clock time names one moment."""

SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
DEFAULT_SPAN = "1h"


class BadAddressError(SosOpsError):
    """An address that names no view."""


@dataclass(frozen=True)
class View:
    """What an address shows."""

    tags: tuple[str, ...] = ()
    set_id: int | None = None
    span: str = DEFAULT_SPAN
    at: str | None = None
    """The explained minute as `kst_minute` writes it."""


def kst_minute(moment: datetime) -> str:
    """`2026-01-01 09:00`: what figures get, since the browser shows strings as they are written."""
    return moment.astimezone(KST).strftime("%Y-%m-%d %H:%M")


def kst_point(moment: datetime) -> str:
    """A point in time for a figure: to the second only where it is not on the minute, since a year has many."""
    return kst_second(moment) if moment.second else kst_minute(moment)


def kst_second(moment: datetime) -> str:
    """`2026-01-01 09:00:07`."""
    return moment.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S")


def kst_clock(moment: datetime) -> str:
    """`09:00`."""
    return moment.astimezone(KST).strftime("%H:%M")


def from_kst(text: str) -> datetime:
    """The moment that `kst_minute` (or a figure's click, which may carry seconds) wrote; refuses anything else."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise BadAddressError(f"{text!r} is no time: write it as 2026-01-01 09:00 (KST).") from None
    return wall.replace(tzinfo=KST)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, for the browser's own arithmetic."""
    return round(moment.timestamp() * 1000)


def encode(view: View) -> str:
    """The address of a view."""
    query = {}
    if view.set_id is None and view.tags:
        query["tags"] = ",".join(view.tags)
    if view.span != DEFAULT_SPAN:
        query["range"] = view.span
    if view.at:
        query["at"] = view.at.replace(" ", "T")
    path = "/" if view.set_id is None else f"/s/{view.set_id}"
    return path + ("?" + urlencode(query, safe=",:/") if query else "")


def decode(pathname: str | None, search: str | None) -> View:
    """The view of an address.

    Raises:
        BadAddressError: it names no view.
    """
    query = {name: values[0] for name, values in parse_qs((search or "").lstrip("?")).items()}
    span = query.get("range", DEFAULT_SPAN)
    if span not in SPANS:
        raise BadAddressError(f"There is no range {span!r}: use one of {', '.join(SPANS)}.")
    tags = tuple(name for name in query.get("tags", "").split(",") if name)
    if len(tags) > MAX_TAGS:
        raise BadAddressError(
            f"A view has at most {MAX_TAGS} tags, not {len(tags)}: take some out of the address."
        )
    at = kst_minute(from_kst(query["at"])) if "at" in query else None
    return View(tags, _set_id(pathname or "/"), span, at)


def _set_id(pathname: str) -> int | None:
    if pathname == "/":
        return None
    number = pathname.removeprefix("/s/")
    if number == pathname or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise BadAddressError(f"There is no page {pathname}: use / or /s/SET_ID.")
    return int(number)
