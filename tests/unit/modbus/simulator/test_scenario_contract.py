"""What each scenario promises to whoever watches the simulated BMS, for any rack and any way of looking."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict

import pytest

from sos_ops.modbus.simulator.rack import advance, build_rack, rack_at_rest
from sos_ops.modbus.simulator.scenario import INCIDENT_PERIOD_S, SOC_TARGET, air_c, feed_of
from sos_ops.modbus.simulator.sensors import POINTS, measure
from sos_ops.settings import Scenario

Series = dict[str, list[float]]


def watch(scenario: Scenario, *, seed: int, hours: float, every_s: float, limit_a: float = 120.0) -> Series:
    """Every point, `every_s` apart; `at_s` are the seconds since the start."""
    rack = build_rack(seed)
    state = dataclasses.replace(rack_at_rest(rack, soc=SOC_TARGET, air_c=air_c(0)), current_limit_a=limit_a)
    feed = feed_of(scenario, 0)
    series: Series = defaultdict(list)
    for number in range(1, int(hours * 3600 / every_s) + 1):
        state = advance(rack, state, every_s, feed)
        series["at_s"].append(number * every_s)
        for point, value in measure(rack, state).items():
            series[point].append(value)
    return series


def first_at(
    series: Series, point: str, threshold: float, *, after_s: float = 0.0, below: bool = False
) -> float:
    """Seconds at which a point first reaches a threshold (or falls below it)."""
    for at_s, value in zip(series["at_s"], series[point], strict=True):
        if at_s >= after_s and (value < threshold if below else value >= threshold):
            return at_s
    raise AssertionError(f"{point} never passed {threshold} after {after_s} s")


def assert_all_but_over_temp_stay_at_score_one(series: Series) -> None:
    """over_voltage is safe up to 4.0 V, under_voltage from 3.3 V, under_temp from 10 °C."""
    assert max(series["max_cell_voltage"]) < 4.0
    assert min(series["min_cell_voltage"]) > 3.3
    assert min(series["min_cell_temperature"]) > 10.0


ANY_WAY_OF_LOOKING = pytest.mark.parametrize(
    ("seed", "hours", "every_s"),
    [(0, 2, 1), (1, 2, 1), (2**40, 3, 7.3), (9, 6, 60), (11, 9, 613), (12, 9, 3599)],
)


@ANY_WAY_OF_LOOKING
def test_normal_keeps_all_four_limits_at_score_one(seed: int, hours: int, every_s: float) -> None:
    series = watch(Scenario.NORMAL, seed=seed, hours=hours, every_s=every_s)
    assert_all_but_over_temp_stay_at_score_one(series)
    assert min(series["min_cell_temperature"]) > 24.0
    assert max(series["max_cell_temperature"]) < 33.0
    assert 25 < min(series["soc"]) < max(series["soc"]) < 75


def test_normal_charges_and_discharges() -> None:
    series = watch(Scenario.NORMAL, seed=4, hours=2, every_s=60)
    assert max(series["current"]) > 30
    assert min(series["current"]) < -30


@ANY_WAY_OF_LOOKING
def test_overheat_never_passes_55_and_a_half_degrees_and_keeps_the_other_limits(
    seed: int, hours: int, every_s: float
) -> None:
    series = watch(Scenario.OVERHEAT, seed=seed, hours=hours, every_s=every_s)
    assert max(series["max_cell_temperature"]) <= 55.5
    assert_all_but_over_temp_stay_at_score_one(series)
    assert 30 < min(series["soc"]) < max(series["soc"]) < 70


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_every_hour_overheat_rises_to_55_degrees_and_cools_again(seed: int) -> None:
    series = watch(Scenario.OVERHEAT, seed=seed, hours=3, every_s=1)
    for start_s in range(0, 3 * INCIDENT_PERIOD_S, INCIDENT_PERIOD_S):
        begins_at = series["max_cell_temperature"][start_s]
        assert 26 < begins_at < 33
        passes_50 = first_at(series, "max_cell_temperature", 50.0, after_s=start_s) - start_s
        assert 165 <= passes_50 <= 230
        peak = max(series["max_cell_temperature"][start_s : start_s + INCIDENT_PERIOD_S])
        assert 54.5 <= peak <= 55.5
        peak_s = first_at(series, "max_cell_temperature", 54.5, after_s=start_s)
        cooled_s = first_at(series, "max_cell_temperature", 40.0, after_s=peak_s, below=True)
        assert 9 * 60 <= cooled_s - peak_s <= 15 * 60


@pytest.mark.parametrize("offset_s", [1, 13, 30, 47, 59])
def test_whoever_looks_once_a_minute_sees_the_rise_the_peak_and_several_bad_minutes(offset_s: int) -> None:
    each_second = watch(Scenario.OVERHEAT, seed=21, hours=0.5, every_s=1)["max_cell_temperature"]
    seen = each_second[offset_s::60]
    assert 54.5 <= max(seen) <= 55.5
    assert any(40 < value < 46 for value in seen[:4])
    assert sum(value >= 50 for value in seen) >= 4


def test_temperature_rises_smoothly() -> None:
    series = watch(Scenario.OVERHEAT, seed=2, hours=1, every_s=10)["max_cell_temperature"]
    steps = [abs(after - before) for before, after in itertools.pairwise(series)]
    assert max(steps) < 1.5


def test_a_lower_current_limit_contains_the_overheating() -> None:
    series = watch(Scenario.OVERHEAT, seed=2, hours=1, every_s=10, limit_a=50.0)
    assert max(series["max_cell_temperature"]) < 40.0


@pytest.mark.parametrize("scenario", list(Scenario))
def test_no_smallest_value_passes_its_largest(scenario: Scenario) -> None:
    series = watch(scenario, seed=8, hours=2, every_s=5)
    for point in ("cell_voltage", "cell_temperature", "module_temperature", "humidity"):
        pairs = zip(series[f"min_{point}"], series[f"max_{point}"], strict=True)
        assert all(low <= high for low, high in pairs), point


@pytest.mark.parametrize("scenario", list(Scenario))
def test_what_is_measured_is_what_a_map_may_ask_for(scenario: Scenario) -> None:
    assert set(watch(scenario, seed=0, hours=0.01, every_s=36)) == POINTS | {"at_s"}


def test_a_measurement_asked_for_twice_is_the_same_and_noisy_from_second_to_second() -> None:
    rack = build_rack(1)
    state = rack_at_rest(rack, soc=0.5, air_c=25.0)
    later = dataclasses.replace(state, age_s=1)
    assert measure(rack, state) == measure(rack, state)
    assert measure(rack, state)["max_cell_temperature"] != measure(rack, later)["max_cell_temperature"]


def test_power_is_voltage_times_current() -> None:
    series = watch(Scenario.OVERHEAT, seed=1, hours=0.1, every_s=30)
    for volts, amperes, kilowatts in zip(series["voltage"], series["current"], series["power"], strict=True):
        assert kilowatts == pytest.approx(volts * amperes / 1000)
