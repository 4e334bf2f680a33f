"""What polling a minute came to, in one line for the person on call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.poll import PollOutcome, PollResult

DOUBTFUL_SHOWN = 4


@dataclass(frozen=True)
class DoubtfulDevice:
    """How many values of one device were set aside, and how many count and are marked as implausible."""

    device: str
    set_aside: int
    marked: int

    def __str__(self) -> str:
        counts = [(self.set_aside, "set aside"), (self.marked, "marked")]
        return f"{self.device} ({', '.join(f'{number} {word}' for number, word in counts if number)})"


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
        doubtful: devices that gave values which were set aside or marked; without what they do not implement.
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
    doubtful: tuple[DoubtfulDevice, ...] = ()
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
        if self.doubtful:
            parts.append(self._doubts())
        parts += [f"partial: {line}" for line in self.partial] + [f"failed: {line}" for line in self.failed]
        return "; ".join([*parts, *self.problems])

    def _doubts(self) -> str:
        values = sum(one.set_aside + one.marked for one in self.doubtful)
        more = len(self.doubtful) - DOUBTFUL_SHOWN
        named = ", ".join(str(one) for one in self.doubtful[:DOUBTFUL_SHOWN])
        return f"{values} values doubtful: {named}" + (f" and {more} devices more" if more > 0 else "")

    def _read(self) -> str:
        total = self.complete + len(self.partial) + len(self.failed) + len(self.unfinished)
        if self.database_away:
            waiting = f"{self.waiting} minutes waiting"
            return f"database away: {self.kept} devices read and kept in the buffer ({waiting})"
        return f"{self.complete} of {total} devices read, {self.readings} readings"


def outcome_lines(results: Sequence[PollResult], outcome: PollOutcome) -> tuple[str, ...]:
    """`device: reason` for each of these results that has this outcome."""
    return tuple(f"{result.device}: {result.reason}" for result in results if result.outcome is outcome)


def doubtful_devices(results: Sequence[PollResult]) -> tuple[DoubtfulDevice, ...]:
    """The devices that gave values which were set aside, or count and are marked, with the most set aside first."""
    found = []
    for result in results:
        quality = Counter(point.quality for point in result.points)
        marked = quality[Quality.IMPLAUSIBLE_DANGEROUS]
        set_aside = quality.total() - marked - quality[Quality.GOOD] - quality[Quality.NOT_IMPLEMENTED]
        if set_aside or marked:
            found.append(DoubtfulDevice(result.device, set_aside, marked))
    return tuple(sorted(found, key=lambda one: (-one.set_aside, -one.marked, one.device)))
