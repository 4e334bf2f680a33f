"""How the platform is: how old its data is, what its devices and sets say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sos_ops.clock import ClockSetting, system_now
from sos_ops.modbus.poll import Quarantined
from sos_ops.safety.score import depth
from sos_ops.store import sql
from sos_ops.store.clock import now, read_clock
from sos_ops.store.connection import Connection
from sos_ops.store.doubtful import DoubtfulReading, Doubts, doubts
from sos_ops.store.gateways import slow_gateways
from sos_ops.store.page import data_time, sets, tag_views
from sos_ops.store.quarantine import quarantined_registers
from sos_ops.views import SetView, SosPoint, TagView


@dataclass(frozen=True)
class QuarantinedStatus:
    """Registers that a device does not answer for; `points` is empty for a gap that cannot be read across."""

    function: str
    start: int
    count: int
    points: tuple[str, ...]
    reason: str
    since: datetime
    next_check: datetime


@dataclass(frozen=True)
class SlowGateway:
    """A gateway that the slow lane reads, and since when."""

    gateway: str
    since: datetime


@dataclass(frozen=True)
class DeviceStatus:
    """A device and its newest poll; None where it was never polled.

    `doubtful` is what of its last readings (those of `last_good`) is set aside, or counts and is marked.
    """

    name: str
    site: str
    minute: datetime | None
    outcome: str | None
    reason: str | None
    last_good: datetime | None
    quarantined: tuple[QuarantinedStatus, ...] = ()
    doubtful: tuple[DoubtfulReading, ...] = ()
    not_implemented: int = 0


@dataclass(frozen=True)
class PlatformStatus:
    """Data ages and the state of devices, tags and sets, at `at` by the platform's clock.

    `past_limit` has a line for each tag whose fresh value is at or past its own warning threshold: a set's SoS can
    still be safe then. `clock_is_set` tells that platform time is not the machine's.
    """

    at: datetime
    newest_decided: datetime | None
    devices: tuple[DeviceStatus, ...]
    sets: tuple[tuple[SetView, SosPoint | None], ...]
    past_limit: tuple[str, ...]
    clock_is_set: bool
    slow_gateways: tuple[SlowGateway, ...]


def read_status(connection: Connection) -> PlatformStatus:
    """The platform's state now, sets worst first."""
    rows = connection.execute(sql.load("select_device_status")).fetchall()
    quarantined = quarantined_registers(connection)
    doubted = doubts(connection, {row[0]: row[6] for row in rows if row[6] is not None})
    return PlatformStatus(
        at=now(connection),
        newest_decided=data_time(connection),
        devices=tuple(
            DeviceStatus(
                name,
                site,
                minute,
                outcome,
                reason,
                good,
                _in_quarantine(quarantined.get(device_id, ())),
                doubted.get(device_id, Doubts()).readings,
                doubted.get(device_id, Doubts()).not_implemented,
            )
            for device_id, name, site, minute, outcome, reason, good in rows
        ),
        sets=tuple(sets(connection)),
        past_limit=tuple(_past_limit(tag) for tag in tag_views(connection) if _is_past(tag)),
        clock_is_set=_is_set(read_clock(connection)),
        slow_gateways=tuple(
            SlowGateway(str(gateway), since) for gateway, since in slow_gateways(connection).items()
        ),
    )


def _in_quarantine(entries: Sequence[Quarantined]) -> tuple[QuarantinedStatus, ...]:
    return tuple(
        QuarantinedStatus(
            function=entry.function.value,
            start=entry.start,
            count=entry.count,
            points=entry.points,
            reason=entry.reason,
            since=entry.since,
            next_check=entry.next_check,
        )
        for entry in entries
    )


def _is_past(tag: TagView) -> bool:
    return (
        tag.fresh
        and tag.value is not None
        and bool(depth(tag.value, tag.maximum_safe_value, tag.warning_threshold) >= 1)
    )


def _past_limit(tag: TagView) -> str:
    unit = f" {tag.unit}" if tag.unit else ""
    return f"{tag.tag} is at or past its own threshold: {tag.value:g}{unit}, threshold {tag.warning_threshold:g}{unit}"


def _is_set(clock: ClockSetting) -> bool:
    real = system_now()
    return clock.rate != 1 or abs(clock.at(real) - real) > timedelta(seconds=1)
