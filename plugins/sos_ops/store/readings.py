"""Poll outcomes, readings and raw registers: what devices said, minute by minute."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg import Cursor

from sos_ops.modbus.poll import PollOutcome, PollResult, RawBlock
from sos_ops.store import sql
from sos_ops.store.connection import Connection

if TYPE_CHECKING:
    import pandas as pd

READING_COLUMNS = ["minute", "device", "site", "point", "value", "quality", "read_at"]

NOT_POLLED = "no run polled this minute"


@dataclass(frozen=True)
class DevicePoll:
    """The outcome of one device's minute, ready to be stored; `map_id` is None where the device was not asked."""

    device_id: int
    map_id: int | None
    result: PollResult


def lock_for_polls(connection: Connection) -> None:
    """Makes this transaction the only one that stores polls, until it ends: whoever else wants to waits.

    Raises:
        SosOpsError: another session kept it for 15 s.
    """
    connection.execute(sql.load("lock_for_polls"))


def polled_devices(connection: Connection, minute: datetime) -> set[int]:
    """Ids of the devices that already have an outcome at this minute."""
    return {int(row[0]) for row in connection.execute(sql.load("select_polled_devices"), {"minute": minute})}


def store_polls(connection: Connection, minute: datetime, polls: Sequence[DevicePoll]) -> int:
    """Stores outcomes, readings and raw registers of a minute; where a device has an outcome already, that one stays.

    Minutes before it that have none become failed, and gaps that were closed over it are opened: whatever the order in
    which polls are stored, every minute of a device up to its newest has exactly one outcome. The transaction must
    hold the lock of `lock_for_polls`.

    Returns:
        The number of readings stored.
    """
    if not polls:
        return 0
    day = minute.astimezone(UTC).date()
    connection.execute("select sos_ops.ensure_days(%s, %s)", (day, day))
    point_ids = point_ids_of(connection, {p.point for poll in polls for p in poll.result.points})
    device_ids = [poll.device_id for poll in polls]
    connection.execute(sql.load("reopen_minute"), {"minute": minute, "device_ids": device_ids})
    close_unpolled_minutes(connection, minute, NOT_POLLED, device_ids=device_ids)
    new = _insert_outcomes(connection, minute, polls)
    fresh = [poll for poll in polls if poll.device_id in new]
    with connection.cursor() as cursor:
        stored = _copy_readings(cursor, minute, fresh, point_ids)
        _copy_raw_blocks(cursor, minute, fresh)
    if any(poll.result.outcome is not PollOutcome.FAILED for poll in fresh):
        readings_changed(connection, [minute])
    elif fresh:
        _no_longer_pending(connection, minute, minute)
    return stored


def _insert_outcomes(connection: Connection, minute: datetime, polls: Sequence[DevicePoll]) -> set[int]:
    parameters = {
        "minute": minute,
        "device_ids": [poll.device_id for poll in polls],
        "began_at": [poll.result.began_at for poll in polls],
        "ended_at": [poll.result.ended_at for poll in polls],
        "outcomes": [poll.result.outcome.value for poll in polls],
        "reasons": [poll.result.reason for poll in polls],
        "map_ids": [poll.map_id for poll in polls],
    }
    return {int(row[0]) for row in connection.execute(sql.load("insert_polls"), parameters)}


def _copy_readings(
    cursor: Cursor[tuple[object, ...]],
    minute: datetime,
    polls: Iterable[DevicePoll],
    point_ids: Mapping[str, int],
) -> int:
    stored = 0
    with cursor.copy(sql.load("copy_readings_in")) as copy:
        for poll in polls:
            for p in poll.result.points:
                row = (poll.device_id, point_ids[p.point], p.read_at, p.value, p.suspect_value, p.quality)
                copy.write_row((minute, *row, storable_text(p.text)))
                stored += 1
    return stored


def _copy_raw_blocks(
    cursor: Cursor[tuple[object, ...]], minute: datetime, polls: Iterable[DevicePoll]
) -> None:
    with cursor.copy(sql.load("copy_raw_blocks_in")) as copy:
        for poll in polls:
            for block in _once_each(poll.result.raw) if poll.map_id is not None else ():
                where = (
                    minute,
                    block.read_at,
                    poll.device_id,
                    poll.map_id,
                    block.start,
                    block.function.value,
                )
                copy.write_row((*where, to_bytes(block.registers)))


