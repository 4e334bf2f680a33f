"""Raw registers as they are kept, and readings that were decoded from them again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from sos_ops.errors import UnknownNameError
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.poll import PointReading, RawBlock
from sos_ops.modbus.protocol_map import ReadFunction
from sos_ops.store import sql
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.readings import from_bytes, point_ids_of, readings_changed, storable_text

BLOCKS_AT_ONCE = 2000
"""Bound on the raw blocks held in memory at a time; at most 125 registers each."""


@dataclass(frozen=True)
class Span:
    """Minutes from `first` to `until`, both included; of these devices only, unless None."""

    first: datetime
    until: datetime
    device_ids: tuple[int, ...] | None = None


class RawMinute(NamedTuple):
    """What a device's minute was read from, and with which map it was decoded then."""

    minute: datetime
    device_id: int
    map_id: int
    blocks: tuple[RawBlock, ...]


def device_ids_named(connection: Connection, name: str) -> tuple[int, ...]:
    """Ids of the devices of this name, in use or retired.

    Raises:
        UnknownNameError: there was never one.
    """
    ids = tuple(int(row[0]) for row in connection.execute(sql.load("select_device_ids"), {"name": name}))
    if not ids:
        raise UnknownNameError(f"no device {name!r}: `sos-ops device list` shows those that are polled")
    return ids


def map_names_of(connection: Connection, device_ids: Collection[int]) -> dict[int, str]:
    """The name of the map that each of these devices has now, in use or retired."""
    rows = connection.execute(sql.load("select_maps_of_devices"), {"device_ids": sorted(device_ids)})
    return {int(row[0]): str(row[1]) for row in rows}


def count_raw_minutes(connection: Connection, span: Span) -> int:
    """How many device minutes of a span have raw registers."""
    row = connection.execute(sql.load("count_raw_minutes"), _parameters(span)).fetchone()
    return int(row[0]) if row else 0


def raw_minutes(connection: Connection, span: Span, *, after: tuple[datetime, int] | None) -> list[RawMinute]:
    """The next device minutes of a span, by minute and device; empty at its end.

    Args:
        connection: a connection.
        span: which.
        after: the minute and device id of the last one seen.
    """
    after_minute, after_device = after or (span.first - timedelta(minutes=1), 0)
    position = {"after_minute": after_minute, "after_device": after_device, "most": BLOCKS_AT_ONCE}
    rows = connection.execute(sql.load("select_raw_span"), {**_parameters(span), **position}).fetchall()
    found = list(_grouped(rows))
    # The last one may go on beyond the limit: it comes whole with the next ones, unless it is all there is.
    return found[:-1] if len(rows) == BLOCKS_AT_ONCE and len(found) > 1 else found


def _grouped(rows: Iterable[Sequence[Any]]) -> Iterator[RawMinute]:
    for (minute, device_id, map_id), blocks in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        yield RawMinute(
            minute,
            device_id,
            map_id,
            tuple(
                RawBlock(ReadFunction(function), start, from_bytes(registers), read_at)
                for _, _, _, function, start, registers, read_at in blocks
            ),
        )


def _parameters(span: Span) -> dict[str, object]:
    return {
        "first": span.first,
        "until": span.until,
        "device_ids": None if span.device_ids is None else list(span.device_ids),
    }


class DecodedMinute(NamedTuple):
    """A device's minute decoded again: each point of the map of that id is in one of the three.

    Attributes:
        minute: its minute.
        device_id: its device.
        map_id: the map it was decoded with.
        points: those whose registers were read.
        undecodable: those whose registers were not read, and that the map it was read with did not have: an engine
            is to see that the device measures them and that there is no value.
        unread: those whose registers were not read, and that the map it was read with had: what stands of them came
            from other registers. Where nothing stands, the poll's outcome says already that they were not read.
        read_at: when the last of its registers were read.
    """

    minute: datetime
    device_id: int
    map_id: int
    points: tuple[PointReading, ...]
    undecodable: tuple[str, ...]
    unread: tuple[str, ...]
    read_at: datetime


@dataclass(frozen=True)
class PointChange:
    """How the readings of a point differ from those that stand.

    Attributes:
        point: its name.
        changed: readings that differ.
        added: readings that there were none of.
        not_decodable: readings that are no values now: their registers were not read.
        removed: readings of a point that the map no longer has.
        largest: by how much a value changes at most; None where it is not a matter of numbers.
        before: the first that differs, as it stands.
        after: the same, decoded again.
    """

    point: str
    changed: int
    added: int
    not_decodable: int
    removed: int
    largest: float | None
    before: str | None
    after: str | None


def compare_readings(connection: Connection, decoded: Sequence[DecodedMinute]) -> list[PointChange]:
    """How these differ from the readings that stand, by point. They wait in the transaction for `replace_readings`."""
    names = {point.point for minute in decoded for point in minute.points}
    names.update(name for minute in decoded for name in (*minute.undecodable, *minute.unread))
    ids = point_ids_of(connection, names)
    connection.execute(sql.load("create_staged_readings"))
    with connection.cursor() as cursor, cursor.copy(sql.load("copy_staged_readings_in")) as copy:
        for one in decoded:
            for p in one.points:
                row = (ids[p.point], p.read_at, p.value, p.suspect_value, p.quality, storable_text(p.text))
                copy.write_row((one.minute, one.device_id, *row, one.map_id, False))
            for missing, only_over_standing in ((one.undecodable, False), (one.unread, True)):
                for name in missing:
                    row = (ids[name], one.read_at, None, None, Quality.NOT_DECODABLE, None)
                    copy.write_row((one.minute, one.device_id, *row, one.map_id, only_over_standing))
    bounds = _bounds(decoded)
    connection.execute(sql.load("complete_staged_readings"), bounds)
    rows = connection.execute(sql.load("compare_staged_readings"), bounds)
    return [PointChange(*row) for row in rows]


def replace_readings(connection: Connection, decoded: Sequence[DecodedMinute]) -> list[datetime]:
    """Replaces the readings that differ from what `compare_readings` was given; the old ones stay as revisions.

    Returns:
        The minutes that changed: the engines look at them again.
    """
    parameters = {**_bounds(decoded), "at": now(connection)}
    minutes = [row[0] for row in connection.execute(sql.load("merge_staged_readings"), parameters)]
    if minutes:
        readings_changed(connection, minutes)
    return minutes


def _bounds(decoded: Sequence[DecodedMinute]) -> dict[str, datetime]:
    return {"first": min(one.minute for one in decoded), "until": max(one.minute for one in decoded)}


def raw_days(connection: Connection) -> list[date]:
    """UTC days that raw registers are kept of, oldest first."""
    return [row[0] for row in connection.execute(sql.load("select_raw_days"))]


def drop_raw_day(connection: Connection, day: date) -> bool:
    """Drops a UTC day of raw registers, as a whole.

    Returns:
        False when polls being stored were in the way for 2 s: later is as good.
    """
    try:
        connection.execute("select sos_ops.drop_raw_day(%s)", (day,))
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        return False
    return True
