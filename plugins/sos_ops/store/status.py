"""How the platform is: how old its data is, what its devices and sets say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sos_ops.store import sql
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.page import data_time, sets
from sos_ops.views import SetView, SosPoint


@dataclass(frozen=True)
class DeviceStatus:
    """A device and its newest poll; None where it was never polled."""

    name: str
    site: str
    minute: datetime | None
    outcome: str | None
    reason: str | None
    last_good: datetime | None


@dataclass(frozen=True)
class PlatformStatus:
    """Data ages and the state of devices and sets, at `at` by the platform's clock."""

    at: datetime
    newest_decided: datetime | None
    devices: tuple[DeviceStatus, ...]
    sets: tuple[tuple[SetView, SosPoint | None], ...]


def read_status(connection: Connection) -> PlatformStatus:
    """The platform's state now, sets worst first."""
    rows = connection.execute(sql.load("select_device_status")).fetchall()
    return PlatformStatus(
        at=now(connection),
        newest_decided=data_time(connection),
        devices=tuple(DeviceStatus(*row) for row in rows),
        sets=tuple(sets(connection)),
    )
