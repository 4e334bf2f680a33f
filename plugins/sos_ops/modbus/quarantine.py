"""Quarantine: registers that a device does not answer for, left out of its reading until they do again.

One such register makes the device refuse the whole block around it. Found once, it is remembered (the caller
stores it), is not asked in the polls that follow, and is checked from time to time. A device with a point in
quarantine is never read completely, and its polls say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sos_ops.modbus.ask import Ask
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.protocol_map import PROTOCOL_MAX_REGISTERS, ProtocolMap, ReadFunction, RegisterRange

FIRST_CHECK_AFTER = timedelta(minutes=10)
LONGEST_BETWEEN_CHECKS = timedelta(hours=6)

_NAMES_IN_A_REASON = 3


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Registers known not to be answered for, by themselves: a point's, or a gap's between points."""

    function: ReadFunction
    start: int
    """On the wire, from 0."""
    count: int
    points: tuple[str, ...]
    """The points that lie there; none for a gap that cannot be read across."""
    reason: str
    """What the device answered: `exception 2`."""
    since: datetime
    next_check: datetime

    @property
    def range(self) -> RegisterRange:
        """Where it is."""
        return RegisterRange(self.function, self.start, self.count)


@dataclass(frozen=True, slots=True)
class QuarantineChange:
    """What a poll learnt about registers that the device does not answer for."""

    kind: Literal["found", "confirmed", "restored"]
    """Found to be bad, checked and still bad, or answering again."""
    range: RegisterRange
    points: tuple[str, ...]
    reason: str
    """What the device answered: `exception 2`; what it had answered, when restored."""
    at: datetime
    """When: the `since` of what is found."""


def next_check(checked_at: datetime, checks: int) -> datetime:
    """When to ask again for registers in quarantine: 10 minutes later, then twice as long each time, up to 6 hours.

    Args:
        checked_at: When they were found or last checked.
        checks: How many checks they have failed since they were found: 0 when just found.
    """
    doubled: int = 1 << min(checks, 16)
    return checked_at + min(FIRST_CHECK_AFTER * doubled, LONGEST_BETWEEN_CHECKS)


def quarantine_text(quarantined: Sequence[Quarantined], all_points: int) -> str | None:
    """`1 of 13 points in quarantine: soc (exception 2 since 2026-11-23 19:17 UTC)`; None without such points.

    The same from minute to minute, as long as the same points are in quarantine.
    """
    by_name = {name: entry for entry in quarantined for name in entry.points}
    points = sorted(by_name.items(), key=lambda item: item[0])
    if not points:
        return None
    named = [f"{name} ({e.reason} since {e.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC)" for name, e in points]
    shown = ", ".join(named[:_NAMES_IN_A_REASON])
    more = len(named) - _NAMES_IN_A_REASON
    and_more = f" and {more} more" if more > 0 else ""
    return f"{len(named)} of {all_points} points in quarantine: {shown}{and_more}"


class QuarantineOfPoll:
    """What is in quarantine while a device is polled, and what the poll changes about it.

    Args:
        protocol_map: The device's, as it is now.
        known: What earlier polls found. What the map no longer has there is forgotten.
        now: The time, for what is forgotten.
    """

    def __init__(self, protocol_map: ProtocolMap, known: Iterable[Quarantined], now: datetime) -> None:
        self._map = protocol_map
        self._entries: dict[RegisterRange, Quarantined] = {}
        self.changes: list[QuarantineChange] = []
        """In the order in which they were learnt."""
        for entry in known:
            self._entries[entry.range] = entry
            if not _still_meant(protocol_map, entry):
                self.restored(entry, now)

    @property
    def entries(self) -> tuple[Quarantined, ...]:
        """What is in quarantine now."""
        return tuple(self._entries.values())

    @property
    def ranges(self) -> list[RegisterRange]:
        """The registers not to be asked for, nor across."""
        return list(self._entries)

    @property
    def points(self) -> set[str]:
        """The names of the points in quarantine."""
        return {name for entry in self._entries.values() for name in entry.points}

    def due(self, now: datetime) -> list[Quarantined]:
        """What is to be checked, longest overdue first; not what this poll has learnt about already."""
        learnt = {change.range for change in self.changes}
        due = [e for e in self._entries.values() if e.next_check <= now and e.range not in learnt]
        return sorted(due, key=lambda entry: entry.next_check)

    def question(self, entry: Quarantined) -> Ask | None:
        """The request whose answer takes an entry out of quarantine; None while it would say nothing.

        For points it is their own registers; for a gap, everything from the point before to the point after.
        """
        if entry.points:
            return Ask(entry.function, entry.start, entry.count)
        others = [self._map.registers_of(p) for p in self._map.points if p.function is entry.function]
        start = max((r.start for r in others if r.stop <= entry.start), default=entry.start)
        stop = min((r.stop for r in others if r.start >= entry.range.stop), default=entry.range.stop)
        across = RegisterRange(entry.function, start, stop - start)
        disturbed = any(other.touches(across) for other in self._entries if other != entry.range)
        forbidden = self._map.forbidden.first_in(across) is not None
        if disturbed or forbidden or across.count > PROTOCOL_MAX_REGISTERS:
            return None
        return Ask(across.function, across.start, across.count)

    def found(
        self, where: RegisterRange, points: tuple[str, ...], reason: FailureReason, now: datetime
    ) -> None:
        """The device refused these registers, and these alone, twice."""
        if where in self._entries:
            self.confirmed(self._entries[where], reason, now)
            return
        text = _text_of(reason)
        self._entries[where] = Quarantined(
            where.function, where.start, where.count, points, text, since=now, next_check=next_check(now, 0)
        )
        self.changes.append(QuarantineChange("found", where, points, text, now))

    def confirmed(self, entry: Quarantined, reason: FailureReason, now: datetime) -> None:
        """They were checked, and are still not answered for."""
        self.changes.append(QuarantineChange("confirmed", entry.range, entry.points, _text_of(reason), now))

    def restored(self, entry: Quarantined, now: datetime) -> None:
        """They are answered for again."""
        del self._entries[entry.range]
        self.changes.append(QuarantineChange("restored", entry.range, entry.points, entry.reason, now))


def _text_of(reason: FailureReason) -> str:
    return reason.value.replace("_", " ")


def _still_meant(protocol_map: ProtocolMap, entry: Quarantined) -> bool:
    """Whether the map, which may be a newer one, still has these points just there, or still a gap."""
    there = {p.name for p in protocol_map.points if protocol_map.registers_of(p).touches(entry.range)}
    return there == set(entry.points)
