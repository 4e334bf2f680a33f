"""`sos_minute` from its file, run by the real Airflow against a device and a database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sos_ops.engines.limits import RULES
from sos_ops.settings import CHECKOUT
from sos_ops.stack.airflow_config import CONNECTION_VARIABLE, postgres_connection
from sos_ops.store.devices import add_device
from sos_ops.store.gateways import Gateway, LaneChange, record_lane
from tests.support.database import Database
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, refusing_port
from tests.support.plant import at, furnish, make_set

from .dag_run import DagRun, run_dag

STEPS = ("poll_devices", "run_engines", "score_sets", "poll_slow_devices", "fail_the_run")


@pytest.fixture
def rack(database: Database) -> Iterator[FaultyModbusServer]:
    """One device, polled with the others of its set of four tags; it is ten minutes past."""
    database.set_clock(at(9))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    make_set(database, *(rule.name for rule in RULES))
    with FaultyModbusServer() as server:
        with database.connect() as connection:
            add_device(
                connection,
                name="rack-1",
                site="testbed",
                host=LOOPBACK,
                port=server.port,
                unit_id=1,
                protocol_map="keti_bank",
            )
        database.set_clock(at(10, 1))
        yield server


def run_minute(folder: Path, url: str) -> DagRun:
    environment = {
        "SOS_HOME": str(folder / "sos"),
        "SOS_DATABASE_URL": url,
        "SOS_SHARED_BUSES": "",
        CONNECTION_VARIABLE: postgres_connection(url),
        "PATH": os.environ["PATH"],
    }
    return run_dag(folder, CHECKOUT / "dags", "sos_minute", environment)


def test_a_good_minute_skips_the_slow_lane_and_the_verdict(
    database: Database, rack: FaultyModbusServer, tmp_path: Path
) -> None:
    done = run_minute(tmp_path, database.url)
    assert [done.tasks[step] for step in STEPS] == ["success", "success", "success", "skipped", "skipped"], (
        done.output
    )
    assert done.run == "success"
    assert "1 of 1 devices read" in done.xcoms["poll_devices"]
    assert database.value("select count(*) from sos_ops.sos where minute = %s", at(10)) == 1


def test_a_slow_gateway_makes_the_slow_lane_run(
    database: Database, rack: FaultyModbusServer, tmp_path: Path
) -> None:
    with database.connect() as connection:
        record_lane(connection, LaneChange(Gateway(LOOPBACK, rack.port), slow=True, at=at(9)))
    done = run_minute(tmp_path, database.url)
    assert [done.tasks[step] for step in STEPS] == ["success", "success", "success", "success", "skipped"], (
        done.output
    )
    assert "0 of 0 devices read" in done.xcoms["poll_devices"]
    assert "1 of 1 devices read" in done.xcoms["poll_slow_devices"]


def test_while_the_database_is_away_reading_is_green_and_the_run_is_red(
    database: Database, rack: FaultyModbusServer, tmp_path: Path
) -> None:
    knows = run_minute(tmp_path, database.url)
    assert knows.tasks["poll_devices"] == "success", knows.output
    asked = len(rack.requests)
    (tmp_path / "airflow.db").unlink()
    with refusing_port() as port:
        done = run_minute(tmp_path, f"postgresql://sos:x@{LOOPBACK}:{port}/sos")
    assert done.run == "failed"
    assert [done.tasks[step] for step in STEPS[:3]] == ["success", "failed", "failed"], done.output
    assert done.tasks["fail_the_run"] == "failed"
    assert "1 devices read and kept in the buffer" in done.xcoms["poll_devices"]
    assert "PostgreSQL does not answer" in done.xcoms["poll_devices"]
    assert len(rack.requests) > asked
