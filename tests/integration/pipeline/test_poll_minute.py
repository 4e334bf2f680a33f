"""Polling a minute, from real devices good and bad to what the sets of their site may say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sos_ops.clock import MINUTE
from sos_ops.engines.limits import RULES
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.pipeline.analyse import analyse_new_readings
from sos_ops.pipeline.poll import poll_minute
from sos_ops.pipeline.poll_report import PollReport
from sos_ops.settings import Scenario
from sos_ops.store.devices import add_device
from sos_ops.store.explanations import explain
from sos_ops.store.maps import save_map
from tests.support import faulty_modbus as faults
from tests.support.database import Database
from tests.support.faulty_modbus import Fault, FaultyModbusServer, Request, refusing_port
from tests.support.plant import PACE, at, furnish, make_set, run_live, sos_rows
from tests.support.rack import serving_rack

MINUTE_10 = at(10)
LATE_IN_THE_MINUTE = 14.2
"""Reading ends 15 s after the minute, so a poll begun here gives a bad device little time."""

WARM = {5: 4050, 6: 3980, 7: 460, 8: 212}
"""Registers of `keti_bank`: highest and lowest cell voltage in mV, highest and lowest cell temperature in 0.1 °C."""

FOUR = sorted(rule.name for rule in RULES)


def warm(_unit: int, address: int) -> int:
    return WARM.get(address, 100)


@pytest.fixture
def plant(database: Database) -> Database:
    """The four limit tags in one set, made at nine minutes past; no device yet."""
    database.set_clock(at(9))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    assert make_set(database, *FOUR) == 1
    return database


@pytest.fixture
def faulty() -> Iterator[ExitStack]:
    """Holds the servers of a test."""
    with ExitStack() as servers:
        yield servers


def connect_device(
    database: Database, port: int, name: str = "rack-1", protocol_map: ProtocolMap | None = None
) -> None:
    with database.connect() as connection:
        if protocol_map is not None:
            save_map(connection, protocol_map)
        add_device(
            connection,
            name=name,
            site="testbed",
            host="127.0.0.1",
            port=port,
            unit_id=1,
            protocol_map="keti_bank" if protocol_map is None else protocol_map.name,
        )


def poll_at(database: Database, moment: datetime) -> PollReport:
    """One poll begun at this time, on a clock of the usual pace."""
    database.set_clock(moment, rate=PACE)
    return poll_minute(database.connect)


def polls(database: Database) -> list[tuple[object, ...]]:
    return database.rows(
        "select d.name, p.minute, p.last_minute, p.outcome, p.reason from sos_ops.poll as p "
        "join sos_ops.device as d using (device_id) order by d.name, p.minute"
    )


def readings(database: Database) -> dict[str, float]:
    return dict(
        database.rows(
            "select p.name, r.value from sos_ops.reading as r join sos_ops.point as p using (point_id)"
        )
    )


def test_a_simulated_racks_minute_ends_in_a_complete_sos(plant: Database, tmp_path: Path) -> None:
    with serving_rack(tmp_path, now=lambda: MINUTE_10) as port:
        connect_device(plant, port)
        report = poll_at(plant, at(10, 2))
    assert (report.minute, report.complete, report.readings) == (MINUTE_10, 1, 13)
    assert polls(plant) == [("rack-1", MINUTE_10, MINUTE_10, "complete", None)]
    ((began, first_read, last_read, ended),) = plant.rows(
        "select min(began_at), min(read_at), max(read_at), max(ended_at) from sos_ops.reading, sos_ops.poll"
    )
    assert at(10, 2) <= began <= first_read <= last_read <= ended < at(10, 15)
    assert analyse_new_readings(plant.connect).results == 4
    assert plant.rows("select distinct ts from sos_ops.result") == [(MINUTE_10,)]
    run_live(plant, at(10, 20))
    row = sos_rows(plant)[MINUTE_10, 1]
    assert (row.value, row.known, row.band, row.missing) == (1.0, 4, "safe", "")


def test_an_overheating_racks_minutes_end_in_an_alarming_sos(plant: Database, tmp_path: Path) -> None:
    clock = [at(10)]
    with serving_rack(tmp_path, now=lambda: clock[0], scenario=Scenario.OVERHEAT) as port:
        connect_device(plant, port)
        poll_at(plant, at(10, 2))
        clock[0] = at(15)
        poll_at(plant, at(15, 2))
    analyse_new_readings(plant.connect)
    run_live(plant, at(15, 20))
    rows = sos_rows(plant)
    assert rows[at(10), 1].band == "safe"
    assert rows[at(15), 1].band == "warning"
    assert rows[at(15), 1].limiting_tag == "over_temp"


def test_values_are_stored_in_the_points_units(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    connect_device(plant, server.port)
    poll_at(plant, at(10, 2))
    found = readings(plant)
    assert (found["max_cell_temperature"], found["min_cell_temperature"]) == (46.0, 21.2)
    assert (found["max_cell_voltage"], found["min_cell_voltage"]) == (4.05, 3.98)


BAD: list[tuple[str, Fault]] = [
    ("half open", faults.silent),
    ("slow", faults.late(8)),
    ("short", faults.short_answer),
    ("cut off", faults.truncated_answer),
    ("another unit's", faults.wrong_unit),
    ("another table's", faults.wrong_function),
    ("another request's", faults.next_transaction_id),
    ("an exception", faults.exception(4)),
    ("no Modbus", faults.garbage),
    ("reset", faults.reset),
]


@pytest.mark.parametrize("fault", [fault for _, fault in BAD], ids=[name for name, _ in BAD])
def test_a_bad_devices_minute_is_a_failed_poll_with_its_reason_and_its_set_never_safe(
    plant: Database, faulty: ExitStack, fault: Fault
) -> None:
    server = faulty.enter_context(FaultyModbusServer(then=fault))
    connect_device(plant, server.port)
    assert_failed_and_never_safe(plant, server.port)


def test_a_device_that_is_off_is_a_failed_poll_with_its_reason_and_its_set_never_safe(
    plant: Database,
) -> None:
    with refusing_port() as port:
        connect_device(plant, port)
        assert_failed_and_never_safe(plant, port)


def assert_failed_and_never_safe(plant: Database, port: int) -> None:
    report = poll_at(plant, at(10, LATE_IN_THE_MINUTE))
    assert report.nothing_read
    ((_, minute, _, outcome, reason),) = polls(plant)
    assert (minute, outcome) == (MINUTE_10, "failed")
    assert str(port) in str(reason)
    assert readings(plant) == {}
    assert analyse_new_readings(plant.connect).results == 0
    run_live(plant, at(10, 20))
    row = sos_rows(plant)[MINUTE_10, 1]
    assert (row.value, row.known, row.band) == (None, 0, "unknown")
    assert row.missing == ";".join(f"{tag}:none" for tag in FOUR)
    with plant.connect() as connection:
        parts = explain(connection, 1, MINUTE_10).parts
    assert all(str(reason) in str(part.missing_detail) for part in parts)


def test_a_bad_device_stops_no_other(plant: Database, faulty: ExitStack) -> None:
    good = faulty.enter_context(FaultyModbusServer(value_of=warm))
    silent = faulty.enter_context(FaultyModbusServer(then=faults.silent))
    connect_device(plant, good.port, "good")
    connect_device(plant, silent.port, "silent")
    connect_device(plant, good.port, "unmapped")
    plant.run("update sos_ops.device set protocol_map = 'no_such_map' where name = 'unmapped'")
    report = poll_at(plant, at(10, LATE_IN_THE_MINUTE))
    assert [row[0] for row in polls(plant) if row[3] == "complete"] == ["good"]
    assert (report.complete, len(report.failed), report.readings) == (1, 2, 13)
    assert not report.nothing_read
    assert any("no_such_map" in line for line in report.failed)
    assert "1 of 3 devices read" in report.line()


TWO_BLOCKS = ProtocolMap.model_validate(
    {
        "name": "two_blocks",
        "version": 1,
        "description": "temperatures and voltages far apart",
        "read_function": "input",
        "addressing": "zero_based",
        "points": [
            {"name": "max_cell_voltage", "address": 305, "type": "s16", "scale": 0.001, "unit": "V"},
            {"name": "min_cell_voltage", "address": 306, "type": "s16", "scale": 0.001, "unit": "V"},
            {"name": "max_cell_temperature", "address": 7, "type": "s16", "scale": 0.1, "unit": "°C"},
            {"name": "min_cell_temperature", "address": 8, "type": "s16", "scale": 0.1, "unit": "°C"},
        ],
    }
)


def test_a_device_read_in_part_is_a_partial_poll_and_its_set_incomplete(
    plant: Database, faulty: ExitStack
) -> None:
    def no_voltages(request: Request) -> Fault:
        return faults.exception(2) if request.address > 100 else faults.honest

    server = faulty.enter_context(FaultyModbusServer(choose=no_voltages, value_of=warm))
    connect_device(plant, server.port, protocol_map=TWO_BLOCKS)
    report = poll_at(plant, at(10, 2))
    ((_, _, _, outcome, reason),) = polls(plant)
    assert outcome == "partial"
    assert "2 of 4 points in quarantine: max_cell_voltage (exception 2" in str(reason)
    assert report.partial == (f"rack-1: {reason}",)
    assert readings(plant) == {"max_cell_temperature": 46.0, "min_cell_temperature": 21.2}
    withheld = analyse_new_readings(plant.connect).withheld
    assert withheld == [
        "over_voltage: max_cell_voltage missing of rack-1",
        "under_voltage: min_cell_voltage missing of rack-1",
    ]
    run_live(plant, at(10, 20))
    row = sos_rows(plant)[MINUTE_10, 1]
    assert (row.value, row.known, row.band) == (None, 2, "unknown")
    assert row.missing == "over_voltage:none;under_voltage:none"


def test_the_devices_not_implemented_value_is_no_value(plant: Database, faulty: ExitStack) -> None:
    broken_sensor = {**WARM, 7: 0x8000}
    server = faulty.enter_context(
        FaultyModbusServer(value_of=lambda _unit, address: broken_sensor.get(address, 100))
    )
    connect_device(plant, server.port)
    assert poll_at(plant, at(10, 2)).complete == 1
    assert readings(plant)["max_cell_temperature"] is None
    analyse_new_readings(plant.connect)
    run_live(plant, at(10, 20))
    row = sos_rows(plant)[MINUTE_10, 1]
    assert (row.value, row.known, row.missing, row.band) == (None, 3, "over_temp:none", "unknown")


def test_an_unlikely_value_is_kept_when_it_points_to_danger_and_set_aside_when_it_points_to_safety(
    plant: Database, faulty: ExitStack
) -> None:
    unlikely = {**WARM, 7: 1500, 8: 1500}  # 150 °C, far above anything plausible
    server = faulty.enter_context(
        FaultyModbusServer(value_of=lambda _unit, address: unlikely.get(address, 100))
    )
    connect_device(plant, server.port)
    report = poll_at(plant, at(10, 2))
    assert report.line().endswith("2 values doubtful: rack-1 (1 set aside, 1 marked)")
    stored = {
        name: (value, suspect)
        for name, value, suspect in plant.rows(
            "select p.name, r.value, r.suspect_value from sos_ops.reading as r join sos_ops.point as p using (point_id)"
        )
    }
    assert stored["max_cell_temperature"] == (150.0, None)
    assert stored["min_cell_temperature"] == (None, 150.0)
    analyse_new_readings(plant.connect)
    run_live(plant, at(10, 20))
    row = sos_rows(plant)[MINUTE_10, 1]
    assert (row.value, row.missing, row.band) == (None, "under_temp:none", "critical")


def test_a_run_that_begins_40_s_after_the_minute_does_not_poll(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    connect_device(plant, server.port)
    report = poll_at(plant, at(10, 40))
    assert server.connections == 0
    ((_, minute, _, outcome, reason),) = polls(plant)
    assert (minute, outcome) == (MINUTE_10, "failed")
    assert str(reason) == "the run began 40 s after the minute, too late to poll"
    assert report.failed == (f"rack-1: {reason}",)


def test_a_run_started_by_hand_belongs_to_the_minute_it_starts_in(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    connect_device(plant, server.port)
    assert poll_at(plant, at(12, 29)).minute == at(12)
    assert plant.rows("select distinct minute from sos_ops.reading") == [(at(12),)]


def test_the_second_run_in_a_minute_reads_nothing(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    connect_device(plant, server.port)
    poll_at(plant, at(10, 2))
    asked, stored = len(server.requests), polls(plant)
    again = poll_at(plant, at(10, 12))
    assert len(server.requests) == asked
    assert polls(plant) == stored
    assert (again.already, again.complete, again.readings) == (1, 0, 0)
    assert not again.nothing_read


def test_two_runs_at_the_same_moment_store_one_outcome_and_each_reading_once(
    plant: Database, faulty: ExitStack
) -> None:
    both_asked = threading.Barrier(2)

    def answered_once_both_asked(exchange: faults.Exchange) -> Awaitable[None]:
        async def wait_and_answer() -> None:
            await asyncio.to_thread(both_asked.wait, 10)
            await faults.honest(exchange)

        return wait_and_answer()

    server = faulty.enter_context(FaultyModbusServer(then=answered_once_both_asked, value_of=warm))
    connect_device(plant, server.port)
    plant.set_clock(at(10, 2), rate=PACE)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: poll_minute(plant.connect), range(2)))
    assert polls(plant) == [("rack-1", MINUTE_10, MINUTE_10, "complete", None)]
    assert sorted(report.readings for report in reports) == [0, 13]
    assert plant.value("select count(*) from sos_ops.reading") == 13


def test_a_minute_that_failed_is_not_tried_again(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(then=faults.exception(4)))
    connect_device(plant, server.port)
    poll_at(plant, at(10, 2))
    asked = len(server.requests)
    poll_at(plant, at(10, 12))
    assert len(server.requests) == asked


def test_missed_minutes_become_failed_polls_in_one_row_a_gap(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    plant.set_clock(at(9, 30))
    connect_device(plant, server.port)
    poll_at(plant, at(10, 2))
    assert poll_at(plant, at(30, 2)).closed == 19
    assert poll_at(plant, at(31, 2)).closed == 0
    assert poll_at(plant, at(33, 2)).closed == 1
    why = "no run polled this minute"
    assert [row[1:] for row in polls(plant)] == [
        (at(10), at(10), "complete", None),
        (at(11), at(29), "failed", why),
        (at(30), at(30), "complete", None),
        (at(31), at(31), "complete", None),
        (at(32), at(32), "failed", why),
        (at(33), at(33), "complete", None),
    ]


def test_every_minute_of_a_device_has_exactly_one_outcome_from_its_first_whole_minute(
    plant: Database, faulty: ExitStack
) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    plant.set_clock(at(9, 30))
    connect_device(plant, server.port)
    for minute in (14, 15, 18):
        poll_at(plant, at(minute, 2))
    covered: list[datetime] = []
    for _, first, last, _, _ in polls(plant):
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        covered += [first + n * MINUTE for n in range((last - first) // MINUTE + 1)]
    assert covered == [at(minute) for minute in range(10, 19)]


def test_a_device_made_in_the_minute_it_is_first_polled_in_has_no_minute_before(
    plant: Database, faulty: ExitStack
) -> None:
    server = faulty.enter_context(FaultyModbusServer(value_of=warm))
    plant.set_clock(at(10, 1))
    connect_device(plant, server.port)
    poll_at(plant, at(10, 12))
    poll_at(plant, at(11, 2))
    assert [row[1] for row in polls(plant)] == [at(10), at(11)]


def test_the_budget_of_a_poll_follows_a_clock_that_runs_faster(plant: Database, faulty: ExitStack) -> None:
    server = faulty.enter_context(FaultyModbusServer(then=faults.silent))
    connect_device(plant, server.port)
    began = plant.value("select clock_timestamp()")
    plant.set_clock(at(10, 2), rate=15.0)
    poll_minute(plant.connect)
    assert plant.value("select clock_timestamp()") - began < timedelta(seconds=5)
    ((_, minute, _, outcome, _),) = polls(plant)
    assert (minute, outcome) == (MINUTE_10, "failed")
