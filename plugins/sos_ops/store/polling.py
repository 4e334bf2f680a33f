"""What the step of the minute reads before it polls, and what it stores after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sos_ops.clock import ClockSetting
from sos_ops.errors import SosOpsError
from sos_ops.modbus.poll import PollOutcome, QuarantineChange, Quarantined, next_check
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.store import sql
from sos_ops.store.clock import read_clock
from sos_ops.store.connection import Connection
from sos_ops.store.devices import Device, devices
from sos_ops.store.gateways import Gateway, LaneChange, record_lane, slow_gateways
from sos_ops.store.maps import StoredMap, ensure_map
from sos_ops.store.quarantine import quarantined_registers, record_changes
from sos_ops.store.readings import DevicePoll, lock_for_polls, store_polls


@dataclass(frozen=True)
class PolledDevice:
    """A device to be read, and what earlier polls learnt about it.

    Attributes:
        device: where it is and what it is called.
        map_id: the version of its map that counts; None when there is none, and `problem` says so.
        problem: why it cannot be read, in one line.
        quarantined: the registers it does not answer for.
        last_good: the newest minute it was read in, at least in part; None when that is 10 minutes ago or more.
        last_tried: the newest minute it was asked in; None likewise.
    """

    device: Device
    map_id: int | None
    problem: str | None
    quarantined: tuple[Quarantined, ...]
    last_good: datetime | None = None
    last_tried: datetime | None = None

    @property
    def gateway(self) -> Gateway:
        """Behind which gateway it answers."""
        return Gateway(self.device.host.lower(), self.device.port)


@dataclass(frozen=True)
class PollingCatalogue:
    """Everything a poll needs to know: the clock, the devices with their maps, and the slow gateways."""

    clock: ClockSetting
    devices: tuple[PolledDevice, ...]
    maps: Mapping[int, ProtocolMap]
    slow: frozenset[Gateway]

    def after(self, batch: PollBatch) -> PollingCatalogue:
        """The catalogue as it will be once the batch is stored: what a poll goes by while the database is away."""
        tried = {p.device_id for p in batch.polls if p.map_id is not None}
        good = {p.device_id for p in batch.polls if p.result.outcome is not PollOutcome.FAILED}
        learnt = {learnt.device_id: learnt.changes for learnt in batch.learnt}
        slow = set(self.slow)
        for change in batch.lanes:
            (slow.add if change.slow else slow.discard)(change.gateway)
        known = tuple(
            replace(
                entry,
                last_good=batch.minute if entry.device.device_id in good else entry.last_good,
                last_tried=batch.minute if entry.device.device_id in tried else entry.last_tried,
                quarantined=_quarantined_after(entry.quarantined, learnt.get(entry.device.device_id, ())),
            )
            for entry in self.devices
        )
        return replace(self, devices=known, slow=frozenset(slow))


def _quarantined_after(
    known: tuple[Quarantined, ...], changes: tuple[QuarantineChange, ...]
) -> tuple[Quarantined, ...]:
    by_start = {(entry.function, entry.start): entry for entry in known}
    for change in changes:
        where = change.range
        key = (where.function, where.start)
        before = by_start.pop(key, None)
        if change.kind != "restored":
            # How many checks it failed is not known here: asked again at the first interval, which is the shortest.
            by_start[key] = Quarantined(
                where.function,
                where.start,
                where.count,
                change.points,
                change.reason,
                change.at if before is None else before.since,
                next_check(change.at, 0),
            )
    return tuple(by_start.values())


def read_catalogue(connection: Connection, minute: datetime) -> PollingCatalogue:
    """The catalogue for a poll of this minute. Bundled maps that devices name and nobody stored yet are stored."""
    known = devices(connection)
    maps = {name: _map_of(connection, name) for name in sorted({device.protocol_map for device in known})}
    last_polls = {
        device_id: (good, tried)
        for device_id, good, tried in connection.execute(sql.load("select_last_polls"), {"minute": minute})
    }
    quarantined = quarantined_registers(connection)
    return PollingCatalogue(
        clock=read_clock(connection),
        devices=tuple(
            PolledDevice(
                device,
                *_id_or_problem(maps[device.protocol_map]),
                quarantined.get(device.device_id, ()),
                *last_polls.get(device.device_id, (None, None)),
            )
            for device in known
        ),
        maps={found.map_id: found.protocol_map for found in maps.values() if isinstance(found, StoredMap)},
        slow=frozenset(slow_gateways(connection)),
    )


def _map_of(connection: Connection, name: str) -> StoredMap | str:
    """The map, or why there is none: one map that cannot be used costs only the devices that name it."""
    try:
        return ensure_map(connection, name)
    except SosOpsError as error:
        return str(error)


def _id_or_problem(found: StoredMap | str) -> tuple[int | None, str | None]:
    return (found.map_id, None) if isinstance(found, StoredMap) else (None, found)


@dataclass(frozen=True)
class Learnt:
    """What a poll learnt of registers that a device does not answer for."""

    device_id: int
    changes: tuple[QuarantineChange, ...]


@dataclass(frozen=True)
class PollBatch:
    """What one step read of a minute: stored as a whole, or kept in the buffer as a whole.

    Attributes:
        minute: the minute mark.
        polls: the outcomes, one a device.
        learnt: of these devices and of those without outcome, what was learnt on the way.
        lanes: gateways that change over.
    """

    minute: datetime
    polls: tuple[DevicePoll, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    lanes: tuple[LaneChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to store."""
        return not (self.polls or self.learnt or self.lanes)


def store_batch(connection: Connection, batch: PollBatch) -> int:
    """Stores a batch in the caller's transaction. Twice is as good as once: what is known stays.

    Returns:
        The number of readings stored.
    """
    lock_for_polls(connection)
    readings = store_polls(connection, batch.minute, batch.polls)
    for learnt in batch.learnt:
        record_changes(connection, learnt.device_id, learnt.changes)
    for change in batch.lanes:
        record_lane(connection, change)
    return readings


class ForeignBatchError(SosOpsError):
    """A batch was read for the devices of another database."""


def check_devices(connection: Connection, batch: PollBatch) -> None:
    """Makes sure that a batch which was kept is of this database's devices: numbers alone would fit any.

    Raises:
        ForeignBatchError: names the device.
    """
    ids = [poll.device_id for poll in batch.polls]
    rows = connection.execute(sql.load("select_device_names"), {"device_ids": ids})
    names = {int(device_id): str(name) for device_id, name in rows}
    for poll in batch.polls:
        here = names.get(poll.device_id)
        if here != poll.result.device:
            raise ForeignBatchError(
                f"its device {poll.device_id} is {poll.result.device}, and in this database {here or 'none'}"
            )
