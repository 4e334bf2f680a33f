"""ModbusHook against a device: what the connection's form says takes effect, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sos_ops.errors import DatabaseUnavailableError, InvalidConfigurationError, UnknownNameError
from sos_ops.hooks.modbus import ModbusHook
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import PollOutcome
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.stack.airflow_config import CONNECTION_VARIABLE, postgres_connection
from sos_ops.store.maps import save_map
from tests.support import faulty_modbus as faults
from tests.support.database import Database
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer

from .conftest import Connect

TWO_POINTS = """
name: climate
version: {version}
description: the room's climate station
read_function: holding
addressing: zero_based
points:
  - {{name: room_temperature, address: 10, type: s16, scale: 0.1, unit: °C}}
  - {{name: room_humidity, address: 11, type: u16, scale: 0.1, unit: "%"}}
"""


def write_map(folder: Path, version: int = 1) -> Path:
    path = folder / "climate.yaml"
    path.write_text(TWO_POINTS.format(version=version), encoding="utf-8")
    return path


def test_the_connections_map_is_read_when_none_is_named(connect: Connect) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port, extra={"protocol_map": "keti_bank"})
        result = ModbusHook("bms_a").read(deadline_s=5)
    assert result.outcome is PollOutcome.COMPLETE
    assert {reading.point for reading in result.points} == {p.name for p in bundled_map("keti_bank").points}


def test_a_map_may_be_a_file(connect: Connect, tmp_path: Path) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port)
        result = ModbusHook("bms_a").read(str(write_map(tmp_path)), 5)
    assert [reading.point for reading in result.points] == ["room_temperature", "room_humidity"]


def test_the_newest_version_in_the_platforms_database_goes_before_the_shipped_map(
    connect: Connect, platform: Database
) -> None:
    newer = bundled_map("keti_bank").model_copy(update={"version": 99})
    with platform.connect() as connection:
        save_map(connection, newer)
    connect(host="10.0.0.5")
    assert ModbusHook("bms_a").protocol_map("keti_bank").version == 99


def test_a_shipped_map_is_found_on_a_platform_that_has_not_stored_it(
    connect: Connect, platform: Database
) -> None:
    connect(host="10.0.0.5")
    assert ModbusHook("bms_a").protocol_map("keti_bank") == bundled_map("keti_bank")


def test_no_map_is_guessed_while_the_platforms_database_is_away(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(host="10.0.0.5")
    with faults.refusing_port() as port:
        monkeypatch.setenv(
            CONNECTION_VARIABLE, postgres_connection(f"postgresql://sos:x@{LOOPBACK}:{port}/sos")
        )
        with pytest.raises(
            DatabaseUnavailableError, match=r"PostgreSQL does not answer .*: see connection sos_postgres"
        ):
            ModbusHook("bms_a").protocol_map("keti_bank")


def test_an_unknown_map_is_refused_with_what_to_do(connect: Connect) -> None:
    connect(host="10.0.0.5")
    with pytest.raises(
        UnknownNameError, match=r"no protocol map 'nobodys': `sos-ops modbus maps` lists them"
    ):
        ModbusHook("bms_a").protocol_map("nobodys")


def test_a_connection_without_a_map_says_where_to_name_one(connect: Connect) -> None:
    connect(host="10.0.0.5")
    with pytest.raises(InvalidConfigurationError, match="bms_a names no protocol map: enter one there"):
        ModbusHook("bms_a").read()


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"request_timeout": "soon"}, "request_timeout 'soon' is not a number of seconds from 0.1 to 60"),
        ({"request_timeout": 0}, "request_timeout 0 is not a number of seconds"),
        ({"request_timeout": "nan"}, "request_timeout 'nan' is not"),
        ({"pause_between_requests": 11}, "pause_between_requests 11 is not a number of seconds from 0 to 10"),
        ({"pause_between_requests": [1]}, "is not a number of seconds"),
        ({"unit_id": 256}, "unit_id 256 is not a number from 0 to 255"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_named_and_nothing_is_asked(
    connect: Connect, extra: dict[str, object], says: str
) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port, extra={"protocol_map": "keti_bank", **extra})
        with pytest.raises(InvalidConfigurationError) as refused:
            ModbusHook("bms_a").read()
    assert str(refused.value).startswith("connection bms_a: ")
    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert server.connections == 0


@pytest.mark.parametrize("deadline_s", [0, -1, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_refused(connect: Connect, deadline_s: float) -> None:
    connect(host="10.0.0.5", extra={"protocol_map": "keti_bank"})
    with pytest.raises(InvalidConfigurationError, match="leaves no time to read"):
        ModbusHook("bms_a").read(deadline_s=deadline_s)


def test_the_connections_request_timeout_is_what_an_answer_may_take(connect: Connect) -> None:
    with FaultyModbusServer(then=faults.late(1.5)) as server:
        connect(host=LOOPBACK, port=server.port, extra={"protocol_map": "keti_bank"})
        assert ModbusHook("bms_a").read(deadline_s=60).outcome is PollOutcome.COMPLETE
        connect(host=LOOPBACK, port=server.port, extra={"request_timeout": 0.2, "protocol_map": "keti_bank"})
        result = ModbusHook("bms_a").read(deadline_s=60)
    assert (result.outcome, result.cause) == (PollOutcome.FAILED, FailureReason.TIMEOUT)


def test_the_connections_pause_is_kept_between_requests(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "two_blocks.yaml"
    path.write_text(TWO_POINTS.format(version=1).replace("address: 11", "address: 500"), encoding="utf-8")
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port, extra={"pause_between_requests": 0.6})
        result = ModbusHook("bms_a").read(str(path), 20)
    first, second = result.points
    assert (second.read_at - first.read_at).total_seconds() >= 0.6


def test_only_the_points_asked_for_are_read(connect: Connect) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port)
        result = ModbusHook("bms_a").read("keti_bank", 5, points=["max_cell_temperature"])
    assert [reading.point for reading in result.points] == ["max_cell_temperature"]
    assert [request.count for request in server.requests] == [1]


@pytest.mark.parametrize(
    ("points", "says"), [(["nothing"], "has no point nothing"), ([], "name nothing"), ("soc", "give a list")]
)
def test_points_that_are_none_are_refused(connect: Connect, points: object, says: str) -> None:
    connect(host="10.0.0.5")
    with pytest.raises((InvalidConfigurationError, UnknownNameError), match=says):
        ModbusHook("bms_a").read("keti_bank", 5, points=points)  # type: ignore[arg-type]


def test_the_test_button_reads_the_first_block_when_a_map_is_named(connect: Connect) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port, extra={"protocol_map": "keti_bank", "unit_id": 4})
        works, said = ModbusHook("bms_a").test_connection()
    assert works, said
    assert "the first block of keti_bank version" in said
    assert [request.unit_id for request in server.requests] == [4]


def test_the_test_button_tells_what_the_device_answered(connect: Connect) -> None:
    with FaultyModbusServer(then=faults.exception(2)) as server:
        connect(host=LOOPBACK, port=server.port, extra={"protocol_map": "keti_bank"})
        works, said = ModbusHook("bms_a").test_connection()
    assert not works
    assert "exception 2 (illegal data address)" in said


def test_the_test_button_tells_of_a_map_that_is_none(connect: Connect) -> None:
    connect(host=LOOPBACK, extra={"protocol_map": "nobodys"})
    works, said = ModbusHook("bms_a").test_connection()
    assert not works
    assert said.startswith("no protocol map 'nobodys'")
