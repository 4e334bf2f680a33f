"""Polling: every device once a minute, its readings and its outcome stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sos_ops.clock import Now, floor_minute, system_now
from sos_ops.errors import SosOpsError
from sos_ops.modbus.poll import DeviceAddress, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map
from sos_ops.modbus.reader import poll_devices
from sos_ops.store.clock import read_clock
from sos_ops.store.connection import Connection
from sos_ops.store.devices import Device, devices
from sos_ops.store.readings import DevicePoll, close_unpolled_minutes, polled_devices, store_polls

Connect = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection whose transaction commits when the block ends."""

POLL_WINDOW = timedelta(seconds=30)
"""A poll begun this long after a minute no longer belongs to it."""

READ_UNTIL = timedelta(seconds=17)
"""Reading ends this long after the minute, whatever is still being read: scoring begins by 20 s."""

LEAST_DEADLINE_S = 1.0


@dataclass(frozen=True)
class PollReport:
    """What polling a minute came to."""

    minute: datetime
    complete: int
    partial: tuple[str, ...]
    failed: tuple[str, ...]
    already: int
    readings: int
    closed: int

    @property
    def nothing_read(self) -> bool:
        """True when devices were to be read and none answered."""
        return bool(self.failed) and not self.complete and not self.partial

    def line(self) -> str:
        """One line for the person on call: counts, then every device that was not read completely, and why."""
        total = self.complete + len(self.partial) + len(self.failed)
        parts = [
            f"{self.minute:%Y-%m-%d %H:%M} UTC: {self.complete} of {total} devices read, {self.readings} readings"
        ]
        if self.already:
            parts.append(f"{self.already} had been read before")
        if self.closed:
            parts.append(f"{self.closed} missed device minutes closed")
        parts += [f"partial: {line}" for line in self.partial] + [f"failed: {line}" for line in self.failed]
        return "; ".join(parts)


def poll_minute(connect: Connect) -> PollReport:
    """Reads every device that has no outcome at the minute that has come.

    The minute is the one the poll begins in, whatever the scheduler calls its run; a run that begins more than
    30 s after the minute does not poll, and its devices' minute is a failed poll that says so.
    """
    with connect() as connection:
        setting = read_clock(connection)

        def now() -> datetime:
            return setting.at(system_now())

        began = now()
        minute = floor_minute(began)
        todo = devices(connection)
        already = polled_devices(connection, minute)
        todo = [device for device in todo if device.device_id not in already]
        closed = close_unpolled_minutes(connection, minute, "no run polled this minute")
    if began - minute >= POLL_WINDOW:
        late = f"the run began {(began - minute).total_seconds():.0f} s after the minute, too late to poll"
        polls = [DevicePoll(d.device_id, _failed(d, began, began, late)) for d in todo]
    else:
        budget = setting.real_seconds((READ_UNTIL - (began - minute)).total_seconds())
        polls = _read(todo, max(LEAST_DEADLINE_S, budget), now)
    with connect() as connection:
        stored = store_polls(connection, minute, polls)
    return _report(minute, polls, len(already), stored, closed)


def _read(todo: Sequence[Device], deadline_s: float, now: Now) -> list[DevicePoll]:
    began = now()
    polls: list[DevicePoll] = []
    jobs: list[tuple[Device, ProtocolMap]] = []
    for device in todo:
        try:
            jobs.append((device, bundled_map(device.protocol_map)))
        except SosOpsError as error:
            polls.append(DevicePoll(device.device_id, _failed(device, began, now(), str(error))))
    results = poll_devices([(_address(device), its_map) for device, its_map in jobs], deadline_s, now)
    return polls + [
        DevicePoll(device.device_id, result) for (device, _), result in zip(jobs, results, strict=True)
    ]


def _address(device: Device) -> DeviceAddress:
    return DeviceAddress(device.name, device.host, device.port, device.unit_id)


def _failed(device: Device, began: datetime, ended: datetime, reason: str) -> PollResult:
    return PollResult(device.name, began, ended, PollOutcome.FAILED, None, reason, ())


def _report(
    minute: datetime, polls: Sequence[DevicePoll], already: int, readings: int, closed: int
) -> PollReport:
    results = [poll.result for poll in polls]

    def lines(outcome: PollOutcome) -> tuple[str, ...]:
        return tuple(f"{r.device}: {r.reason}" for r in results if r.outcome is outcome)

    return PollReport(
        minute=minute,
        complete=sum(r.outcome is PollOutcome.COMPLETE for r in results),
        partial=lines(PollOutcome.PARTIAL),
        failed=lines(PollOutcome.FAILED),
        already=already,
        readings=readings,
        closed=closed,
    )
