"""`sos-ops device`: from adding a device with a map of one's own to retiring it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sos_ops.engines.limits import RULES, LimitEngine, tag_name
from sos_ops.modbus.poll import QuarantineChange
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange
from sos_ops.pipeline.poll import poll_minute
from sos_ops.settings import Settings
from sos_ops.store.catalogue import add_partner, add_tag, partner_names
from sos_ops.store.devices import add_device, device_named
from sos_ops.store.gateways import Gateway, LaneChange, record_lane
from sos_ops.store.quarantine import record_changes
from sos_ops.store.readings import lock_for_polls
from tests.support.database import Database
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, refusing_port
from tests.support.plant import at

from .test_commands import run

MAP = """
name: climate
version: {version}
description: the room's climate station
read_function: holding
addressing: zero_based
points:
  - {{name: {point}, address: {address}, type: s16, scale: 0.1, unit: °C}}
"""


@pytest.fixture
def plant(database: Database) -> Database:
    database.set_clock(at(9))
    return database


def write_map(folder: Path, *, version: int = 1, address: int = 10, point: str = "room_temperature") -> str:
    path = folder / "climate.yaml"
    path.write_text(MAP.format(version=version, address=address, point=point), encoding="utf-8")
    return str(path)


def listed(folder: Path, database: Database, **extra: str) -> list[dict[str, Any]]:
    done = run(folder, database, "device", "list", "--json", **extra)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def add(folder: Path, database: Database, name: str, *arguments: str) -> None:
    done = run(folder, database, "device", "add", name, "--map", "keti_bank", *arguments)
    assert done.returncode == 0, done.stderr


def limit_tags(database: Database, site: str) -> None:
    """The tags of the limit analyses at the site."""
    with database.connect() as connection:
        if LimitEngine.partner not in partner_names(connection):
            add_partner(connection, LimitEngine.partner)
        for rule in RULES:
            add_tag(connection, tag_name(site, rule.name), partner=LimitEngine.partner, limits=rule.limits)


def words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_a_device_is_added_though_it_is_not_on_the_line_and_the_next_step_is_said(
    plant: Database, tmp_path: Path
) -> None:
    arguments = ("rack-1", "--host", "10.0.0.5", "--unit", "3", "--map", "keti_bank", "--site", "busan")
    done = run(tmp_path, plant, "device", "add", *arguments)
    assert done.returncode == 0
    assert "device rack-1 added at 10.0.0.5:502 unit 3, map keti_bank version" in done.stdout
    assert "now: sos-ops device test rack-1" in done.stdout
    (row,) = listed(tmp_path, plant)
    assert {key: row[key] for key in ("name", "site", "host", "port", "unit_id", "protocol_map")} == {
        "name": "rack-1", "site": "busan", "host": "10.0.0.5", "port": 502, "unit_id": 3, "protocol_map": "keti_bank",
    }  # fmt: skip
    assert (row["lane"], row["minute"], row["is_polled"]) == ("quick", None, False)


def test_a_map_file_is_checked_stored_and_read_with_from_then_on(plant: Database, tmp_path: Path) -> None:
    path = write_map(tmp_path)
    done = run(tmp_path, plant, "device", "add", "climate-1", "--host", "10.0.0.6", "--map", path)
    assert "map climate version 1" in done.stdout
    assert plant.rows("select name, version from sos_ops.protocol_map") == [("climate", 1)]
    write_map(tmp_path, version=2, address=11)
    done = run(tmp_path, plant, "device", "set", "climate-1", "--map", path)
    assert "map climate version 2" in done.stdout
    assert listed(tmp_path, plant)[0]["map_version"] == 2


def test_a_changed_map_of_the_same_version_is_refused_and_the_device_is_not_added(
    plant: Database, tmp_path: Path
) -> None:
    run(tmp_path, plant, "device", "add", "climate-1", "--host", "10.0.0.6", "--map", write_map(tmp_path))
    changed = write_map(tmp_path, address=11)
    done = run(tmp_path, plant, "device", "add", "climate-2", "--host", "10.0.0.7", "--map", changed)
    assert done.returncode == 1
    assert "raise the version" in done.stderr
    assert [row["name"] for row in listed(tmp_path, plant)] == ["climate-1"]


def test_the_map_keeps_who_stored_it(plant: Database, tmp_path: Path) -> None:
    arguments = ("climate-1", "--host", "10.0.0.6", "--map", write_map(tmp_path))
    run(tmp_path, plant, "device", "add", *arguments, LOGNAME="kim")
    assert plant.value("select added_by from sos_ops.protocol_map") == "kim"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "rack-1", "--host", "h", "--map", "keti_bank"], "a device of this name exists already"),
        (["add", "rack-2", "--host", "h", "--map", "nobodys"], "no protocol map 'nobodys': `sos-ops modbus maps`"),
        (["add", "rack-2", "--host", "h", "--map", "/nowhere/a.yaml"], "/nowhere/a.yaml: cannot be read"),
        (["add", "rack-2", "--host", "10.0.0.5:502", "--map", "keti_bank"], "give the TCP port with --port"),
        (["add", "rack-2", "--host", "a b", "--map", "keti_bank"], "is no host: give a name or an address"),
        (["add", "rack-2", "--host", "", "--map", "keti_bank"], "is no host"),
        (["add", "rack-2", "--host", "a..b", "--map", "keti_bank"], "'a..b' is no host: give a name"),
        (["add", "rack-2", "--host", ".b", "--map", "keti_bank"], "'.b' is no host"),
        (["add", "rack-2", "--host", "10.0.0.256", "--map", "keti_bank"], "'10.0.0.256' is no host"),
        (["add", "rack-2", "--host", "a." * 127 + "bc", "--map", "keti_bank"], "is no host"),
        (["set", "rack-1", "--host", "a..b"], "'a..b' is no host: give a name"),
        (["add", "rack-2", "--host", "10.0.0.5", "--map", "keti_bank"], "device rack-1 is at 10.0.0.5 port 502 unit 1"),
        (["add", "rack-2", "--host", "h", "--port", "0", "--map", "keti_bank"], "greater than or equal to 1"),
        (["add", "rack-2", "--host", "h", "--unit", "256", "--map", "keti_bank"], "less than or equal to 255"),
        (["add", "rack 2", "--host", "h", "--map", "keti_bank"], "'rack 2' is no device name: use letters"),
        (["add", "rack-2", "--host", "h", "--map", "keti_bank", "--site", "a b"], "a site name has"),
        (["set", "rack-1"], "nothing to change"),
        (["set", "rack-9", "--port", "503"], "no device 'rack-9': `sos-ops device list`"),
        (["set", "rack-1", "--map", "nobodys"], "no protocol map 'nobodys'"),
        (["retire", "rack-9"], "no device 'rack-9'"),
        (["test", "rack-9"], "no device 'rack-9'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)  # fmt: skip
def test_a_wrong_input_is_refused_in_one_sentence_and_changes_nothing(
    plant: Database, tmp_path: Path, arguments: list[str], says: str
) -> None:
    with plant.connect() as connection:
        add_device(
            connection, name="rack-1", site="testbed", host="10.0.0.5", port=502, unit_id=1, protocol_map="keti_bank"
        )  # fmt: skip
    before = plant.rows("select * from sos_ops.device")
    done = run(tmp_path, plant, "device", *arguments)
    assert done.returncode != 0
    assert says in words(done.stderr)
    assert "Traceback" not in done.stderr
    assert plant.rows("select * from sos_ops.device") == before


def test_an_address_of_ipv6_is_one(plant: Database, tmp_path: Path) -> None:
    add(tmp_path, plant, "rack-1", "--host", "[fe80::1]")
    assert listed(tmp_path, plant)[0]["host"] == "fe80::1"
    assert "[fe80::1]:502" in run(tmp_path, plant, "device", "list").stdout


def test_only_what_is_given_changes(plant: Database, tmp_path: Path) -> None:
    add(tmp_path, plant, "rack-1", "--host", "10.0.0.5", "--unit", "3")
    done = run(tmp_path, plant, "device", "set", "rack-1", "--host", "10.0.0.9", "--port", "1502")
    assert "device rack-1: 10.0.0.9:1502 unit 3, map keti_bank" in done.stdout
    (row,) = listed(tmp_path, plant)
    assert (row["host"], row["port"], row["unit_id"]) == ("10.0.0.9", 1502, 3)


def test_adding_says_the_site_and_the_tags_that_the_device_feeds(plant: Database, tmp_path: Path) -> None:
    limit_tags(plant, "testbed")
    done = run(tmp_path, plant, "device", "add", "rack-1", "--host", "10.0.0.5", "--map", "keti_bank")
    assert "site testbed" in done.stdout
    assert "rack-1 feeds over_temp, under_temp, over_voltage, under_voltage" in done.stdout
    assert "warning" not in done.stdout
    assert "all 4" in run(tmp_path, plant, "device", "list").stdout
    assert len(listed(tmp_path, plant)[0]["feeds"]["tags"]) == 4


def test_a_device_that_the_analyses_do_not_see_is_warned_of_at_adding_and_in_the_list(
    plant: Database, tmp_path: Path
) -> None:
    limit_tags(plant, "testbed")
    path = write_map(tmp_path, point="max_cell_temperature")
    done = run(tmp_path, plant, "device", "add", "climate-1", "--host", "10.0.0.6", "--map", path)
    assert (
        "warning: climate-1 feeds over_temp; under_temp, over_voltage, under_voltage: the map has no "
        "min_cell_temperature, max_cell_voltage, min_cell_voltage" in words(done.stdout)
    )
    (row,) = listed(tmp_path, plant)
    assert row["feeds"]["tags"] == ["over_temp"]
    assert ["over_voltage", "max_cell_voltage"] in row["feeds"]["lacking"]
    assert "1 of 4:" in words(run(tmp_path, plant, "device", "list").stdout)
    path = write_map(tmp_path, version=2)
    done = run(tmp_path, plant, "device", "set", "climate-1", "--map", path)
    assert "warning: climate-1 feeds no tag; over_temp, under_temp" in words(done.stdout)
    assert "no other device feeds over_temp: these tags turn unknown" in words(done.stdout)
    assert "no tag" in words(run(tmp_path, plant, "device", "list").stdout)


def test_a_tag_that_nobody_added_is_not_fed(plant: Database, tmp_path: Path) -> None:
    limit_tags(plant, "testbed")
    arguments = ("rack-1", "--host", "10.0.0.5", "--map", "keti_bank", "--site", "busan")
    done = run(tmp_path, plant, "device", "add", *arguments)
    assert "warning: rack-1 feeds no tag; busan/over_temp, busan/under_temp" in words(done.stdout)
    assert "no such tag yet, see sos-ops tag add" in words(done.stdout)


def test_retiring_says_who_alone_decides_from_now_on(plant: Database, tmp_path: Path) -> None:
    limit_tags(plant, "testbed")
    add(tmp_path, plant, "demo-rack", "--host", "10.0.0.4")
    add(tmp_path, plant, "rack-1", "--host", "10.0.0.5")
    path = write_map(tmp_path, point="max_cell_temperature")
    run(tmp_path, plant, "device", "add", "climate-1", "--host", "10.0.0.6", "--map", path)
    said = words(run(tmp_path, plant, "device", "retire", "rack-1").stdout)
    assert "from now on demo-rack, climate-1 decide over_temp" in said.replace(
        "climate-1, demo-rack", "demo-rack, climate-1"
    )
    assert "from now on demo-rack alone decides under_temp, over_voltage, under_voltage" in said
    assert "unknown" not in said
    said = words(run(tmp_path, plant, "device", "retire", "climate-1").stdout)
    assert said == "device climate-1 retired: from now on demo-rack alone decides over_temp"
    said = words(run(tmp_path, plant, "device", "retire", "demo-rack").stdout)
    assert said.endswith("tags turn unknown when their max_age is over")


def test_a_device_moved_to_another_site_leaves_its_tags_and_it_is_said(
    plant: Database, tmp_path: Path
) -> None:
    limit_tags(plant, "testbed")
    limit_tags(plant, "busan")
    add(tmp_path, plant, "demo-rack", "--host", "10.0.0.4")
    add(tmp_path, plant, "rack-1", "--host", "10.0.0.5")
    said = words(run(tmp_path, plant, "device", "set", "rack-1", "--site", "busan").stdout)
    assert "rack-1 feeds busan/over_temp" in said
    assert "warning: from now on demo-rack alone decides over_temp, under_temp" in said


def test_another_name_of_the_same_gateway_is_refused(plant: Database, tmp_path: Path) -> None:
    add(tmp_path, plant, "rack-1", "--host", "127.0.0.1", "--port", "1502")
    arguments = ("rack-2", "--map", "keti_bank", "--host", "localhost", "--unit", "2")
    done = run(tmp_path, plant, "device", "add", *arguments, "--port", "1502")
    assert done.returncode == 1
    assert "use the same name, --host 127.0.0.1" in words(done.stderr)
    assert run(tmp_path, plant, "device", "add", *arguments, "--port", "1503").returncode == 0
    done = run(tmp_path, plant, "device", "set", "rack-2", "--port", "1502")
    assert "use the same name, --host 127.0.0.1" in words(done.stderr)
    done = run(tmp_path, plant, "device", "set", "rack-2", "--host", "127.0.0.1", "--port", "1502")
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, plant, "device", "set", "rack-2", "--unit", "1")
    assert "device rack-1 is at 127.0.0.1 port 1502 unit 1 already" in words(done.stderr)


def test_a_host_that_cannot_be_looked_up_is_no_error(plant: Database, tmp_path: Path) -> None:
    add(tmp_path, plant, "rack-1", "--host", "one.invalid")
    add(tmp_path, plant, "rack-2", "--host", "two.invalid")
    assert len(listed(tmp_path, plant)) == 2


def test_a_newer_map_names_every_device_that_it_reads_and_an_older_one_is_refused(
    plant: Database, tmp_path: Path
) -> None:
    for name, host in (("climate-1", "10.0.0.6"), ("climate-2", "10.0.0.7")):
        run(tmp_path, plant, "device", "add", name, "--host", host, "--map", write_map(tmp_path))
    path = write_map(tmp_path, version=2, address=11)
    done = run(tmp_path, plant, "device", "set", "climate-1", "--map", path)
    assert "map climate version 2 now reads climate-2 too" in words(done.stdout)
    done = run(tmp_path, plant, "device", "set", "climate-1", "--map", path)
    assert "too" not in words(done.stdout)
    done = run(tmp_path, plant, "device", "set", "climate-1", "--map", write_map(tmp_path))
    assert done.returncode == 1
    assert "version 1 is older than version 2, which is stored and counts: raise the version to 3" in words(
        done.stderr
    )
    assert listed(tmp_path, plant)[0]["map_version"] == 2


def test_a_retired_device_is_gone_and_its_name_is_free(plant: Database, tmp_path: Path) -> None:
    add(tmp_path, plant, "rack-1", "--host", "10.0.0.5")
    assert "device rack-1 retired" in run(tmp_path, plant, "device", "retire", "rack-1").stdout
    assert listed(tmp_path, plant) == []
    assert "no devices: sos-ops device add" in run(tmp_path, plant, "device", "list").stdout
    add(tmp_path, plant, "rack-1", "--host", "10.0.0.6")
    assert [row["host"] for row in listed(tmp_path, plant)] == ["10.0.0.6"]


def test_the_list_tells_lane_registers_in_quarantine_and_newest_poll(plant: Database, tmp_path: Path) -> None:
    with refusing_port() as port:
        add(tmp_path, plant, "rack-1", "--host", LOOPBACK, "--port", str(port))
        plant.set_clock(at(10, 1))
        poll_minute(plant.connect, Settings(home=tmp_path / "sos"))
    bad = RegisterRange(ReadFunction.INPUT, 11, 2)
    with plant.connect() as connection:
        device_id = device_named(connection, "rack-1").device_id
        lock_for_polls(connection)
        found = QuarantineChange("found", bad, ("max_humidity", "min_humidity"), "exception 2", at(10))
        record_changes(connection, device_id, [found])
        record_lane(connection, LaneChange(Gateway(LOOPBACK, port), slow=True, at=at(10)))
    plant.set_clock(at(11))
    (row,) = listed(tmp_path, plant)
    assert (row["lane"], row["outcome"], row["is_polled"]) == ("slow", "failed", True)
    assert "connection refused" in row["reason"]
    (quarantined,) = row["quarantined"]
    assert quarantined["points"] == ["max_humidity", "min_humidity"]
    assert (quarantined["start"], quarantined["count"], quarantined["reason"]) == (11, 2, "exception 2")
    shown = words(run(tmp_path, plant, "device", "list").stdout)
    assert "2 registers:" in shown
    assert "max_humidity," in shown
    assert "03-01 00:10 failed" in shown
    (row,) = listed(tmp_path, plant, SOS_SHARED_BUSES=f"{LOOPBACK}:{port}")
    assert row["lane"] == "bus"
    plant.set_clock(at(10) + timedelta(hours=1))
    assert listed(tmp_path, plant)[0]["is_polled"] is False


def test_a_device_that_nobody_polls_is_tested_at_once(plant: Database, tmp_path: Path) -> None:
    with FaultyModbusServer() as server:
        path = write_map(tmp_path)
        run(
            tmp_path,
            plant,
            "device",
            "add",
            "climate-1",
            "--host",
            LOOPBACK,
            "--port",
            str(server.port),
            "--map",
            path,
        )
        done = run(tmp_path, plant, "device", "test", "climate-1", "--samples", "1")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "room_temperature" in done.stdout
        assert server.requests


def test_a_device_that_cannot_be_reached_ends_with_2_and_the_reason(plant: Database, tmp_path: Path) -> None:
    with refusing_port() as port:
        add(tmp_path, plant, "rack-1", "--host", LOOPBACK, "--port", str(port))
        done = run(tmp_path, plant, "device", "test", "rack-1")
    assert done.returncode == 2
    assert "connection refused" in words(done.stdout + done.stderr)
