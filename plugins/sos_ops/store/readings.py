"""Poll outcomes and readings: what devices said, minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from sos_ops.modbus.poll import PollResult
from sos_ops.store import sql
from sos_ops.store.connection import Connection

READING_COLUMNS = ["minute", "device", "site", "point", "value", "quality", "read_at"]


@dataclass(frozen=True)
class DevicePoll:
    """The outcome of one device's minute, ready to be stored."""

    device_id: int
    result: PollResult


def polled_devices(connection: Connection, minute: datetime) -> set[int]:
    """Ids of the devices that already have an outcome at this minute."""
    return {int(row[0]) for row in connection.execute(sql.load("select_polled_devices"), {"minute": minute})}


def store_polls(connection: Connection, minute: datetime, polls: Sequence[DevicePoll]) -> int:
    """Stores outcomes and readings of a minute; where a device has an outcome already, the first one stays.

    Returns:
        The number of readings stored.
    """
    day = minute.date()
    connection.execute("select sos_ops.ensure_days(%s, %s)", (day, day))
    point_ids = _point_ids(connection, {p.point for poll in polls for p in poll.result.points})
    stored = 0
    with connection.cursor() as cursor:
        fresh = [poll for poll in polls if _is_first(connection, minute, poll)]
        with cursor.copy(sql.load("copy_readings_in")) as copy:
            for poll in fresh:
                for p in poll.result.points:
                    copy.write_row(
                        (
                            minute,
                            poll.device_id,
                            point_ids[p.point],
                            p.read_at,
                            p.value,
                            p.suspect_value,
                            p.quality,
                        )
                    )
                    stored += 1
    return stored


def _is_first(connection: Connection, minute: datetime, poll: DevicePoll) -> bool:
    parameters = {
        "minute": minute,
        "device_id": poll.device_id,
        "began_at": poll.result.began_at,
        "ended_at": poll.result.ended_at,
        "outcome": poll.result.outcome.value,
        "reason": poll.result.reason,
    }
    connection.execute(sql.load("reopen_minute"), {"minute": minute, "device_id": poll.device_id})
    return connection.execute(sql.load("insert_poll"), parameters).fetchone() is not None


def _point_ids(connection: Connection, names: set[str]) -> dict[str, int]:
    known = {str(name): int(point_id) for name, point_id in connection.execute(sql.load("select_points"))}
    if names <= known.keys():
        return known
    connection.execute(sql.load("insert_points"), {"names": sorted(names - known.keys())})
    return {str(name): int(point_id) for name, point_id in connection.execute(sql.load("select_points"))}


def close_unpolled_minutes(connection: Connection, before: datetime, reason: str) -> int:
    """Gives every device's minutes before this one that have no outcome a failed one, with the reason.

    Returns:
        The number of device minutes closed.
    """
    rows = connection.execute(
        sql.load("close_unpolled_minutes"), {"minute": before, "reason": reason}
    ).fetchall()
    return sum(int((last - first).total_seconds()) // 60 + 1 for _, first, last in rows)


def unanalysed_minutes(
    connection: Connection, engine: str, *, since: datetime, until: datetime, most: int
) -> list[datetime]:
    """Minutes that brought readings which the engine has not analysed yet, newest first."""
    parameters = {"engine": engine, "since": since, "until": until, "most": most}
    return [row[0] for row in connection.execute(sql.load("select_unanalysed_minutes"), parameters)]


def readings_of(connection: Connection, minutes: Sequence[datetime]) -> pd.DataFrame:
    """Readings of these minutes, one row a point; a device not read completely has one more row, with no point.

    Returns:
        Columns `READING_COLUMNS`; value in the point's unit, NaN where there is none; times in UTC.
    """
    rows = connection.execute(sql.load("select_readings"), {"minutes": list(minutes)}).fetchall()
    frame = pd.DataFrame(rows, columns=READING_COLUMNS)
    return frame.astype({"value": "float64"})


def mark_analysed(connection: Connection, engine: str, minutes: Sequence[datetime]) -> None:
    """Records that the engine has analysed these minutes."""
    connection.execute(sql.load("insert_analysed"), {"engine": engine, "minutes": list(minutes)})
