"""Devices as the database keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sos_ops.store import sql
from sos_ops.store.connection import Connection


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


def add_device(
    connection: Connection, *, name: str, site: str, host: str, port: int, unit_id: int, protocol_map: str
) -> int:
    """Adds a device and returns its id. Whether the map exists is the caller's to check."""
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


def move_device(connection: Connection, name: str, *, host: str, port: int) -> None:
    """Records that a device answers on another host or TCP port."""
    connection.execute("update sos_ops.device set host = %s, port = %s where name = %s", (host, port, name))
