"""Readings that are not good: what a device said that was set aside, or counts and is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sos_ops.modbus.decode import Quality
from sos_ops.store import sql
from sos_ops.store.connection import Connection
from sos_ops.store.maps import maps_by_id

_WORDS = {
    Quality.IMPLAUSIBLE_DANGEROUS: "implausible, counts",
    Quality.IMPLAUSIBLE_SAFE: "implausible, set aside",
    Quality.NOT_FINITE: "not finite, set aside",
    Quality.NOT_TEXT: "no text, set aside",
}


@dataclass(frozen=True)
class DoubtfulReading:
    """A reading that is not good: in `unit`, the value that counts or the one that was set aside, if it is a number."""

    point: str
    value: float | None
    suspect_value: float | None
    unit: str
    quality: Quality

    def __str__(self) -> str:
        number = self.suspect_value if self.value is None else self.value
        said = "" if number is None else f" {number:g}" + (f" {self.unit}" if self.unit else "")
        words = _WORDS.get(self.quality, f"{self.quality.replace('_', ' ')}, no value")
        return f"{self.point}{said} ({words})"


@dataclass(frozen=True)
class Doubts:
    """Of one device's minute: doubtful readings, set aside ones first, and how many points it does not implement."""

    readings: tuple[DoubtfulReading, ...] = ()
    not_implemented: int = 0


def doubts(connection: Connection, minutes: Mapping[int, datetime]) -> dict[int, Doubts]:
    """What is doubtful of each of these devices (by id) at its own minute; devices without doubts are left out."""
    parameters = {"device_ids": list(minutes), "minutes": list(minutes.values())}
    rows = connection.execute(sql.load("select_doubtful_readings"), parameters).fetchall()
    maps = maps_by_id(connection, {row[5] for row in rows if row[1] is not None and row[5] is not None})
    units = {map_id: {p.name: p.unit for p in its_map.points} for map_id, its_map in maps.items()}
    readings: dict[int, list[DoubtfulReading]] = {}
    not_implemented: dict[int, int] = {}
    for device_id, point, value, suspect_value, quality, map_id, count in rows:
        if point is None:
            not_implemented[device_id] = count
        else:
            unit = units.get(map_id, {}).get(point, "")
            reading = DoubtfulReading(point, value, suspect_value, unit, Quality(quality))
            readings.setdefault(device_id, []).append(reading)
    return {
        device_id: Doubts(tuple(readings.get(device_id, ())), not_implemented.get(device_id, 0))
        for device_id in {*readings, *not_implemented}
    }


def first_few(lines: Sequence[str], most: int) -> str:
    """The first of them after each other, and how many more there are."""
    more = len(lines) - most
    return ", ".join(lines[:most]) + (f" and {more} more" if more > 0 else "")
