"""Batches of polls as a lane leaves them, without reading anything."""

from __future__ import annotations

from datetime import datetime, timedelta

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import PointReading, PollOutcome, PollResult, RawBlock
from sos_ops.modbus.protocol_map import ReadFunction
from sos_ops.store.polling import PollBatch
from sos_ops.store.readings import DevicePoll

OFFSET = timedelta(seconds=2, microseconds=345678)


def poll_of(
    device_id: int,
    minute: datetime,
    values: dict[str, float] | None,
    *,
    map_id: int | None = 1,
    registers: tuple[int, ...] = (1, 2, 65535),
    device: str = "rack",
) -> DevicePoll:
    """A complete poll with these values and one raw block; without values, one that failed."""
    at = minute + OFFSET
    if values is None:
        failed = PollResult(
            device, at, at, PollOutcome.FAILED, FailureReason.REFUSED, "10.0.0.5:502 refused", ()
        )
        return DevicePoll(device_id, map_id, failed)
    points = tuple(
        PointReading(point, value, None, Quality.GOOD, "°C", at) for point, value in values.items()
    )
    raw = (RawBlock(ReadFunction.INPUT, 0, registers, at),)
    return DevicePoll(
        device_id, map_id, PollResult(device, at, at, PollOutcome.COMPLETE, None, None, points, raw)
    )


def batch(minute: datetime, *polls: DevicePoll) -> PollBatch:
    """A batch of these polls."""
    return PollBatch(minute, polls)
