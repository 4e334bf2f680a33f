"""Gateways and the lane of the minute that reads them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sos_ops.store import sql
from sos_ops.store.connection import Connection


class Gateway(NamedTuple):
    """A host and TCP port, behind which one or more devices answer, one request at a time. The host in lower case."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class LaneChange(NamedTuple):
    """A gateway goes over into the slow lane, or returns to the quick one."""

    gateway: Gateway
    slow: bool
    at: datetime


def slow_gateways(connection: Connection) -> dict[Gateway, datetime]:
    """Gateways that the slow lane reads, and since when."""
    rows = connection.execute(sql.load("select_slow_gateways"))
    return {Gateway(host, port): since for host, port, since in rows}


def record_lane(connection: Connection, change: LaneChange) -> None:
    """Stores which lane reads a gateway. What is older than what is known changes nothing."""
    (host, port), slow, at = change
    connection.execute(sql.load("update_gateway_lane"), {"host": host, "port": port, "slow": slow, "at": at})
