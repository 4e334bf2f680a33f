"""Why a set's SoS is what it is at a minute: the rows used, the limits valid then, who is missing, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sos_ops.clock import both_zones
from sos_ops.errors import UnknownNameError
from sos_ops.modbus.decode import Quality
from sos_ops.safety.as_of import Missing
from sos_ops.safety.bands import Band
from sos_ops.safety.combine import shares
from sos_ops.safety.score import depth
from sos_ops.store import sql
from sos_ops.store.connection import Connection
from sos_ops.store.doubtful import doubts, first_few
from sos_ops.store.page import band_of_code, data_time
from sos_ops.views import ExplainedTag, Explanation

_NO_NUMBER = (Quality.IMPLAUSIBLE_SAFE, Quality.NOT_FINITE)
"""What was read was set aside, so that there is no number to make a result of."""

_SET_ASIDE_SHOWN = 4
"""Of one device: a missing tag's line is to be read, not searched."""

_MISSING = {"N": Missing.NONE, "S": Missing.STALE, "A": Missing.SET_ASIDE, "V": Missing.NOT_VALIDATED}


def explain(connection: Connection, set_id: int, minute: datetime | None = None) -> Explanation:
    """Explains a set's minute (None: the newest decided one).

    Raises:
        UnknownNameError: there is no set of that number, or no minute is decided yet.
    """
    at = minute or data_time(connection)
    if at is None:
        raise UnknownNameError("no minute is decided yet: the first comes with the next full minute")
    key = {"set_id": set_id, "minute": at}
    row = connection.execute(sql.load("select_explained_set"), key).fetchone()
    if row is None:
        raise UnknownNameError(f"no set {set_id}: `sos-ops sets` lists them")
    (
        _,
        site,
        _,
        _,
        warning_below,
        critical_below,
        found,
        value,
        upper,
        known,
        size,
        band,
        limiting,
        decided_at,
    ) = row
    troubles = [
        _failed_device(r)
        for r in connection.execute(sql.load("select_failed_polls"), {"site": site, "minute": at})
    ]
    rows = connection.execute(sql.load("select_explained_tags"), key).fetchall()
    if any(row[10] for row in rows):
        troubles += _devices_with_set_aside_readings(connection, site, at)
    return Explanation(
        set_id=set_id,
        minute=at,
        exists=found is not None,
        value=value,
        upper=upper,
        known=known or 0,
        tags=size,
        band=Band.UNKNOWN if band is None else band_of_code(band),
        limiting_tag=limiting,
        decided_at=decided_at,
        warning_below=warning_below,
        critical_below=critical_below,
        parts=_parts(rows, at, troubles),
        changes=(
            *(_change(r) for r in connection.execute(sql.load("select_revisions"), key)),
            *(_waiting(r) for r in connection.execute(sql.load("select_set_aside"), key)),
            *(_by_hand(r) for r in connection.execute(sql.load("select_accepted_by_hand"), key)),
        ),
    )


def _failed_device(row: Sequence[Any]) -> str:
    name, reason, since = row
    return f"device {name}: {reason} (since {both_zones(since)})"


def _devices_with_set_aside_readings(connection: Connection, site: str, minute: datetime) -> list[str]:
    """Such readings have no value: a tag that is made of one has no result, although its device was read."""
    found = connection.execute(sql.load("select_site_devices"), {"site": site, "minute": minute}).fetchall()
    doubtful = doubts(connection, {device_id: minute for device_id, _ in found})
    lines = []
    for device_id, name in found:
        readings = doubtful[device_id].readings if device_id in doubtful else ()
        set_aside = [str(reading) for reading in readings if reading.quality in _NO_NUMBER]
        if set_aside:
            lines.append(f"device {name}: {first_few(set_aside, _SET_ASIDE_SHOWN)}")
    return lines


def _parts(
    rows: Sequence[Sequence[Any]], minute: datetime, troubles: Sequence[str]
) -> tuple[ExplainedTag, ...]:
    scores = [row[9] for row in rows]
    known = [f for f in scores if f is not None]
    # Shares are of the loss that is known: a missing tag's part of it nobody can tell.
    its_shares = iter(shares(known))
    return tuple(_part(row, minute, troubles, None if row[9] is None else next(its_shares)) for row in rows)


def _part(row: Sequence[Any], minute: datetime, troubles: Sequence[str], share: float | None) -> ExplainedTag:
    (
        tag,
        unit,
        _,
        version,
        valid_from,
        x100,
        xl,
        limit,
        max_age_s,
        f,
        missing,
        value,
        ts,
        received_at,
        decided,
        marks,
        doubt,
    ) = row
    age_s = None if ts is None else (minute - ts).total_seconds()
    reason = _MISSING[missing.decode() if isinstance(missing, bytes) else missing] if missing else None
    return ExplainedTag(
        tag=tag,
        unit=unit,
        value=value,
        timestamp=ts,
        age_s=age_s,
        received_at=received_at,
        maximum_safe_value=x100,
        warning_threshold=xl,
        upper_safety_limit=limit,
        limits_version=version,
        limits_valid_from=valid_from,
        u=None if f is None else float(depth(value, x100, xl)),
        f=f,
        share=share,
        missing_reason=reason,
        missing_detail=_detail(reason, age_s, max_age_s, troubles) if decided else None,
        marks=tuple(marks) if f is not None else (),
        doubt=doubt if f is not None else None,
    )


def _detail(
    reason: Missing | None, age_s: float | None, max_age_s: int, troubles: Sequence[str]
) -> str | None:
    if reason is None:
        return None
    if reason is Missing.NOT_VALIDATED:
        first = "results of this time reached us and are not validated yet"
    elif reason is Missing.SET_ASIDE:
        first = "results of this time reached us, none was accepted"
    elif reason is Missing.NONE or age_s is None:
        first = "no accepted result up to this minute"
    else:
        first = f"the newest result was {age_s:.0f} s old, and counts for less than {max_age_s} s"
    return "; ".join([first, *troubles])


def _waiting(row: Sequence[Any]) -> str:
    tag, value, ts, received_at, reason, decision, decided_by, decided_at, why = row
    what = f"{tag}: {value!r} of {both_zones(ts)}"
    if reason is None:
        return f"{what} is not validated yet, received {both_zones(received_at)}"
    said = f"{what} was set aside, received {both_zones(received_at)}: {reason}"
    return f"{said}; {decision} by {decided_by} {both_zones(decided_at)}: {why}" if decision else said


def _by_hand(row: Sequence[Any]) -> str:
    tag, value, ts, decision, decided_by, decided_at, why, reason = row
    return (
        f"{tag}: {value!r} of {both_zones(ts)} was {decision} by {decided_by} {both_zones(decided_at)}: {why} "
        f"(before: {reason})"
    )


def _change(row: Sequence[Any]) -> str:
    what, decided_at, superseded_at, value, upper, known, size, missing, result_ts, score = row
    span = f"decided {both_zones(decided_at)}, superseded {both_zones(superseded_at)}"
    if known is not None:
        was = f"SoS was {value!r}" if value is not None else f"SoS was unknown, at most {upper!r}"
        return f"{was} ({known} of {size} tags known; {span})"
    if missing is not None:
        code = missing.decode() if isinstance(missing, bytes) else missing
        return f"{what} was missing: {_MISSING[code]} ({span})"
    return f"{what} was {value!r} of {both_zones(result_ts)}, score {score!r} ({span})"
