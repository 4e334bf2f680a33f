from __future__ import annotations

from typing import Any

from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.pipeline.demo import DEMO_DEVICE, DEMO_MAP, ensure_demo
from sos_ops.settings import Settings
from sos_ops.store.devices import add_device, change_device, devices
from sos_ops.store.maps import newest_map
from tests.support.database import Database


def prepared(database: Database, **settings: Any) -> list[tuple[str, str, int]]:
    """What is polled after a start with these settings: name, host and port of each device."""
    ensure_demo(database.url, Settings.model_validate(settings))
    with database.connect() as connection:
        return [(device.name, device.host, device.port) for device in devices(connection)]


def test_the_demo_device_is_the_simulated_bms_of_the_settings(database: Database) -> None:
    assert prepared(database) == [(DEMO_DEVICE, "127.0.0.1", 5020)]


def test_the_demo_device_moves_with_the_simulated_bms(database: Database) -> None:
    prepared(database)
    assert prepared(database, modbus_host="bms", modbus_port=5021) == [(DEMO_DEVICE, "bms", 5021)]


def test_the_demo_leaves_a_platform_with_devices_of_its_own_alone(database: Database) -> None:
    with database.connect() as connection:
        add_device(
            connection, name="rack-1", site="testbed", host="10.0.0.9", port=502, unit_id=1, protocol_map=DEMO_MAP
        )  # fmt: skip
    assert prepared(database, modbus_host="bms") == [("rack-1", "10.0.0.9", 502)]


def test_the_demo_device_of_an_older_platform_moves_to_its_own_map(database: Database) -> None:
    prepared(database)
    with database.connect() as connection:
        change_device(connection, DEMO_DEVICE, protocol_map="keti_bank")
    prepared(database)
    with database.connect() as connection:
        assert [device.protocol_map for device in devices(connection)] == [DEMO_MAP]
        assert newest_map(connection, DEMO_MAP).protocol_map == bundled_map(DEMO_MAP)
