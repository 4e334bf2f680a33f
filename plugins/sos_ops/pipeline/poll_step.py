"""One lane's step of the minute: opened by the database or by the buffer's catalogue, read, kept, stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sos_ops.buffer.buffer import Buffer, BufferRefusalError
from sos_ops.buffer.drain import Drained, drain
from sos_ops.clock import ClockSetting, Now, floor_minute, system_now
from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome, PollResult
from sos_ops.modbus.reader import poll_devices
from sos_ops.pipeline.lanes import POLL_WINDOW, DeviceRead, Lane, batch_of
from sos_ops.pipeline.poll_report import PollReport, doubtful_devices, outcome_lines
from sos_ops.store.clock import read_clock
from sos_ops.store.connection import Connect
from sos_ops.store.polling import PollBatch, PolledDevice, PollingCatalogue, read_catalogue, store_batch
from sos_ops.store.readings import (
    NOT_POLLED,
    DevicePoll,
    close_unpolled_minutes,
    lock_for_polls,
    polled_devices,
)

LEAST_DEADLINE_S = 1.0

TROUBLED_AFTER = timedelta(minutes=3)
"""A device that was asked and gave no complete or partial poll for so long is asked last, and briefly."""

DRAIN_BEFORE = timedelta(seconds=6)
"""Until so long after the minute older batches go first; the rest after the poll."""

DRAIN_UNTIL = timedelta(seconds=18)
LEAST_DRAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class _Opened:
    """How a step finds the world: by the database, or while that is away by what the last good minute knew."""

    catalogue: PollingCatalogue
    already: frozenset[int]
    drained: Drained = field(default_factory=Drained)


@dataclass(frozen=True)
class _Stored:
    """What storing came to: counts, and why the database did not take the batch, if it did not."""

    readings: int = 0
    closed: int = 0
    away: str | None = None


class PollStep:
    """One lane's step of the minute it begins in."""

    def __init__(self, connect: Connect, buffer: Buffer, lane: Lane) -> None:
        self._connect, self._buffer, self._lane = connect, buffer, lane
        self._setting: ClockSetting | None = None
        self._problems: list[str] = []

    def _now(self) -> datetime:
        assert self._setting is not None  # noqa: S101  # known before anything else is done
        return self._setting.at(system_now())

    def run(self, next_lane: Lane | None = None) -> PollReport:
        """Reads and stores; `next_lane` is whose gateways are counted for the report."""
        opened = self._open()
        began = self._now()
        minute = floor_minute(began)
        mine = [e for e in opened.catalogue.devices if self._lane.chooses(e.gateway, opened.catalogue)]
        todo = [entry for entry in mine if entry.device.device_id not in opened.already]
        if began - minute >= POLL_WINDOW:
            late = (
                f"the run began {(began - minute).total_seconds():.0f} s after the minute, too late to poll"
            )
            read = [DeviceRead(entry, _not_asked(entry, began, began, late)) for entry in todo]
        else:
            read = self._read(opened.catalogue, todo, minute, began)
        batch = batch_of(self._lane, minute, read, self._now())
        stored = self._store(batch)
        catalogue = opened.catalogue.after(batch)
        if self._lane.opens_the_minute or stored.away:
            self._save(catalogue)
        drained = opened.drained if stored.away else self._drain(opened.drained, minute + DRAIN_UNTIL)
        finished = {poll.device_id for poll in batch.polls}
        results = [poll.result for poll in batch.polls]
        return PollReport(
            minute=minute,
            complete=sum(result.outcome is PollOutcome.COMPLETE for result in results),
            partial=outcome_lines(results, PollOutcome.PARTIAL),
            failed=outcome_lines(results, PollOutcome.FAILED),
            doubtful=doubtful_devices(results),
            already=len(mine) - len(todo),
            readings=stored.readings,
            closed=stored.closed,
            slow_gateways=0
            if next_lane is None
            else self._to_do(next_lane, catalogue, opened.already | finished),
            unfinished=tuple(one.entry.device.name for one in read if one.poll.device_id not in finished),
            database_away=stored.away,
            kept=len(batch.polls) if stored.away else 0,
            waiting=self._buffer.state().minutes,
            drained=drained.files,
            problems=(*self._problems, *drained.problems),
        )

    def _open(self) -> _Opened:
        drained = Drained()
        try:
            if self._buffer.waiting():
                with self._connect() as connection:
                    self._setting = read_clock(connection)
                until = max(floor_minute(self._now()) + DRAIN_BEFORE, self._now() + LEAST_DRAIN)
                drained = self._drain(drained, until)
            with self._connect() as connection:
                self._setting = read_clock(connection)
                minute = floor_minute(self._now())
                catalogue = read_catalogue(connection, minute)
                already = polled_devices(connection, minute)
        except DatabaseUnavailableError as away:
            return self._open_without_database(away)
        return _Opened(catalogue, frozenset(already) | self._waiting(minute), drained)

    def _open_without_database(self, away: DatabaseUnavailableError) -> _Opened:
        try:
            catalogue = self._buffer.load_catalogue()
        except SosOpsError as error:
            raise DatabaseUnavailableError(f"{away}; nothing can be read meanwhile: {error}") from away
        self._setting = self._setting or catalogue.clock
        return _Opened(catalogue, self._waiting(floor_minute(self._now())))

    def _waiting(self, minute: datetime) -> frozenset[int]:
        return frozenset(self._buffer.devices_waiting(minute))

    def _read(
        self, catalogue: PollingCatalogue, todo: Sequence[PolledDevice], minute: datetime, began: datetime
    ) -> list[DeviceRead]:
        assert self._setting is not None  # noqa: S101  # known since the step was opened
        left = self._setting.real_seconds((minute + self._lane.read_until - began).total_seconds())
        readable = [entry for entry in todo if entry.map_id is not None]
        if self._lane.waits:
            readable = _troubled_last(readable, minute)
        jobs = [_job(catalogue, entry, minute, may_be_brief=not self._lane.waits) for entry in readable]
        results = poll_devices(jobs, max(LEAST_DEADLINE_S, left), self._now) if jobs else []
        read = [
            DeviceRead(entry, DevicePoll(entry.device.device_id, entry.map_id, result))
            for entry, result in zip(readable, results, strict=True)
        ]
        unreadable = [entry for entry in todo if entry.map_id is None]
        now: Now = self._now
        return read + [
            DeviceRead(entry, _not_asked(entry, began, now(), entry.problem or "no map"))
            for entry in unreadable
        ]

    def _store(self, batch: PollBatch) -> _Stored:
        """Keeps the batch on disk, then stores it and takes it off the disk: whatever dies when, it is not lost."""
        kept, trouble = None, None
        if not batch.is_empty:
            try:
                kept = self._buffer.keep(batch, self._lane.name)
            except BufferRefusalError as error:
                trouble = error
                self._problems.append(str(error))
        try:
            closed, readings = self._write(batch)
        except DatabaseUnavailableError as away:
            if trouble is not None:
                lost = f"{len(batch.polls)} devices read and lost: {away}; {trouble}"
                raise BufferRefusalError(lost) from away
            return _Stored(away=str(away))
        if kept is not None:
            self._buffer.remove(kept)
        return _Stored(readings, closed)

    def _write(self, batch: PollBatch) -> tuple[int, int]:
        if batch.is_empty and not self._lane.opens_the_minute:
            return 0, 0
        with self._connect() as connection:
            closed = 0
            if self._lane.opens_the_minute:
                lock_for_polls(connection)
                closed = close_unpolled_minutes(connection, batch.minute, NOT_POLLED)
            return closed, store_batch(connection, batch)

    def _save(self, catalogue: PollingCatalogue) -> None:
        try:
            self._buffer.save_catalogue(catalogue)
        except OSError as error:
            self._problems.append(
                f"{self._buffer.folder} cannot be written ({error.strerror or error}): nothing could be read while the "
                "database is away; make room, or mend its rights"
            )

    def _drain(self, before: Drained, until: datetime) -> Drained:
        if not self._buffer.waiting():
            return before
        try:
            now = drain(self._connect, self._buffer, lambda: self._now() < until)
        except DatabaseUnavailableError:
            return before  # what waits waits on; whoever needs the database next says that it is away
        return Drained(
            before.files + now.files, before.readings + now.readings, before.problems + now.problems
        )

    def _to_do(self, lane: Lane, catalogue: PollingCatalogue, done: Collection[int]) -> int:
        return len(
            {
                entry.gateway
                for entry in catalogue.devices
                if entry.device.device_id not in done and lane.chooses(entry.gateway, catalogue)
            }
        )


