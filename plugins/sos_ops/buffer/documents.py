"""Batches and the catalogue as JSON documents and back: exact values, exact times, raw registers in hexadecimal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sos_ops.clock import ClockSetting
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import (
    PointReading,
    PollOutcome,
    PollResult,
    QuarantineChange,
    Quarantined,
    RawBlock,
)
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange
from sos_ops.store.devices import Device
from sos_ops.store.gateways import Gateway, LaneChange
from sos_ops.store.maps import parsed
from sos_ops.store.polling import Learnt, PollBatch, PolledDevice, PollingCatalogue
from sos_ops.store.readings import DevicePoll, from_bytes, to_bytes

Document = dict[str, Any]


def batch_document(batch: PollBatch) -> Document:
    """A batch as it is kept."""
    return {
        "minute": batch.minute.isoformat(),
        "polls": [_poll_document(poll) for poll in batch.polls],
        "learnt": [[one.device_id, [_change_document(change) for change in one.changes]] for one in batch.learnt],
        "lanes": [[*change.gateway, change.slow, change.at.isoformat()] for change in batch.lanes],
    }  # fmt: skip


def batch_of(document: Document) -> PollBatch:
    """The inverse of `batch_document`.

    Raises:
        KeyError, TypeError, ValueError: it is no batch.
    """
    return PollBatch(
        minute=_time(document["minute"]),
        polls=tuple(_poll(poll) for poll in document["polls"]),
        learnt=tuple(
            Learnt(device_id, tuple(_change(change) for change in changes))
            for device_id, changes in document["learnt"]
        ),
        lanes=tuple(
            LaneChange(Gateway(host, port), slow, _time(at)) for host, port, slow, at in document["lanes"]
        ),
    )


def _poll_document(poll: DevicePoll) -> Document:
    result = poll.result
    return {
        "device_id": poll.device_id,
        "map_id": poll.map_id,
        "device": result.device,
        "began_at": result.began_at.isoformat(),
        "ended_at": result.ended_at.isoformat(),
        "outcome": result.outcome.value,
        "cause": None if result.cause is None else result.cause.value,
        "reason": result.reason,
        "points": [
            [p.point, p.value, p.suspect_value, p.quality.value, p.unit, p.read_at.isoformat(), p.text]
            for p in result.points
        ],
        "raw": [
            [block.function.value, block.start, to_bytes(block.registers).hex(), block.read_at.isoformat()]
            for block in result.raw
        ],
    }


def _poll(document: Document) -> DevicePoll:
    cause = document["cause"]
    result = PollResult(
        device=document["device"],
        began_at=_time(document["began_at"]),
        ended_at=_time(document["ended_at"]),
        outcome=PollOutcome(document["outcome"]),
        cause=None if cause is None else FailureReason(cause),
        reason=document["reason"],
        points=tuple(
            PointReading(point, value, suspect, Quality(quality), unit, _time(read_at), text)
            for point, value, suspect, quality, unit, read_at, text in document["points"]
        ),
        raw=tuple(
            RawBlock(ReadFunction(function), start, from_bytes(bytes.fromhex(registers)), _time(read_at))
            for function, start, registers, read_at in document["raw"]
        ),
    )
    return DevicePoll(document["device_id"], document["map_id"], result)


def _change_document(change: QuarantineChange) -> list[Any]:
    where = change.range
    return [
        change.kind,
        where.function.value,
        where.start,
        where.count,
        list(change.points),
        change.reason,
        change.at.isoformat(),
    ]


def _change(document: list[Any]) -> QuarantineChange:
    kind, function, start, count, points, reason, at = document
    where = RegisterRange(ReadFunction(function), start, count)
    return QuarantineChange(kind, where, tuple(points), reason, _time(at))


def catalogue_document(catalogue: PollingCatalogue) -> Document:
    """The catalogue as it is kept for minutes in which the database is away."""
    clock = catalogue.clock
    return {
        "clock": [clock.real_anchor.isoformat(), clock.platform_anchor.isoformat(), clock.rate],
        "devices": [_device_document(entry) for entry in catalogue.devices],
        "maps": {str(map_id): its_map.content() for map_id, its_map in catalogue.maps.items()},
        "slow": [list(gateway) for gateway in sorted(catalogue.slow)],
    }


def catalogue_of(document: Document) -> PollingCatalogue:
    """The inverse of `catalogue_document`.

    Raises:
        KeyError, TypeError, ValueError, SosOpsError: it is no catalogue.
    """
    real, platform, rate = document["clock"]
    return PollingCatalogue(
        clock=ClockSetting(_time(real), _time(platform), rate),
        devices=tuple(_device(entry) for entry in document["devices"]),
        maps={int(map_id): parsed(content) for map_id, content in document["maps"].items()},
        slow=frozenset(Gateway(host, port) for host, port in document["slow"]),
    )


def _device_document(entry: PolledDevice) -> Document:
    fields = {**vars(entry.device), "created_at": entry.device.created_at.isoformat()}
    return {
        "device": fields,
        "map_id": entry.map_id,
        "problem": entry.problem,
        "last_good": None if entry.last_good is None else entry.last_good.isoformat(),
        "last_tried": None if entry.last_tried is None else entry.last_tried.isoformat(),
        "quarantined": [
            [
                one.function.value,
                one.start,
                one.count,
                list(one.points),
                one.reason,
                one.since.isoformat(),
                one.next_check.isoformat(),
            ]
            for one in entry.quarantined
        ],
    }


def _device(document: Document) -> PolledDevice:
    fields = document["device"]
    last_good, last_tried = document["last_good"], document["last_tried"]
    return PolledDevice(
        device=Device(**{**fields, "created_at": _time(fields["created_at"])}),
        map_id=document["map_id"],
        problem=document["problem"],
        quarantined=tuple(
            Quarantined(ReadFunction(function), start, count, tuple(points), reason, _time(since), _time(check))
            for function, start, count, points, reason, since, check in document["quarantined"]
        ),
        last_good=None if last_good is None else _time(last_good),
        last_tried=None if last_tried is None else _time(last_tried),
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
