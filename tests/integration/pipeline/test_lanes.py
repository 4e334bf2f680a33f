"""Slow devices revise the minute, they do not hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from sos_ops.engines.interface import Analysis
from sos_ops.engines.limits import RULES, LimitEngine
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.pipeline import analyse
from sos_ops.pipeline.analyse import analyse_new_readings
from sos_ops.pipeline.poll import poll_gateways, poll_minute, poll_slow_minute
from sos_ops.pipeline.poll_report import PollReport
from sos_ops.safety.score import Limits
from sos_ops.settings import Settings
from sos_ops.store.devices import add_device
from sos_ops.store.gateways import LaneChange
from sos_ops.store.maps import save_map
from sos_ops.store.polling import PollBatch, read_catalogue, store_batch
from tests.support import faulty_modbus as faults
from tests.support.batches import batch, poll_of
from tests.support.database import Database
from tests.support.faulty_modbus import Fault, FaultyModbusServer, Request
from tests.support.invariants import broken_invariants
from tests.support.maps import small_map
from tests.support.plant import at, furnish, make_set, run_live, sos_rows

RATE = 6.0
"""The quick lane's 15 s are 2.5 s of the machine, the slow lane's 30 s are 5 s."""

SLOW_ANSWER_S = 0.35
"""Eleven of these are 3.85 s: too long for the quick lane, and not for the slow one."""

FOUR = sorted(rule.name for rule in RULES)


def eleven_blocks() -> ProtocolMap:
    """The limit points, and ten points far from each other."""
    points = [point.model_dump(mode="json", exclude_defaults=True) for point in small_map().points]
    far = [{"name": f"far_{n}", "address": 100 * n, "type": "u16"} for n in range(1, 11)]
    return small_map("eleven_blocks", points=points + far)


class Line:
    """A device whose line is slow until it is mended."""

    def __init__(self, temperature: int) -> None:
        self.slow = True
        self.dead = False
        registers = {5: 3980, 6: 3900, 7: temperature, 8: 212}
        self.server = FaultyModbusServer(choose=self._choose, value_of=lambda _, a: registers.get(a, 100))

    def _choose(self, _request: Request) -> Fault:
        if self.dead:
            return faults.hang_up
        return faults.late(SLOW_ANSWER_S) if self.slow else faults.honest


@pytest.fixture
def plant(database: Database) -> Database:
    """The four limit tags in one set, made at nine minutes past."""
    database.set_clock(at(9, 30))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    make_set(database, *FOUR)
    with database.connect() as connection:
        save_map(connection, eleven_blocks())
    return database


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def place(plant: Database, name: str, port: int, unit_id: int = 1) -> None:
    with plant.connect() as connection:
        add_device(
            connection, name=name, site="testbed", host="127.0.0.1", port=port, unit_id=unit_id,
            protocol_map="eleven_blocks",
        )  # fmt: skip


@pytest.fixture
def quick(plant: Database, servers: ExitStack) -> Line:
    """A device that is read at once, at 46 °C."""
    line = Line(460)
    line.slow = False
    place(plant, "quick", servers.enter_context(line.server).port)
    return line


@pytest.fixture
def slow(plant: Database, servers: ExitStack) -> Line:
    """A device on a slow line, at 47 °C."""
    line = Line(470)
    place(plant, "slow", servers.enter_context(line.server).port)
    return line


def poll_at(plant: Database, moment: datetime, settings: Settings | None = None) -> PollReport:
    plant.set_clock(moment, rate=RATE)
    return poll_minute(plant.connect, settings)


def poll_slow_at(plant: Database, moment: datetime) -> PollReport:
    plant.set_clock(moment, rate=RATE)
    return poll_slow_minute(plant.connect)


def polls(plant: Database) -> list[tuple[Any, ...]]:
    return plant.rows(
        "select d.name, p.minute, p.outcome from sos_ops.poll as p "
        "join sos_ops.device as d using (device_id) order by 2, 1"
    )


def over_temp(plant: Database, minute: int) -> list[float]:
    rows = plant.rows(
        "select value from sos_ops.result join sos_ops.tag using (tag_id) where tag = 'over_temp' and ts = %s",
        at(minute),
    )
    return [value for (value,) in rows]


def test_a_slow_device_does_not_hold_the_minute_and_revises_it(
    plant: Database, quick: Line, slow: Line
) -> None:
    report = poll_at(plant, at(10, 2))
    assert plant.value("select sos_ops.now()") < at(10, 20)
    assert (report.complete, report.unfinished, report.slow_gateways) == (1, ("slow",), 1)
    assert polls(plant) == [("quick", at(10), "complete")]
    plant.set_clock(at(10, 18))
    withheld = analyse_new_readings(plant.connect).withheld
    assert "over_temp: max_cell_temperature of slow is still being read" in withheld
    run_live(plant, at(10, 20))
    assert sos_rows(plant)[at(10), 1].known == 0

    late = poll_slow_at(plant, at(10, 18))
    assert (late.complete, late.readings) == (1, 14)
    assert plant.value("select max(read_at) from sos_ops.reading") > at(10, 18)
    plant.set_clock(at(11, 5))
    assert analyse_new_readings(plant.connect).minutes == 1
    run_live(plant, at(11, 20))
    assert sos_rows(plant)[at(10), 1].value is not None
    assert over_temp(plant, 10) == [47.0]
    assert plant.value("select count(*) from sos_ops.sos_revision where minute = %s", at(10)) == 1
    with plant.connect() as connection:
        assert broken_invariants(connection) == {}
    assert quick.server.connections == 1


def test_a_slow_gateway_is_left_to_the_slow_lane_straight_away(
    plant: Database, quick: Line, slow: Line
) -> None:
    poll_at(plant, at(10, 2))
    asked = len(slow.server.requests)
    report = poll_at(plant, at(11, 2))
    assert len(slow.server.requests) == asked
    assert (report.complete, report.unfinished, report.slow_gateways) == (1, (), 1)
    assert ("slow", at(10), "failed") in polls(plant)  # the slow lane never ran: closed by the next minute
    assert poll_slow_at(plant, at(11, 18)).complete == 1
    assert len(quick.server.requests) == 22


def test_a_gateway_that_has_become_quick_returns_to_the_quick_lane(plant: Database, slow: Line) -> None:
    poll_at(plant, at(10, 2))
    assert poll_slow_at(plant, at(10, 18)).complete == 1
    assert poll_at(plant, at(11, 2)).slow_gateways == 1  # it took longer than 10 s
    slow.slow = False
    assert poll_slow_at(plant, at(11, 18)).complete == 1
    report = poll_at(plant, at(12, 2))
    assert (report.complete, report.slow_gateways) == (1, 0)


def test_the_slow_lane_without_slow_gateways_does_nothing(plant: Database, quick: Line) -> None:
    assert poll_at(plant, at(10, 2)).slow_gateways == 0
    report = poll_slow_at(plant, at(10, 18))
    assert (report.complete, report.partial, report.failed, report.already) == (0, (), (), 0)
    assert polls(plant) == [("quick", at(10), "complete")]
    assert len(quick.server.requests) == 11


def test_a_slow_lane_that_begins_too_late_reads_nothing_and_says_so(plant: Database, slow: Line) -> None:
    poll_at(plant, at(10, 2))
    asked = len(slow.server.requests)
    (line,) = poll_slow_at(plant, at(10, 40)).failed
    assert line == "slow: the run began 40 s after the minute, too late to poll"
    assert len(slow.server.requests) == asked
    assert polls(plant) == [("slow", at(10), "failed")]


def test_minutes_in_which_a_run_began_too_late_are_not_held_against_a_device(
    plant: Database, quick: Line
) -> None:
    for minute in range(10, 15):
        poll_at(plant, at(minute, 40))
        poll_at(plant, at(minute, 50))
    assert quick.server.requests == []
    assert polls(plant) == [("quick", at(minute), "failed") for minute in range(10, 15)]
    with plant.connect() as connection:
        catalogue = read_catalogue(connection, at(15))
        assert broken_invariants(connection) == {}
    (entry,) = catalogue.devices
    assert entry.last_tried is None
    late = poll_of(entry.device.device_id, at(15), None, map_id=None, device="quick")
    asked = poll_of(entry.device.device_id, at(15), None, map_id=entry.map_id, device="quick")
    assert catalogue.after(batch(at(15), late)).devices[0].last_tried is None
    assert catalogue.after(batch(at(15), asked)).devices[0].last_tried == at(15)


def test_the_slow_lane_asks_a_long_silent_device_last_but_not_briefly(
    plant: Database, servers: ExitStack
) -> None:
    def choose(request: Request) -> Fault:
        of_it = [r for r in server.requests if r.unit_id == 1]
        return faults.silent if request.unit_id == 1 and len(of_it) == 1 else faults.honest

    server = servers.enter_context(FaultyModbusServer(choose=choose))
    place(plant, "silent", server.port, unit_id=1)
    place(plant, "well", server.port, unit_id=2)
    with plant.connect() as connection:
        silent, well = sorted(read_catalogue(connection, at(10)).devices, key=lambda e: e.device.name)
        slow = LaneChange(silent.gateway, slow=True, at=at(10))
        for minute in range(10, 16):
            of_silent = poll_of(
                silent.device.device_id, at(minute), None, map_id=silent.map_id, device="silent"
            )
            of_well = poll_of(well.device.device_id, at(minute), {"far_1": 1.0}, map_id=well.map_id)
            store_batch(connection, PollBatch(at(minute), (of_silent, of_well), lanes=(slow,)))
    assert poll_slow_at(plant, at(16, 18)).complete == 2
    assert [r.unit_id for r in server.requests] == [2] * 11 + [1] * 12


def test_a_gateway_whose_device_fails_does_not_return_to_the_quick_lane(plant: Database, slow: Line) -> None:
    poll_at(plant, at(10, 2))
    slow.dead = True
    assert len(poll_slow_at(plant, at(10, 18)).failed) == 1
    asked = len(slow.server.requests)
    assert poll_at(plant, at(11, 2)).slow_gateways == 1
    assert len(slow.server.requests) == asked


def test_what_the_slow_lane_cannot_finish_is_stored_as_far_as_it_was_read(
    plant: Database, slow: Line
) -> None:
    poll_at(plant, at(10, 2))
    report = poll_slow_at(plant, at(10, 28))  # 22 s are 3.7 s of the machine, less what opening takes
    plant.set_clock(at(10, 29.5), rate=RATE)
    (outcome,) = [row[2] for row in polls(plant)]
    assert outcome in ("partial", "complete")
    assert report.readings > 0


def test_the_worse_news_of_a_slow_device_is_not_hidden_behind_another_devices_danger(
    plant: Database, servers: ExitStack
) -> None:
    hot, hotter = Line(512), Line(600)
    hot.slow = False
    place(plant, "hot", servers.enter_context(hot.server).port)
    place(plant, "hotter", servers.enter_context(hotter.server).port)
    poll_at(plant, at(10, 2))
    plant.set_clock(at(10, 18))
    analyse_new_readings(plant.connect)
    assert over_temp(plant, 10) == []
    poll_slow_at(plant, at(10, 18))
    plant.set_clock(at(11, 5))
    analyse_new_readings(plant.connect)
    assert over_temp(plant, 10) == [60.0]


def test_danger_is_told_as_soon_as_it_is_certain_that_the_slow_device_says_nothing(
    plant: Database, servers: ExitStack
) -> None:
    hot, slow = Line(512), Line(300)
    hot.slow = False
    place(plant, "hot", servers.enter_context(hot.server).port)
    place(plant, "slow", servers.enter_context(slow.server).port)
    poll_at(plant, at(10, 2))
    plant.set_clock(at(10, 18))
    analyse_new_readings(plant.connect)
    poll_at(plant, at(11, 2))  # nobody ran the slow lane
    plant.set_clock(at(11, 18))
    analyse_new_readings(plant.connect)
    assert over_temp(plant, 10) == [51.2]


def test_a_shared_bus_is_read_by_its_own_task_alone(
    plant: Database, quick: Line, slow: Line, home: Settings
) -> None:
    bus = ("127.0.0.1", slow.server.port)
    settings = home.model_copy(update={"shared_buses": f"{bus[0]}:{bus[1]}"})
    report = poll_at(plant, at(10, 2), settings)
    assert (report.complete, report.unfinished, report.slow_gateways) == (1, (), 0)
    assert slow.server.requests == []
    plant.set_clock(at(10, 3), rate=RATE)
    assert poll_gateways(plant.connect, [bus], settings).complete == 1
    assert plant.rows("select * from sos_ops.gateway") == []
    assert [row[2] for row in polls(plant)] == ["complete", "complete"]
    assert len(quick.server.requests) == 11


class Interrupted(LimitEngine):
    """Late readings are stored while it works on what it was given."""

    def __init__(self, plant: Database) -> None:
        self._plant = plant
        self.calls = 0

    def analyse(self, readings: pd.DataFrame, limits: Mapping[str, Limits]) -> Analysis:
        self.calls += 1
        if self.calls == 1:
            with self._plant.connect() as connection:
                values = {"max_cell_temperature": 47.0, "min_cell_temperature": 21.2}
                volts = {"max_cell_voltage": 3.98, "min_cell_voltage": 3.9}
                store_batch(connection, batch(at(10), poll_of(2, at(10), values | volts)))
        return super().analyse(readings, limits)


def test_readings_stored_while_an_engine_works_are_not_overlooked(
    plant: Database, quick: Line, slow: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_at(plant, at(10, 2))
    engine = Interrupted(plant)
    monkeypatch.setattr(analyse, "load_engines", lambda: ([engine], []))
    plant.set_clock(at(10, 18))
    analyse_new_readings(plant.connect)
    assert over_temp(plant, 10) == []
    assert analyse_new_readings(plant.connect).minutes == 1
    assert over_temp(plant, 10) == [47.0]
    assert analyse_new_readings(plant.connect).minutes == 0
    assert quick.server.connections == slow.server.connections == 1
