"""The platform's polling as Airflow tasks: green, red or skipped, and why."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from sos_ops.buffer.buffer import Buffer
from sos_ops.errors import SosOpsError
from sos_ops.operators.poll import PollDevicesOperator, PollSharedBusOperator, PollSlowDevicesOperator
from sos_ops.settings import get_settings
from sos_ops.stack.airflow_config import CONNECTION_VARIABLE, postgres_connection
from sos_ops.store.devices import add_device
from sos_ops.store.gateways import Gateway, LaneChange, record_lane
from tests.support.database import Database
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, refusing_port
from tests.support.plant import at

SLOW_LANE = "poll_slow_devices"


class Recorder:
    """The task instance, as far as an operator uses it."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def add(database: Database, name: str, port: int) -> None:
    with database.connect() as connection:
        add_device(
            connection,
            name=name,
            site="testbed",
            host=LOOPBACK,
            port=port,
            unit_id=1,
            protocol_map="keti_bank",
        )


def make_slow(database: Database, port: int) -> None:
    with database.connect() as connection:
        record_lane(connection, LaneChange(Gateway(LOOPBACK, port), slow=True, at=at(5)))


def polled(database: Database) -> list[tuple[Any, ...]]:
    return database.rows(
        "select d.name, p.outcome from sos_ops.poll as p join sos_ops.device as d using (device_id) "
        "where p.minute = %s order by 1",
        at(10),
    )


def begin_minute(database: Database) -> None:
    database.set_clock(at(10, 1), rate=0.5)


def run(operator: Any) -> tuple[str | None, set[str]]:
    """The line the task leaves, and the tasks that it skips."""
    recorder = Recorder()
    try:
        return operator.execute({"ti": recorder}), set()
    except DownstreamTasksSkipped as skip:
        return recorder.pushed["return_value"], set(skip.tasks)


def quick() -> PollDevicesOperator:
    return PollDevicesOperator(task_id="poll_devices", slow_lane=SLOW_LANE)


@pytest.fixture
def plant(platform: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("SOS_BUFFER_MB", "1")
    get_settings.cache_clear()
    platform.set_clock(at(9))
    return platform


def test_without_slow_gateways_the_slow_lane_is_skipped_and_the_line_is_kept(plant: Database) -> None:
    with FaultyModbusServer() as server:
        add(plant, "rack-1", server.port)
        begin_minute(plant)
        line, skipped = run(quick())
    assert skipped == {SLOW_LANE}
    assert line is not None
    assert line.startswith("2026-03-01 00:10 UTC: 1 of 1 devices read, 13 readings")


def test_a_slow_gateway_is_left_to_the_slow_lane_which_then_runs(plant: Database) -> None:
    with FaultyModbusServer() as fast, FaultyModbusServer() as slow:
        add(plant, "rack-1", fast.port)
        add(plant, "rack-2", slow.port)
        make_slow(plant, slow.port)
        begin_minute(plant)
        line, skipped = run(quick())
        assert skipped == set()
        assert "1 of 1 devices read" in (line or "")
        assert slow.requests == []
        line, _ = run(PollSlowDevicesOperator(task_id=SLOW_LANE))
    assert "1 of 1 devices read" in (line or "")
    assert polled(plant) == [("rack-1", "complete"), ("rack-2", "complete")]


def test_a_slow_lane_that_finds_nothing_is_skipped(plant: Database) -> None:
    begin_minute(plant)
    with pytest.raises(AirflowSkipException):
        run(PollSlowDevicesOperator(task_id=SLOW_LANE))


def test_a_shared_bus_is_read_by_its_own_task_alone(plant: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyModbusServer() as fast, FaultyModbusServer() as bus:
        monkeypatch.setenv("SOS_SHARED_BUSES", f"{LOOPBACK}:{bus.port}")
        get_settings.cache_clear()
        add(plant, "rack-1", fast.port)
        add(plant, "rack-2", bus.port)
        begin_minute(plant)
        run(quick())
        assert polled(plant) == [("rack-1", "complete")]
        (shared,) = get_settings().buses
        line, _ = run(PollSharedBusOperator.of(shared))
    assert "1 of 1 devices read" in (line or "")
    assert polled(plant) == [("rack-1", "complete"), ("rack-2", "complete")]


def test_a_shared_bus_without_devices_is_skipped(plant: Database) -> None:
    begin_minute(plant)
    with pytest.raises(AirflowSkipException):
        run(PollSharedBusOperator(task_id="poll_bus", host=LOOPBACK, port=1))


def test_when_no_device_answers_the_task_is_red_and_says_why(plant: Database) -> None:
    with refusing_port() as port:
        add(plant, "rack-1", port)
        begin_minute(plant)
        with pytest.raises(AirflowFailException, match="failed: rack-1: connection refused"):
            run(quick())
    assert polled(plant) == [("rack-1", "failed")]


def test_one_device_that_is_off_does_not_make_the_task_red(plant: Database) -> None:
    with FaultyModbusServer() as server, refusing_port() as port:
        add(plant, "rack-1", server.port)
        add(plant, "rack-2", port)
        begin_minute(plant)
        line, _ = run(quick())
    assert "1 of 2 devices read" in (line or "")
    assert "failed: rack-2: connection refused" in (line or "")


def fill_the_buffer() -> None:
    """Nothing more fits into what it may take of the disk."""
    aside = Buffer.of(get_settings()).set_aside_folder
    aside.mkdir(parents=True)
    (aside / "old.poll").write_bytes(bytes(1_000_001))


@pytest.fixture
def away(plant: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Takes the database away: its port refuses."""
    with ExitStack() as held:

        def take() -> None:
            port = held.enter_context(refusing_port())
            gone = postgres_connection(f"postgresql://sos:x@{LOOPBACK}:{port}/sos")
            monkeypatch.setenv(CONNECTION_VARIABLE, gone)

        yield take


def test_while_the_database_is_away_the_task_stays_green_with_a_warning_and_nothing_is_lost(
    plant: Database, away: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyModbusServer() as server:
        add(plant, "rack-1", server.port)
        begin_minute(plant)
        run(quick())  # knows the devices from here on
        plant.set_clock(at(11, 1), rate=0.5)
        monkeypatch.delenv(CONNECTION_VARIABLE)
        away()
        with caplog.at_level(logging.INFO):
            line, _ = run(quick())
    assert "1 devices read and kept in the buffer" in (line or "")
    assert "PostgreSQL does not answer" in (line or "")


def test_what_can_neither_be_stored_nor_kept_makes_the_task_red(plant: Database, away: Any) -> None:
    with FaultyModbusServer() as server:
        add(plant, "rack-1", server.port)
        begin_minute(plant)
        run(quick())  # knows the devices from here on
        plant.set_clock(at(11, 1), rate=0.5)
        fill_the_buffer()
        away()
        with pytest.raises(SosOpsError, match=r"1 devices read and lost: .*the buffer .* is full"):
            run(quick())


def test_a_buffer_that_could_not_keep_anything_makes_the_task_red_before_it_is_needed(
    plant: Database,
) -> None:
    with FaultyModbusServer() as server:
        add(plant, "rack-1", server.port)
        begin_minute(plant)
        fill_the_buffer()
        with pytest.raises(AirflowFailException, match=r"1 of 1 devices read, .*the buffer .* is full"):
            run(quick())
    assert polled(plant) == [("rack-1", "complete")]
