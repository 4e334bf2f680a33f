"""Airflow's connection type `modbus`, with Airflow's own ways to find it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.poll import DeviceAddress, PollOutcome
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.provider_info import get_provider_info
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, register_value

if TYPE_CHECKING:
    from sos_ops.hooks.modbus import ModbusHook


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModbusHook:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from sos_ops.hooks.modbus import ModbusHook

    return ModbusHook("bms_a")


def connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BMS_A", json.dumps({"conn_type": "modbus", **fields}))


def test_the_connection_names_the_device(monkeypatch: pytest.MonkeyPatch, hook: ModbusHook) -> None:
    connect(monkeypatch, host="10.0.0.5", port=1502, extra={"unit_id": 7})
    assert hook.device_address() == DeviceAddress("bms_a", "10.0.0.5", 1502, 7)


def test_port_and_unit_have_their_usual_defaults(monkeypatch: pytest.MonkeyPatch, hook: ModbusHook) -> None:
    connect(monkeypatch, host="10.0.0.5")
    assert hook.device_address() == DeviceAddress("bms_a", "10.0.0.5", 502, 1)


@pytest.mark.parametrize("unit_id", [256, -1, "one"])
def test_a_unit_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, hook: ModbusHook, unit_id: object
) -> None:
    connect(monkeypatch, host="10.0.0.5", extra={"unit_id": unit_id})
    with pytest.raises(
        InvalidConfigurationError, match=r"connection bms_a: unit_id .* is not a number from 0 to 255"
    ):
        hook.device_address()


def test_a_connection_without_a_host_is_refused(monkeypatch: pytest.MonkeyPatch, hook: ModbusHook) -> None:
    connect(monkeypatch, extra={"unit_id": 1})
    with pytest.raises(InvalidConfigurationError, match="connection bms_a has no host"):
        hook.device_address()


def test_the_hook_reads_the_device(monkeypatch: pytest.MonkeyPatch, hook: ModbusHook) -> None:
    with FaultyModbusServer() as server:
        connect(monkeypatch, host=LOOPBACK, port=server.port, extra={"unit_id": 4})
        result = hook.read(bundled_map("keti_bank"), deadline_s=5)
    assert (result.device, result.outcome) == ("bms_a", PollOutcome.COMPLETE)
    assert result.points[0].value == pytest.approx(register_value(4, 0) * 0.1)


def test_the_hook_reads_around_a_bad_register(monkeypatch: pytest.MonkeyPatch, hook: ModbusHook) -> None:
    def without_soh(request: faults.Request) -> faults.Fault:
        bad = request.address <= 1 < request.address + request.count
        return faults.exception(2) if bad else faults.honest

    with FaultyModbusServer(choose=without_soh) as server:
        connect(monkeypatch, host=LOOPBACK, port=server.port, extra={"unit_id": 4})
        result = hook.read(bundled_map("keti_bank"), deadline_s=5)
    assert (result.outcome, len(result.points)) == (PollOutcome.PARTIAL, 12)
    assert result.reason is not None
    assert result.reason.startswith("1 of 13 points in quarantine: soh (exception 2 since ")


@pytest.mark.parametrize(
    "fault",
    [
        faults.silent,
        faults.drip(1.0),
        faults.reset,
        faults.transaction_id_zero,
        faults.wrong_unit,
        faults.wrong_function,
        faults.short_answer,
        faults.exception(11),
    ],
)
def test_the_hook_gives_no_value_of_a_bad_line_and_keeps_its_deadline(
    monkeypatch: pytest.MonkeyPatch, hook: ModbusHook, fault: faults.Fault
) -> None:
    with FaultyModbusServer(then=fault) as server:
        connect(monkeypatch, host=LOOPBACK, port=server.port)
        began = time.monotonic()
        result = hook.read(bundled_map("keti_bank"), deadline_s=0.9)
        assert time.monotonic() - began < 3
    assert (result.outcome, result.points) == (PollOutcome.FAILED, ())


def test_the_test_button_says_whether_the_gateway_accepts(
    monkeypatch: pytest.MonkeyPatch, hook: ModbusHook
) -> None:
    with FaultyModbusServer() as server:
        connect(monkeypatch, host=LOOPBACK, port=server.port)
        assert hook.test_connection() == (True, "the gateway accepts connections")
    assert server.requests == []
    with faults.refusing_port() as port:
        connect(monkeypatch, host=LOOPBACK, port=port)
        assert hook.test_connection() == (False, f"connection refused by {LOOPBACK}:{port}")


def test_airflow_finds_the_connection_type_and_its_schema_accepts_it() -> None:
    import airflow

    info = get_provider_info()
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    jsonschema.validate(info, schema)
    (entry,) = [e for e in entry_points(group="apache_airflow_provider") if e.value.startswith("sos_ops.")]
    assert entry.load()() == info
    assert entry.dist is not None
    assert entry.dist.name == info["package-name"]


def test_importing_the_hook_imports_no_pymodbus() -> None:
    code = "import sys, sos_ops.hooks.modbus; sys.exit('pymodbus' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
