"""A rack follows the platform's clock, whatever is done to that clock or to the process."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.modbus.simulator import life
from sos_ops.modbus.simulator.life import MOST_CAUGHT_UP_S, LivingRack
from sos_ops.modbus.simulator.rack import Demand, Feed, advance, build_rack
from sos_ops.modbus.simulator.scenario import feed_of
from sos_ops.settings import Scenario

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that shows what it is told to."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def go(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def living(clock: Clock, scenario: Scenario = Scenario.OVERHEAT, **other: object) -> LivingRack:
    return LivingRack(**{"seed": 3, "scenario": scenario, "now": clock.now, **other})  # type: ignore[arg-type]


def test_a_rack_is_as_old_as_the_time_that_passed(clock: Clock) -> None:
    rack = living(clock)
    clock.go(90.4)
    assert rack.catch_up().age_s == 90
    clock.go(0.7)
    assert rack.catch_up().age_s == 91


def test_how_often_somebody_looks_changes_nothing(clock: Clock) -> None:
    watched, ignored = living(clock), living(clock)
    for _ in range(400):
        clock.go(0.77)
        watched.catch_up()
    assert ignored.catch_up() == watched.catch_up()


def test_a_clock_set_back_stops_the_rack_for_one_look_and_never_makes_it_younger(clock: Clock) -> None:
    rack = living(clock)
    clock.go(200)
    before = rack.catch_up()
    clock.go(-86400)
    assert rack.catch_up() == before
    clock.go(10)
    assert rack.catch_up().age_s == before.age_s + 10


def test_a_restart_goes_on_in_the_middle_of_the_incident(clock: Clock) -> None:
    uninterrupted, first = living(clock), living(clock)
    clock.go(150)
    first.catch_up()
    saved = first.saved
    clock.go(40)
    second = living(clock, saved=saved)
    assert second.catch_up() == uninterrupted.catch_up()
    assert 48 < second.measured()["max_cell_temperature"] < 51


def test_a_restart_under_a_clock_that_was_set_back_goes_on_from_the_saved_rack(clock: Clock) -> None:
    first = living(clock)
    clock.go(100)
    before = first.catch_up()
    clock.go(-3600)
    assert living(clock, saved=first.saved).catch_up() == before


def test_another_scenario_begins_when_the_process_starts_with_it(clock: Clock) -> None:
    calm = living(clock, Scenario.NORMAL)
    clock.go(5000)
    calm.catch_up()
    clock.go(3000)
    rack = living(clock, Scenario.OVERHEAT, saved=calm.saved)
    assert rack.saved.state.age_s == rack.saved.scenario_since_s == 8000
    assert rack.measured()["max_cell_temperature"] < 33
    clock.go(240)
    assert rack.measured()["max_cell_temperature"] > 50
    again = living(clock, Scenario.OVERHEAT, saved=rack.saved)
    assert again.saved == rack.saved


def test_another_seed_is_another_rack(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    old = living(clock)
    clock.go(100)
    old.catch_up()
    with caplog.at_level(logging.WARNING):
        assert living(clock, saved=old.saved, seed=4).catch_up().age_s == 0
    assert "starting with a fresh rack" in caplog.text


@pytest.mark.parametrize("away", [timedelta(hours=4, seconds=1), timedelta(days=30), timedelta(days=4000)])
def test_a_long_absence_is_bounded_work(
    clock: Clock, away: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def counting(scenario: Scenario, since_s: int) -> Feed:
        feed = feed_of(scenario, since_s)

        def count(age_s: int, soc: float) -> Demand:
            nonlocal steps
            steps += 1
            return feed(age_s, soc)

        return count

    rack = living(clock)
    monkeypatch.setattr(life, "feed_of", counting)
    clock.go(away.total_seconds())
    assert rack.catch_up().age_s == away.total_seconds()
    assert 0 < steps <= MOST_CAUGHT_UP_S


@pytest.mark.parametrize("scenario", list(Scenario))
def test_what_is_counted_instead_of_computed_makes_no_difference_to_see(
    clock: Clock, scenario: Scenario
) -> None:
    away_s = 10 * 3600 + 300
    rack = living(clock, scenario)
    computed = advance(build_rack(3), rack.saved.state, away_s, feed_of(scenario, 0))
    clock.go(away_s)
    counted = rack.catch_up()
    assert counted.age_s == computed.age_s
    assert counted.soc == pytest.approx(computed.soc, abs=0.01)
    assert counted.hottest_cell_c == pytest.approx(computed.hottest_cell_c, abs=0.3)
