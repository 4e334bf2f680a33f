"""What the page and `sos-ops status` read: tags, values, sets and their minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sos_ops.clock import ceil_minute
from sos_ops.errors import SosOpsError
from sos_ops.safety.bands import BAND_ORDER, Band
from sos_ops.safety.score import Limits, score
from sos_ops.store import sql
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.scores import BAND_CODES
from sos_ops.views import Series, SetView, SosPoint, SosSeries, TagView

_BANDS: dict[str, Band] = dict(zip((code.decode() for code in BAND_CODES), BAND_ORDER, strict=True))
_SEVERITY = {Band.CRITICAL: 0, Band.WARNING: 1, Band.UNKNOWN: 2, Band.SAFE: 3}


def band_of_code(code: Any) -> Band:
    """The band of a stored one-letter code."""
    return _BANDS[code.decode() if isinstance(code, bytes) else str(code)]


def tag_views(connection: Connection, site: str | None = None) -> list[TagView]:
    """Every tag in use (of one site) with its newest accepted result, by site and name."""
    at = now(connection)
    rows = connection.execute(sql.load("select_tag_views"), {"now": at, "site": site}).fetchall()
    return [_tag_view(row, at) for row in rows]


def _tag_view(row: Sequence[Any], at: datetime) -> TagView:
    (tag, site, partner, unit, action, max_count, x100, xl, limit, max_age_s, value, timestamp) = row
    fresh = timestamp is not None and timestamp > at - timedelta(seconds=max_age_s)
    return TagView(
        tag=tag,
        site=site,
        partner=partner,
        unit=unit,
        action=action,
        max_count=max_count,
        maximum_safe_value=x100,
        warning_threshold=xl,
        upper_safety_limit=limit,
        max_age_s=max_age_s,
        value=value,
        timestamp=timestamp,
        fresh=fresh,
        score=float(score(value, Limits(x100, xl, limit))) if fresh else None,
    )


def value_series(
    connection: Connection, tags: Sequence[str], since: datetime, until: datetime, points: int | None = None
) -> dict[str, Series]:
    """Accepted results in [since, until] by tag, oldest first; every tag asked for has a series.

    Args:
        connection: an open transaction.
        tags: names of tags in use.
        since: the first moment.
        until: the last moment.
        points: about how many results a tag needs; where a minute apart there would be many more, only the lowest
            and highest of each bucket of time are read, and the newest. None: all.
    """
    series: dict[str, Series] = {tag: Series([], []) for tag in tags}
    parameters: dict[str, Any] = {"tags": list(tags), "since": since, "until": until}
    query = "select_values"
    if bucket_s := _bucket_s(since, until, points):
        query, parameters["bucket_s"] = "select_values_thinned", bucket_s
    for tag, timestamp, value in connection.execute(sql.load(query), parameters):
        series[str(tag)].times.append(timestamp)
        series[str(tag)].values.append(value)
    return series


def _bucket_s(since: datetime, until: datetime, points: int | None) -> float | None:
    """Seconds of each bucket of two points, or None when a minute apart there are few enough."""
    span_s = (until - since).total_seconds()
    return 2 * span_s / points if points and span_s / 60 > 2 * points else None


def find_or_create_set(connection: Connection, tags: Sequence[str]) -> SetView:
    """The set of these tags in any order, made if it is new. The database refuses bad sets with one clear line."""
    row = connection.execute("select sos_ops.find_or_create_set(%s::text[])", (list(tags),)).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    view = set_view(connection, int(row[0]))
    if view is None:
        raise SosOpsError("the set was retired just now: try again")
    return view


def find_set(connection: Connection, tags: Sequence[str]) -> SetView | None:
    """The set in use of exactly these tags, in any order, if there is one."""
    row = connection.execute(sql.load("select_set_by_tags"), {"tags": list(tags)}).fetchone()
    return None if row is None or len(set(tags)) == 0 else set_view(connection, int(row[0]))


def set_view(connection: Connection, set_id: int) -> SetView | None:
    """The set of that number; None when there is none or it is retired."""
    found = _sets(connection, set_id)
    return found[0][0] if found else None


def latest(connection: Connection, set_id: int) -> SosPoint | None:
    """The newest decided minute of a set; None before its first."""
    found = _sets(connection, set_id)
    return found[0][1] if found else None


def sets(connection: Connection) -> list[tuple[SetView, SosPoint | None]]:
    """Sets in use with their newest decided minute, worst first: by band, then by the bound of SoS."""

    def badness(item: tuple[SetView, SosPoint | None]) -> tuple[int, float, int]:
        view, point = item
        if point is None or point.upper is None:
            return (_SEVERITY[Band.UNKNOWN], 1.0, view.set_id)
        return (_SEVERITY[point.band], point.upper, view.set_id)

    return sorted(_sets(connection, None), key=badness)


def _sets(connection: Connection, set_id: int | None) -> list[tuple[SetView, SosPoint | None]]:
    parameters = {"set_id": set_id, "with_retired": False}
    return [_set_row(row) for row in connection.execute(sql.load("select_set_views"), parameters)]


def _set_row(row: Sequence[Any]) -> tuple[SetView, SosPoint | None]:
    its_id, tags, site, created_at, minute, value, upper, known, size, band, limiting = row
    view = SetView(its_id, tuple(tags), site, created_at, ceil_minute(created_at))
    if minute is None:
        return view, None
    return view, SosPoint(minute, value, upper, known, size, band_of_code(band), limiting)


def sos_series(
    connection: Connection, set_id: int, since: datetime, until: datetime, points: int | None = None
) -> SosSeries:
    """The decided minutes of a set in [since, until], oldest first; `points` as for `value_series`.

    Thinned, the first minute without SoS of each bucket stays as well: a gap is never smoothed away.
    """
    parameters: dict[str, Any] = {"set_id": set_id, "since": since, "until": until}
    query = "select_sos_series"
    if bucket_s := _bucket_s(since, until, points):
        query, parameters["bucket_s"] = "select_sos_series_thinned", bucket_s
    series = SosSeries([], [], [], [])
    for minute, value, upper, band in connection.execute(sql.load(query), parameters):
        series.minutes.append(minute)
        series.values.append(value)
        series.uppers.append(upper)
        series.bands.append(band_of_code(band))
    return series


def data_time(connection: Connection) -> datetime | None:
    """The newest decided minute that is not in the future; None before the first."""
    row = connection.execute(sql.load("select_data_time")).fetchone()
    return row[0] if row else None
