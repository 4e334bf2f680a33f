"""The examples of docs/airflow.md, as they stand there: they parse, and they run against a device."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sos_ops.settings import CHECKOUT
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, register_value

from .dag_run import run_dag

PAGE = (CHECKOUT / "docs" / "airflow.md").read_text(encoding="utf-8")
DAG, HOOK = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def station() -> Iterator[FaultyModbusServer]:
    with FaultyModbusServer() as server:
        yield server


def connection(port: int) -> dict[str, str]:
    extra = {"unit_id": 3, "protocol_map": "keti_bank"}
    fields = {"conn_type": "modbus", "host": LOOPBACK, "port": port, "extra": extra}
    return {"AIRFLOW_CONN_CLIMATE_STATION": json.dumps(fields)}


def write_dag(folder: Path, text: str = DAG) -> Path:
    dags = folder / "dags"
    dags.mkdir()
    (dags / "climate.py").write_text(text, encoding="utf-8")
    return dags


def test_the_example_dag_runs_and_its_task_gets_the_readings(
    tmp_path: Path, station: FaultyModbusServer
) -> None:
    done = run_dag(tmp_path, write_dag(tmp_path), "climate", connection(station.port))
    assert (done.run, done.tasks) == ("success", {"read_climate": "success", "report": "success"}), (
        done.output
    )
    said = done.xcoms["read_climate"]
    assert (said["device"], said["outcome"]) == ("climate_station", "complete")
    assert said["readings"]["max_humidity"]["value"] == pytest.approx(register_value(3, 11) * 0.1)
    assert f"max_humidity: {said['readings']['max_humidity']['value']} % at " in done.output


def test_the_example_dag_fails_with_the_devices_reason_in_its_log(tmp_path: Path) -> None:
    without_retries = DAG.replace("retries=2", "retries=0")
    assert without_retries != DAG
    with FaultyModbusServer(then=faults.exception(2)) as station:
        done = run_dag(tmp_path, write_dag(tmp_path, without_retries), "climate", connection(station.port))
    assert done.run == "failed"
    assert done.tasks == {"read_climate": "failed", "report": "upstream_failed"}
    assert "exception 2" in done.output


def test_the_example_of_the_hook_prints_what_was_read(tmp_path: Path, station: FaultyModbusServer) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), **connection(station.port)}
    done = subprocess.run(
        [sys.executable, "-c", HOOK], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    value = register_value(3, 7) * 0.1
    assert f"max_cell_temperature {value:g}" in done.stdout


def test_the_page_names_every_field_of_the_form_and_every_task() -> None:
    from sos_ops.provider_info import get_provider_info

    (connection_type,) = get_provider_info()["connection-types"]
    for field in connection_type["conn-fields"]:
        assert f"`{field}`" in PAGE
    for task in (
        "poll_devices",
        "run_engines",
        "score_sets",
        "poll_slow_devices",
        "poll_bus_",
        "fail_the_run",
    ):
        assert task in PAGE
