"""What polling a minute came to, in one line for the person on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sos_ops.modbus.poll import PollOutcome, PollResult


@dataclass(frozen=True)
class PollReport:
    """What one lane's polling of a minute came to.

    Attributes:
        minute: the minute mark.
        complete: devices read completely.
        partial: a line for each device read in part.
        failed: a line for each device not read.
        already: devices that had an outcome before.
        readings: readings stored now.
        closed: device minutes before that no run had polled.
        slow_gateways: gateways that the slow lane is to read in this minute.
        unfinished: devices that answer but need the slow lane.
        database_away: why what was read is kept in the buffer; None when the database has it.
        kept: devices whose outcome is kept in the buffer.
        waiting: minutes that wait in the buffer for the database.
        drained: batches of earlier minutes that the database got from the buffer now.
        problems: what a person should look at: files set aside, a buffer that cannot be written.
    """

    minute: datetime
    complete: int
    partial: tuple[str, ...]
    failed: tuple[str, ...]
    already: int
    readings: int
    closed: int
    slow_gateways: int = 0
    unfinished: tuple[str, ...] = ()
    database_away: str | None = None
    kept: int = 0
    waiting: int = 0
    drained: int = 0
    problems: tuple[str, ...] = ()

    @property
    def nothing_read(self) -> bool:
        """True when devices were to be read and none answered."""
        return bool(self.failed) and not self.complete and not self.partial and not self.unfinished

    def line(self) -> str:
        """One line for the person on call: counts, then every device that was not read completely, and why."""
        parts = [f"{self.minute:%Y-%m-%d %H:%M} UTC: {self._read()}"]
        if self.database_away:
            parts.append(self.database_away)
        elif self.waiting:
            parts.append(f"{self.waiting} minutes wait in the buffer")
        if self.drained:
            parts.append(f"{self.drained} batches stored from the buffer")
        if self.already:
            parts.append(f"{self.already} had been read before")
        if self.closed:
            parts.append(f"{self.closed} missed device minutes closed")
        if self.unfinished:
            parts.append(f"left to the slow lane: {', '.join(self.unfinished)}")
        parts += [f"partial: {line}" for line in self.partial] + [f"failed: {line}" for line in self.failed]
        return "; ".join([*parts, *self.problems])

    def _read(self) -> str:
        total = self.complete + len(self.partial) + len(self.failed) + len(self.unfinished)
        if self.database_away:
            waiting = f"{self.waiting} minutes waiting"
            return f"database away: {self.kept} devices read and kept in the buffer ({waiting})"
        return f"{self.complete} of {total} devices read, {self.readings} readings"


def outcome_lines(results: Sequence[PollResult], outcome: PollOutcome) -> tuple[str, ...]:
    """`device: reason` for each of these results that has this outcome."""
    return tuple(f"{result.device}: {result.reason}" for result in results if result.outcome is outcome)
