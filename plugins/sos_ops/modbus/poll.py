"""What a poll is: the device asked, its outcome, and the readings it gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where a device answers: a unit behind a host and port."""

    name: str
    host: str
    port: int = 502
    unit_id: int = 1


class PollOutcome(StrEnum):
    """How far a poll got: every block, some, or none. The strings are stored."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class PointReading(NamedTuple):
    """A point's value in `unit`, or None; `suspect_value` is what was read and set aside."""

    point: str
    value: float | None
    suspect_value: float | None
    quality: Quality
    unit: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class PollResult:
    """One attempt to read a device. Points of blocks that could not be read are not among `points`."""

    device: str
    began_at: datetime
    ended_at: datetime
    outcome: PollOutcome
    cause: FailureReason | None
    """What the first failing block failed of; None when complete."""
    reason: str | None
    """The same as one line for a person, alike for alike minutes; None when complete."""
    points: tuple[PointReading, ...]
