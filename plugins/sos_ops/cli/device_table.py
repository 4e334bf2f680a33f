"""The devices as `sos-ops device list` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.markup import escape
from rich.table import Table

from sos_ops.cli.device_feeds import Feeds, feeds_of_devices
from sos_ops.settings import get_settings
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.devices import Device, devices
from sos_ops.store.gateways import Gateway, slow_gateways
from sos_ops.store.maps import newest_maps
from sos_ops.store.status import DeviceStatus, QuarantinedStatus, read_status

POLLED_WITHIN = timedelta(minutes=3)

OUTCOME_STYLE = {"complete": "green", "partial": "yellow", "failed": "red"}


@dataclass(frozen=True)
class DeviceRow:
    """One device: where, read with what and when, and what came of it."""

    name: str
    site: str
    host: str
    port: int
    unit_id: int
    protocol_map: str
    map_version: int | None
    """None where no map of this name is stored."""
    feeds: Feeds
    """The tags of its site that it decides with."""
    lane: str
    """`quick`, `slow`, or `bus` where other DAGs use the line too."""
    quarantined: tuple[QuarantinedStatus, ...]
    minute: datetime | None
    """The newest minute that has an outcome."""
    outcome: str | None
    reason: str | None
    last_good: datetime | None
    is_polled: bool
    """True when the newest outcome is of the last minutes: the platform is at work."""


def device_rows(connection: Connection) -> list[DeviceRow]:
    """Every device in use, in name order."""
    known = devices(connection)
    maps = newest_maps(connection, {device.protocol_map for device in known})
    feeds = feeds_of_devices(connection)
    slow = slow_gateways(connection)
    status = {one.name: one for one in read_status(connection).devices}
    at = now(connection)
    rows = []
    for device in known:
        its_map, newest = maps.get(device.protocol_map), status[device.name]
        rows.append(
            DeviceRow(
                name=device.name,
                site=device.site,
                host=device.host,
                port=device.port,
                unit_id=device.unit_id,
                protocol_map=device.protocol_map,
                map_version=None if its_map is None else its_map.protocol_map.version,
                feeds=feeds[device.name],
                lane=_lane(Gateway(device.host.lower(), device.port), slow),
                quarantined=newest.quarantined,
                minute=newest.minute,
                outcome=newest.outcome,
                reason=newest.reason,
                last_good=newest.last_good,
                is_polled=_is_recent(newest, at),
            )
        )
    return rows


def device_row(connection: Connection, device: Device) -> DeviceRow:
    """The row of one device."""
    return next(row for row in device_rows(connection) if row.name == device.name)


def device_table(rows: Sequence[DeviceRow]) -> Table:
    """The rows for a person; what each of the registers in quarantine is, `--json` tells."""
    table = Table()
    for header in ("device", "site", "address", "unit", "map", "lane"):
        table.add_column(header, no_wrap=True)
    table.add_column("feeds")
    table.add_column("in quarantine")
    table.add_column("newest poll (UTC)", no_wrap=True)
    table.add_column("reason")
    for row in rows:
        style = OUTCOME_STYLE.get(row.outcome or "")
        polled = "never" if row.minute is None else f"{row.minute.astimezone(UTC):%m-%d %H:%M} {row.outcome}"
        table.add_row(
            escape(row.name),
            escape(row.site),
            escape(str(Gateway(row.host, row.port))),
            str(row.unit_id),
            escape(row.protocol_map) + ("" if row.map_version is None else f" v{row.map_version}"),
            row.lane,
            escape(row.feeds.short_text()),
            escape(_quarantine_text(row.quarantined)),
            f"[{style}]{polled}[/]" if style else polled,
            escape(row.reason or ""),
        )
    return table


def _lane(gateway: Gateway, slow: dict[Gateway, datetime]) -> str:
    if any((bus.host, bus.port) == tuple(gateway) for bus in get_settings().buses):
        return "bus"
    return "slow" if gateway in slow else "quick"


def _is_recent(status: DeviceStatus, at: datetime) -> bool:
    return status.minute is not None and at - status.minute < POLLED_WITHIN


def _quarantine_text(quarantined: Sequence[QuarantinedStatus]) -> str:
    if not quarantined:
        return "-"
    points = [point for one in quarantined for point in one.points]
    named = ", ".join(points[:2]) + (f" and {len(points) - 2} more" if len(points) > 2 else "")
    count = sum(one.count for one in quarantined)
    text = f"{count} register{'' if count == 1 else 's'}"
    return f"{text}: {named}" if points else text
