"""Running the engines over stored readings: each through its partner's door, each failing alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta

import pandas as pd
import pytest

from sos_ops.engines.interface import Analysis, Engine
from sos_ops.engines.limits import RULES, LimitEngine
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.pipeline import analyse
from sos_ops.pipeline.analyse import analyse_day, analyse_new_readings
from sos_ops.pipeline.poll import poll_minute
from sos_ops.safety.score import Limits
from sos_ops.store.devices import add_device
from sos_ops.store.maps import save_map
from tests.support.database import Database
from tests.support.faulty_modbus import FaultyModbusServer, refusing_port
from tests.support.plant import MIDNIGHT, PACE, at, furnish

MAX_TEMPERATURE = 7
NORMAL = {5: 3980, 6: 3900, MAX_TEMPERATURE: 350, 8: 212}


def holding(image: Mapping[int, int]) -> Callable[[int, int], int]:
    """What a register holds: that of the image, else 100."""
    return lambda _unit, address: image.get(address, 100)


@pytest.fixture
def plant(database: Database) -> Database:
    """The four limit tags, made at nine minutes past; no device yet."""
    database.set_clock(at(9))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    return database


def poll_devices(plant: Database, minute: int, *temperatures: int | None) -> None:
    """One poll of a device per temperature, in 0.1 °C; a device with none is off the line."""
    with ExitStack() as servers:
        for number, temperature in enumerate(temperatures):
            if temperature is None:
                port = servers.enter_context(refusing_port())
            else:
                image = {**NORMAL, MAX_TEMPERATURE: temperature}
                port = servers.enter_context(FaultyModbusServer(value_of=holding(image))).port
            place(plant, f"rack-{number}", port)
        plant.set_clock(at(minute, 2), rate=PACE)
        poll_minute(plant.connect)


def place(plant: Database, name: str, port: int) -> None:
    if plant.rows("select from sos_ops.device where name = %s", name):
        plant.run("update sos_ops.device set port = %s where name = %s", port, name)
        return
    with plant.connect() as connection:
        add_device(
            connection,
            name=name,
            site="testbed",
            host="127.0.0.1",
            port=port,
            unit_id=1,
            protocol_map="keti_bank",
        )


def results(plant: Database) -> dict[tuple[str, int], float]:
    return {
        (tag, (ts - MIDNIGHT) // timedelta(minutes=1)): value
        for tag, ts, value in plant.rows(
            "select tag, ts, value from sos_ops.result join sos_ops.tag using (tag_id)"
        )
    }


def test_the_limit_engine_gives_the_extreme_over_the_devices_of_the_site(plant: Database) -> None:
    poll_devices(plant, 10, 352, 461, 349)
    report = analyse_new_readings(plant.connect)
    assert (report.results, report.minutes, report.failures) == (4, 1, [])
    assert results(plant) == {
        ("over_temp", 10): 46.1,
        ("under_temp", 10): 21.2,
        ("over_voltage", 10): 3.98,
        ("under_voltage", 10): 3.9,
    }


def test_a_result_is_withheld_while_a_device_of_the_site_is_missing(plant: Database) -> None:
    poll_devices(plant, 10, 461, None)
    report = analyse_new_readings(plant.connect)
    assert results(plant) == {}
    assert "over_temp: max_cell_temperature missing of rack-1" in report.withheld
    assert "withheld: over_temp" in report.line()


def test_danger_that_the_other_devices_prove_is_told_although_one_is_missing(plant: Database) -> None:
    poll_devices(plant, 10, 512, None)
    analyse_new_readings(plant.connect)
    assert results(plant) == {("over_temp", 10): 51.2}


def test_a_device_that_does_not_measure_a_point_does_not_withhold_its_tag_even_when_it_is_off(
    plant: Database,
) -> None:
    current_only = ProtocolMap.model_validate(
        {
            "name": "meter",
            "version": 1,
            "description": "a meter at the same site",
            "read_function": "input",
            "addressing": "zero_based",
            "points": [{"name": "current", "address": 3, "type": "s16", "scale": 0.1, "unit": "A"}],
        }
    )
    with plant.connect() as connection:
        save_map(connection, current_only)
    with refusing_port() as port:
        place(plant, "meter", port)
    plant.run("update sos_ops.device set protocol_map = 'meter'")
    with FaultyModbusServer() as meter:
        place(plant, "meter", meter.port)
        poll_devices(plant, 10, 461)
    report = analyse_new_readings(plant.connect)
    assert results(plant)["over_temp", 10] == 46.1
    assert report.withheld == []
    poll_devices(plant, 11, 461)
    analyse_new_readings(plant.connect)
    assert results(plant)["over_temp", 11] == 46.1  # the meter is off by now


def test_a_device_whose_map_is_not_to_be_had_may_measure_anything(plant: Database) -> None:
    with refusing_port() as port:
        place(plant, "unmapped", port)
    plant.run("update sos_ops.device set protocol_map = 'gone'")
    poll_devices(plant, 10, 461)
    report = analyse_new_readings(plant.connect)
    assert results(plant) == {}
    assert "over_temp: max_cell_temperature missing of unmapped" in report.withheld


def test_readings_are_analysed_once(plant: Database) -> None:
    poll_devices(plant, 10, 461)
    assert analyse_new_readings(plant.connect).results == 4
    again = analyse_new_readings(plant.connect)
    assert (again.results, again.minutes) == (0, 0)
    assert plant.rows("select * from sos_ops.result_set_aside") == []


def test_minutes_left_over_from_an_outage_are_analysed_later(plant: Database) -> None:
    for minute in (10, 11, 12):
        poll_devices(plant, minute, 400 + minute)
    report = analyse_new_readings(plant.connect)
    assert (report.minutes, report.results) == (3, 12)
    assert {minute: value for (tag, minute), value in results(plant).items() if tag == "over_temp"} == {
        10: 41.0,
        11: 41.1,
        12: 41.2,
    }


def test_a_past_day_is_analysed_on_demand(plant: Database) -> None:
    poll_devices(plant, 10, 461)
    plant.set_clock(at(5000))
    assert analyse_new_readings(plant.connect).minutes == 0
    assert analyse_day(plant.connect, MIDNIGHT).results == 4


class Double:
    """An engine that gives what a test wants."""

    def __init__(self, name: str, partner: str, rows: list[tuple[object, ...]] | Exception) -> None:
        self.name = name
        self.partner = partner
        self.calls = 0
        self._rows = rows

    def analyse(
        self,
        readings: pd.DataFrame,  # noqa: ARG002  # an engine's interface
        limits: Mapping[str, Limits],  # noqa: ARG002
    ) -> Analysis:
        self.calls += 1
        if isinstance(self._rows, Exception):
            raise self._rows
        return Analysis(pd.DataFrame(self._rows, columns=["timestamp", "tag", "value"]))


def install(monkeypatch: pytest.MonkeyPatch, *engines: Engine) -> None:
    monkeypatch.setattr(analyse, "load_engines", lambda: ([*engines], ["engine gone cannot be loaded"]))


def test_an_engine_that_raises_fails_alone_and_is_asked_again(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Double("broken", "keti", ZeroDivisionError("by nothing"))
    install(monkeypatch, broken, LimitEngine())
    poll_devices(plant, 10, 461)
    report = analyse_new_readings(plant.connect)
    assert report.failures == ["engine gone cannot be loaded", "engine broken: ZeroDivisionError: by nothing"]
    assert len(results(plant)) == 4
    analyse_new_readings(plant.connect)
    assert broken.calls == 2


def test_an_engine_of_an_unknown_partner_fails_alone(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Double("stray", "nobody", []), LimitEngine())
    poll_devices(plant, 10, 461)
    (_, failure) = analyse_new_readings(plant.connect).failures
    assert "sos-ops partner add nobody" in failure
    assert len(results(plant)) == 4


def test_what_the_door_refuses_fails_its_engine_alone(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(plant, {"usad": Limits(0.4, 0.8)}, partner="suresoft")
    too_early = Double("too_early", "suresoft", [(at(10), "usad", 0.5), (at(500), "usad", 0.5)])
    install(monkeypatch, too_early, LimitEngine())
    poll_devices(plant, 10, 461)
    (_, failure) = analyse_new_readings(plant.connect).failures
    assert "more than 60 s ahead" in failure
    assert "\n" not in failure
    assert len(results(plant)) == 4


def test_rows_without_a_value_or_of_a_foreign_tag_are_withheld_and_the_others_written(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(plant, {"usad": Limits(0.4, 0.8)}, partner="suresoft")
    rows: list[tuple[object, ...]] = [
        (at(9), "usad", float("nan")),
        (at(9), "over_temp", 99.0),
        (at(10), "usad", 0.5),
        (at(8), "usad", float("inf")),
    ]
    install(monkeypatch, Double("mixed", "suresoft", rows))
    poll_devices(plant, 10, 461)
    report = analyse_new_readings(plant.connect)
    assert results(plant) == {("usad", 10): 0.5}
    assert len(report.withheld) == 3


def test_an_engine_that_repeats_a_different_value_has_it_set_aside(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(plant, {"usad": Limits(0.4, 0.8)}, partner="suresoft")
    install(
        monkeypatch,
        Double("first", "suresoft", [(at(10), "usad", 0.5)]),
        Double("second", "suresoft", [(at(10), "usad", 0.6)]),
    )
    poll_devices(plant, 10, 461)
    analyse_new_readings(plant.connect)
    assert results(plant) == {("usad", 10): 0.5}
    assert plant.rows("select value from sos_ops.result_set_aside") == [(0.6,)]


def test_an_engine_whose_own_rows_contradict_each_other_loses_only_the_second(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(plant, {"usad": Limits(0.4, 0.8)}, partner="suresoft")
    install(monkeypatch, Double("double", "suresoft", [(at(10), "usad", 0.5), (at(10), "usad", 0.7)]))
    poll_devices(plant, 10, 461)
    analyse_new_readings(plant.connect)
    assert results(plant) == {("usad", 10): 0.5}
    assert plant.rows("select value from sos_ops.result_set_aside") == [(0.7,)]
