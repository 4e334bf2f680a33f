"""Devices as the database keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sos_ops.clock import floor_minute
from sos_ops.errors import UnknownNameError
from sos_ops.store import sql
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.maps import ensure_map
from sos_ops.store.readings import NOT_POLLED, close_unpolled_minutes, lock_for_polls


@dataclass(frozen=True)
class Device:
    """One Modbus unit behind a host, port and unit id, with the name of its protocol map."""

    device_id: int
    name: str
    site: str
    host: str
    port: int
    unit_id: int
    protocol_map: str
    created_at: datetime


def devices(connection: Connection) -> list[Device]:
    """Every device that is not retired, in name order."""
    return [Device(*row) for row in connection.execute(sql.load("select_devices"))]


def device_named(connection: Connection, name: str) -> Device:
    """The device in use of this name.

    Raises:
        UnknownNameError: there is none.
    """
    for device in devices(connection):
        if device.name == name:
            return device
    raise UnknownNameError(f"no device {name!r}: `sos-ops device list` shows those that are polled")


def add_device(
    connection: Connection, *, name: str, site: str, host: str, port: int, unit_id: int, protocol_map: str
) -> int:
    """Adds a device and returns its id. A map that comes with the platform is stored with it.

    Raises:
        UnknownNameError: there is no map of this name.
    """
    ensure_map(connection, protocol_map)
    parameters = {
        "name": name,
        "site": site,
        "host": host,
        "port": port,
        "unit_id": unit_id,
        "protocol_map": protocol_map,
    }
    row = connection.execute(sql.load("insert_device"), parameters).fetchone()
    assert row is not None  # noqa: S101  # INSERT RETURNING of one row
    return int(row[0])


def change_device(
    connection: Connection,
    name: str,
    *,
    site: str | None = None,
    host: str | None = None,
    port: int | None = None,
    unit_id: int | None = None,
    protocol_map: str | None = None,
) -> Device:
    """Changes what is given of a device, from its next poll on. Its history stays with it.

    Another address or map may be another battery: what was learnt of registers it does not answer for is forgotten.

    Returns:
        The device as it is now.

    Raises:
        UnknownNameError: there is no such device in use, or no such map.
    """
    before = device_named(connection, name)
    if protocol_map is not None:
        ensure_map(connection, protocol_map)
    parameters = {
        "device_id": before.device_id,
        "site": site,
        "host": host,
        "port": port,
        "unit_id": unit_id,
        "protocol_map": protocol_map,
    }
    connection.execute(sql.load("change_device"), parameters)
    after = device_named(connection, name)
    if _read_as(before) != _read_as(after):
        lock_for_polls(connection)
        connection.execute(sql.load("end_quarantine_of_device"), {"device_id": before.device_id})
    return after


def _read_as(device: Device) -> tuple[str, int, int, str]:
    return device.host.lower(), device.port, device.unit_id, device.protocol_map


def retire_device(connection: Connection, name: str) -> None:
    """Ends the polling of a device: its minutes end here, those missed before get their outcome. Its name is free.

    Raises:
        UnknownNameError: there is no such device in use.
    """
    device = device_named(connection, name)
    lock_for_polls(connection)
    close_unpolled_minutes(
        connection, floor_minute(now(connection)), NOT_POLLED, device_ids=[device.device_id]
    )
    connection.execute(sql.load("retire_device"), {"device_id": device.device_id})
    connection.execute(sql.load("end_quarantine_of_device"), {"device_id": device.device_id})