def _once_each(blocks: Iterable[RawBlock]) -> list[RawBlock]:
    """Registers read twice in a poll (a check of one in quarantine, a repeat) are kept from the longest answer."""
    longest: dict[tuple[str, int], RawBlock] = {}
    for block in blocks:
        key = (block.function.value, block.start)
        if key not in longest or len(block.registers) >= len(longest[key].registers):
            longest[key] = block
    return list(longest.values())


def to_bytes(registers: Sequence[int]) -> bytes:
    """Registers as they are stored: two bytes each, big-endian, as on the wire."""
    return struct.pack(f">{len(registers)}H", *registers)


def from_bytes(data: bytes) -> tuple[int, ...]:
    """The inverse of `to_bytes`."""
    return struct.unpack(f">{len(data) // 2}H", data)


def storable_text(text: str | None) -> str | None:
    """A text without what PostgreSQL cannot hold: zero bytes, and halves of characters."""
    if text is None:
        return None
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def point_ids_of(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The id of every point by name; of these names, new ones are given one."""
    known = {str(name): int(point_id) for name, point_id in connection.execute(sql.load("select_points"))}
    new = set(names) - known.keys()
    if not new:
        return known
    connection.execute(sql.load("insert_points"), {"names": sorted(new)})
    return {str(name): int(point_id) for name, point_id in connection.execute(sql.load("select_points"))}


def close_unpolled_minutes(
    connection: Connection, before: datetime, reason: str, *, device_ids: Collection[int] | None = None
) -> int:
    """Gives devices' minutes before this one that have no outcome a failed one, with the reason.

    Args:
        connection: an open transaction that holds the lock of `lock_for_polls`.
        before: a minute mark.
        reason: why they have none.
        device_ids: of these devices; default: of all that are not retired.

    Returns:
        The number of device minutes closed.
    """
    ids = None if device_ids is None else sorted(device_ids)
    rows = connection.execute(
        sql.load("close_unpolled_minutes"), {"minute": before, "reason": reason, "device_ids": ids}
    ).fetchall()
    if rows:
        _no_longer_pending(connection, min(row[1] for row in rows), max(row[2] for row in rows))
    return sum(int((last - first).total_seconds()) // 60 + 1 for _, first, last in rows)


def readings_changed(connection: Connection, minutes: Collection[datetime]) -> None:
    """Records that readings of these minutes came or changed: every engine looks at them again."""
    connection.execute(sql.load("update_read_minutes"), {"minutes": sorted(minutes)})


def _no_longer_pending(connection: Connection, first: datetime, last: datetime) -> None:
    connection.execute(sql.load("update_read_span"), {"first": first, "last": last})


@dataclass(frozen=True)
class ReadMinute:
    """A minute that brought readings, and how often they had changed when it was looked up."""

    minute: datetime
    changes: int


def unanalysed_minutes(
    connection: Connection,
    engine: str,
    *,
    first: datetime,
    until: datetime,
    most: int,
    changed_since: datetime | None = None,
) -> list[ReadMinute]:
    """Minutes whose readings the engine has not seen as they are now, newest first.

    Args:
        connection: an open transaction.
        engine: its name.
        first: the first minute.
        until: the last minute.
        most: how many at most.
        changed_since: only minutes whose readings came or changed since.
    """
    parameters = {
        "engine": engine,
        "first": first,
        "until": until,
        "most": most,
        "changed_since": changed_since,
    }
    return [ReadMinute(*row) for row in connection.execute(sql.load("select_unanalysed_minutes"), parameters)]


def readings_of(connection: Connection, minutes: Sequence[datetime]) -> pd.DataFrame:
    """Readings of these minutes, one row a point; see `Engine.analyse` for what was not read.

    Returns:
        Columns `READING_COLUMNS`; value in the point's unit, NaN where there is none; times in UTC.
    """
    import pandas as pd  # takes half a second, and most commands that come by here need none

    rows = connection.execute(sql.load("select_readings"), {"minutes": list(minutes)}).fetchall()
    frame = pd.DataFrame(rows, columns=READING_COLUMNS)
    return frame.astype({"value": "float64"})


def mark_analysed(connection: Connection, engine: str, minutes: Sequence[ReadMinute]) -> None:
    """Records that the engine has analysed these minutes, as they were when they were looked up."""
    parameters = {
        "engine": engine,
        "minutes": [m.minute for m in minutes],
        "changes": [m.changes for m in minutes],
    }
    connection.execute(sql.load("insert_analysed"), parameters)
