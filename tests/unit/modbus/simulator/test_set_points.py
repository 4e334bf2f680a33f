"""A current limit set on the rack acts on its physics, from then on and after a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sos_ops.modbus.simulator import state_file
from sos_ops.modbus.simulator.life import LivingRack
from sos_ops.settings import Scenario


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def go(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def test_from_then_on_the_current_never_exceeds_the_limit_and_the_hot_cell_cools() -> None:
    clock = Clock()
    free, limited = (LivingRack(seed=3, scenario=Scenario.OVERHEAT, now=clock.now) for _ in range(2))
    clock.go(180)
    before = limited.catch_up()
    assert abs(before.current_a) == pytest.approx(100.0)
    limited.set("current_limit", 30.0)
    hottest = []
    for _ in range(180):
        clock.go(1)
        state = limited.catch_up()
        assert abs(state.current_a) <= 30.0
        hottest.append(state.hottest_cell_c)
    assert hottest[-1] < before.hottest_cell_c - 1
    assert free.catch_up().hottest_cell_c > hottest[-1] + 8


def test_what_passed_before_the_limit_passed_without_it() -> None:
    clock = Clock()
    rack, watched = (LivingRack(seed=3, scenario=Scenario.OVERHEAT, now=clock.now) for _ in range(2))
    clock.go(150)
    watched.catch_up()
    rack.set("current_limit", 0.0)
    assert rack.saved.state.cell_temperatures_c == watched.saved.state.cell_temperatures_c


def test_charging_is_limited_as_well() -> None:
    clock = Clock()
    rack = LivingRack(seed=3, scenario=Scenario.OVERHEAT, now=clock.now)
    clock.go(1500)
    assert rack.catch_up().current_a < -10
    rack.set("current_limit", 5.0)
    clock.go(2)
    assert rack.catch_up().current_a == pytest.approx(-5.0)


def test_the_limit_outlives_the_process(tmp_path: Path) -> None:
    clock = Clock()
    first = LivingRack(seed=3, scenario=Scenario.OVERHEAT, now=clock.now)
    first.set("current_limit", 42.5)
    state_file.save(tmp_path, first.saved)
    clock.go(100)
    second = LivingRack(seed=3, scenario=Scenario.OVERHEAT, now=clock.now, saved=state_file.load(tmp_path))
    assert second.set_points == {"current_limit": 42.5}
    assert abs(second.catch_up().current_a) == pytest.approx(42.5)
