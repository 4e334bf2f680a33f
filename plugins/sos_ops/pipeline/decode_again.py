"""Decoding kept raw registers again, with their device's map as it is now: how a wrong scale factor is mended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

from sos_ops.clock import MINUTE
from sos_ops.errors import SosOpsError
from sos_ops.modbus.decode import Judged, decoder_of
from sos_ops.modbus.poll import PointReading, RawBlock
from sos_ops.modbus.protocol_map import Point, ProtocolMap
from sos_ops.pipeline.analyse import analyse_day
from sos_ops.store.connection import Connect, Connection
from sos_ops.store.maps import StoredMap, maps_by_id, newest_map
from sos_ops.store.raw_registers import (
    DecodedMinute,
    PointChange,
    RawMinute,
    Span,
    compare_readings,
    count_raw_minutes,
    device_ids_named,
    map_names_of,
    raw_minutes,
    replace_readings,
)
from sos_ops.store.results import count_set_aside


@dataclass
class DecodeReport:
    """What decoding a span again came to, or (`dry_run`) would come to.

    Attributes:
        dry_run: True when nothing was written.
        device_minutes: device minutes with raw registers.
        points: by point, how its readings differ.
        minutes: minutes whose readings changed.
        results: results the engines gave of those minutes.
        set_aside: results among them that differ from one that counted already: that one stays.
        failures: engines that failed over those minutes; they are asked again by the next run.
    """

    dry_run: bool
    device_minutes: int = 0
    points: dict[str, PointChange] = field(default_factory=dict)
    minutes: int = 0
    results: int = 0
    set_aside: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Readings that differ from those that stood."""
        return sum(change.changed for change in self.points.values())

    @property
    def added(self) -> int:
        """Readings of points that had none."""
        return sum(change.added for change in self.points.values())

    @property
    def lost(self) -> list[str]:
        """Points of which readings stood, or ought to, that the maps as they are now do not give: a line each."""
        no_values = "would be no values" if self.dry_run else "are no values now"
        removed = "would be removed" if self.dry_run else "removed"
        lines: list[str] = []
        for change in sorted(self.points.values(), key=lambda c: c.point):
            if change.not_decodable:
                count = f"{change.not_decodable} readings {no_values}"
                lines.append(f"{change.point}: cannot be decoded from what was read ({count})")
            if change.removed:
                lines.append(f"{change.point}: no longer in the map ({change.removed} readings {removed})")
        return lines

    def lines(self) -> list[str]:
        """What was done, a line each; the points are for a table."""
        would = "would be " if self.dry_run else ""
        lines = [
            f"{self.device_minutes} device minutes with raw registers decoded with the newest maps: {self.changed} "
            f"readings {would}replaced, {self.added} {would}added",
            *self.lost,
        ]
        if self.dry_run or not self.minutes:
            return lines
        lines.append(f"{self.minutes} minutes analysed again: {self.results} results offered")
        if self.set_aside:
            lines.append(
                f"{self.set_aside} results differ from those that counted already and were set aside: the first to "
                "arrive stays, so SoS of these minutes does not change"
            )
        return lines + [f"failed: {line}" for line in self.failures]