def _job(
    catalogue: PollingCatalogue, entry: PolledDevice, minute: datetime, *, may_be_brief: bool
) -> DeviceJob:
    assert entry.map_id is not None  # noqa: S101  # only such devices are read
    device = entry.device
    return DeviceJob(
        DeviceAddress(device.name, device.host, device.port, device.unit_id),
        catalogue.maps[entry.map_id],
        entry.quarantined,
        troubled=may_be_brief and _is_troubled(entry, minute),
    )


def _is_troubled(entry: PolledDevice, minute: datetime) -> bool:
    """Minutes in which nobody asked it say nothing of a device."""
    asked = entry.last_tried is not None and minute - entry.last_tried <= TROUBLED_AFTER
    return asked and minute - (entry.last_good or entry.device.created_at) > TROUBLED_AFTER


def _troubled_last(entries: Sequence[PolledDevice], minute: datetime) -> list[PolledDevice]:
    """A lane that waits for slow devices is brief with none: a slow one would be taken for a dead one.

    Those that have been silent still come last, and every minute another one first among them: there may not be time
    for all.
    """
    healthy = [entry for entry in entries if not _is_troubled(entry, minute)]
    troubled = [entry for entry in entries if _is_troubled(entry, minute)]
    first = int(minute.timestamp() // 60) % (len(troubled) or 1)
    return healthy + troubled[first:] + troubled[:first]


def _not_asked(entry: PolledDevice, began: datetime, ended: datetime, reason: str) -> DevicePoll:
    """A failed poll of a device that nobody asked: it has no map, so that the minute is not held against it."""
    result = PollResult(entry.device.name, began, ended, PollOutcome.FAILED, None, reason, ())
    return DevicePoll(entry.device.device_id, None, result)
