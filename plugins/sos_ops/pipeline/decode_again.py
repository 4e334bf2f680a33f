"""Decoding kept raw registers again, with the newest version of their map: how a wrong scale factor is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    def lines(self) -> list[str]:
        """What was done, a line each; the points are for a table."""
        would = "would be " if self.dry_run else ""
        lines = [
            f"{self.device_minutes} device minutes with raw registers decoded with the newest maps: {self.changed} "
            f"readings {would}replaced, {self.added} {would}added"
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
    """Decodes the raw registers of minutes in [first, until] with the newest version of the map they were read with.

    Readings that differ are replaced, and kept as revisions with when and who; engines analyse those minutes again.
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
        max(largest, default=None),
        before.before if before.before is not None else change.before,
        before.after if before.before is not None else change.after,
    )


def _decode(connection: Connection, portion: Sequence[RawMinute]) -> list[DecodedMinute]:
    used = maps_by_id(connection, {raw.map_id for raw in portion})
    newest = {name: newest_map(connection, name) for name in {its_map.name for its_map in used.values()}}
    decoders = {name: _Decoder(stored) for name, stored in newest.items()}
    return [decoders[used[raw.map_id].name].decode(raw) for raw in portion]


_Found = tuple[Point, int, Callable[[Sequence[int], int], Judged]]
"""A point of a block: where in it the point begins, and how it is decoded from there."""


class _Decoder:
    """Finds the points of a map in raw blocks; what it found in a block is remembered for the next of its kind."""

    def __init__(self, stored: StoredMap) -> None:
        self._stored = stored
        self._inside: dict[tuple[str, int, int], list[_Found]] = {}

    def decode(self, raw: RawMinute) -> DecodedMinute:
        """Every point whose registers lie in one of the blocks."""
        points = {point.point: point for block in raw.blocks for point in self._points(block)}
        return DecodedMinute(raw.minute, raw.device_id, self._stored.map_id, tuple(points.values()))

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