def decode_again(
    connect: Connect,
    first: datetime,
    until: datetime,
    *,
    device: str | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> DecodeReport:
    """Decodes the raw registers of minutes in [first, until] with the newest version of the map their device has now.

    Readings that differ are replaced, and kept as revisions with when and who; engines analyse those minutes again.
    What came from registers where the map has the point no more does not stand: it becomes no value where the map has
    the point elsewhere and nobody read that, and is removed where the map does not have the point.
    Each portion is a transaction of its own: ended half-way it can be started again; twice changes nothing.

    Args:
        connect: opens a connection; its actor is who decoded.
        first: a minute mark.
        until: a minute mark, not before `first`.
        device: only the device of this name.
        dry_run: only says what would change.
        progress: is told after each portion how many device minutes are done, and of how many.

    Raises:
        UnknownNameError: there is no such device.
        SosOpsError: `until` lies before `first`.
    """
    if until < first:
        raise SosOpsError(f"{until:%Y-%m-%d %H:%M} lies before {first:%Y-%m-%d %H:%M}: swap them")
    with connect() as connection:
        ids = None if device is None else device_ids_named(connection, device)
        total = count_raw_minutes(connection, Span(first, until, ids))
    report = DecodeReport(dry_run)
    for day in _days(Span(first, until, ids)):
        changed = _decode_day(connect, day, report, lambda done: progress(done, total))
        if changed and not dry_run:
            _analyse(connect, day, report)
    return report


def _days(span: Span) -> Iterator[Span]:
    start = span.first
    while start <= span.until:
        midnight = datetime.combine(start.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
        yield replace(span, first=start, until=min(midnight - MINUTE, span.until))
        start = midnight


def _decode_day(connect: Connect, day: Span, report: DecodeReport, progress: Callable[[int], None]) -> int:
    after: tuple[datetime, int] | None = None
    changed: set[datetime] = set()
    while True:
        with connect() as connection:
            portion = raw_minutes(connection, day, after=after)
            if not portion:
                break
            decoded = _decode(connection, portion)
            changes = compare_readings(connection, decoded)
            if changes and not report.dry_run:
                changed |= set(replace_readings(connection, decoded))
        report.device_minutes += len(portion)
        for change in changes:
            report.points[change.point] = _sum(report.points.get(change.point), change)
        after = (portion[-1].minute, portion[-1].device_id)
        progress(report.device_minutes)
    report.minutes += len(changed)
    return len(changed)


def _sum(before: PointChange | None, change: PointChange) -> PointChange:
    if before is None:
        return change
    largest = [size for size in (before.largest, change.largest) if size is not None]
    return PointChange(
        before.point,
        before.changed + change.changed,
        before.added + change.added,
        before.not_decodable + change.not_decodable,
        before.removed + change.removed,
        max(largest, default=None),
        before.before if before.before is not None else change.before,
        before.after if before.before is not None else change.after,
    )


def _decode(connection: Connection, portion: Sequence[RawMinute]) -> list[DecodedMinute]:
    used = maps_by_id(connection, {raw.map_id for raw in portion})
    names = map_names_of(connection, {raw.device_id for raw in portion})
    decoders = {name: _Decoder(newest_map(connection, name)) for name in set(names.values())}
    known = {map_id: frozenset(point.name for point in its_map.points) for map_id, its_map in used.items()}
    return [decoders[names[raw.device_id]].decode(raw, known[raw.map_id]) for raw in portion]


_Found = tuple[Point, int, Callable[[Sequence[int], int], Judged]]
"""A point of a block: where in it the point begins, and how it is decoded from there."""


class _Decoder:
    """Finds the points of a map in raw blocks; what it found in a block is remembered for the next of its kind."""

    def __init__(self, stored: StoredMap) -> None:
        self._stored = stored
        self._inside: dict[tuple[str, int, int], list[_Found]] = {}

    def decode(self, raw: RawMinute, known: Collection[str]) -> DecodedMinute:
        """Every point whose registers lie in one of the blocks, and which do not; `known` are those of the map then."""
        points = {point.point: point for block in raw.blocks for point in self._points(block)}
        missing = [point.name for point in self._stored.protocol_map.points if point.name not in points]
        return DecodedMinute(
            raw.minute,
            raw.device_id,
            self._stored.map_id,
            tuple(points.values()),
            undecodable=tuple(name for name in missing if name not in known),
            unread=tuple(name for name in missing if name in known),
            read_at=max(block.read_at for block in raw.blocks),
        )

    def _points(self, block: RawBlock) -> Iterator[PointReading]:
        key = (block.function.value, block.start, len(block.registers))
        if key not in self._inside:
            self._inside[key] = _points_inside(self._stored.protocol_map, block)
        for point, offset, decode in self._inside[key]:
            judged = decode(block.registers, offset)
            yield PointReading(
                point.name, judged.value, judged.suspect_value, judged.quality, point.unit, block.read_at, judged.text
            )  # fmt: skip


def _points_inside(protocol_map: ProtocolMap, block: RawBlock) -> list[_Found]:
    inside: list[_Found] = []
    for point in protocol_map.points:
        where = protocol_map.registers_of(point)
        offset = where.start - block.start
        if where.function is block.function and 0 <= offset <= len(block.registers) - where.count:
            inside.append((point, offset, decoder_of(point)))
    return inside


def _analyse(connect: Connect, day: Span, report: DecodeReport) -> None:
    with connect() as connection:
        before = count_set_aside(connection, day.first, day.until)
    analysis = analyse_day(connect, datetime.combine(day.first.astimezone(UTC).date(), time(), tzinfo=UTC))
    report.results += analysis.results
    with connect() as connection:
        report.set_aside += count_set_aside(connection, day.first, day.until) - before
    report.failures += analysis.failures
