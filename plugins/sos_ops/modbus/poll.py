"""What a poll is: the device to be asked, its outcome, and what was read, set aside or left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction
from sos_ops.modbus.quarantine import QuarantineChange, Quarantined, next_check

__all__ = [
    "DeviceAddress",
    "DeviceJob",
    "PointReading",
    "PollOutcome",
    "PollResult",
    "QuarantineChange",
    "Quarantined",
    "RawBlock",
    "next_check",
]


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where a device answers: a unit behind a host and port."""

    name: str
    host: str
    port: int = 502
    unit_id: int = 1


@dataclass(frozen=True, slots=True)
class DeviceJob:
    """A device to be read, and what earlier polls learnt about it."""

    device: DeviceAddress
    protocol_map: ProtocolMap
    quarantined: tuple[Quarantined, ...] = ()
    """What the device does not answer for: not asked, but for a check when its time has come."""
    troubled: bool = False
    """Its last polls failed: asked last, and briefly until it answers, so that it costs the others nothing."""
    request_timeout_s: float | None = None
    """Seconds one answer may take; None: as the line's pace and the time left allow."""


class PollOutcome(StrEnum):
    """How far a poll got: every point of the map, some, or none. The strings are stored."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class PointReading(NamedTuple):
    """A point's value in `unit`, or None; `suspect_value` is what was read and set aside; `text` is a string's."""

    point: str
    value: float | None
    suspect_value: float | None
    quality: Quality
    unit: str
    read_at: datetime
    text: str | None = None


class RawBlock(NamedTuple):
    """Registers as one answer held them: `registers[i]` is register `start + i` on the wire, from 0."""

    function: ReadFunction
    start: int
    registers: tuple[int, ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class PollResult:
    """One attempt to read a device. Points that could not be read are not among `points`."""

    device: str
    began_at: datetime
    ended_at: datetime
    outcome: PollOutcome
    cause: FailureReason | None
    """What kept the poll from being complete, the first thing if there are several; None when complete."""
    reason: str | None
    """The same as one line for a person, alike for alike minutes; None when complete."""
    points: tuple[PointReading, ...]
    raw: tuple[RawBlock, ...] = ()
    """Every block that was read, as it came."""
    quarantine: tuple[QuarantineChange, ...] = ()
    """What this poll learnt about registers that the device does not answer for."""
    unfinished: bool = False
    """True when the time was over although the device answers: a slow line, which needs more time."""
