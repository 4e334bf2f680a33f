"""The demo: one site, one device (the simulated rack), and one ready set of the four limit tags."""

from __future__ import annotations

from sos_ops.engines.limits import DEFAULT_SITE, RULES, LimitEngine
from sos_ops.settings import Settings
from sos_ops.store.catalogue import add_partner, add_tag, partner_names
from sos_ops.store.connection import connect
from sos_ops.store.devices import Device, add_device, change_device, devices
from sos_ops.store.page import find_or_create_set, tag_views

DEMO_DEVICE = "demo-rack"
DEMO_MAP = "demo_rack"


def ensure_demo(database_url: str, settings: Settings) -> None:
    """Makes what the demo needs and does not exist yet, but only on a platform without devices of its own."""
    with connect(database_url, actor="demo") as connection:
        known = devices(connection)
        if known and all(device.name != DEMO_DEVICE for device in known):
            return
        if not known:
            add_device(
                connection,
                name=DEMO_DEVICE,
                site=DEFAULT_SITE,
                host=settings.modbus_host,
                port=settings.modbus_port,
                unit_id=1,
                protocol_map=DEMO_MAP,
            )
        elif any(device.name == DEMO_DEVICE and _has_changed(device, settings) for device in known):
            change_device(
                connection,
                DEMO_DEVICE,
                host=settings.modbus_host,
                port=settings.modbus_port,
                protocol_map=DEMO_MAP,
            )
        if not tag_views(connection):
            if LimitEngine.partner not in partner_names(connection):
                add_partner(connection, LimitEngine.partner)
            for rule in RULES:
                add_tag(
                    connection, rule.name, partner=LimitEngine.partner, limits=rule.limits, unit=rule.unit
                )
            find_or_create_set(connection, [rule.name for rule in RULES])


def _has_changed(device: Device, settings: Settings) -> bool:
    """True also for a platform whose demo is older than its own map."""
    as_it_should_be = (settings.modbus_host, settings.modbus_port, DEMO_MAP)
    return (device.host, device.port, device.protocol_map) != as_it_should_be
