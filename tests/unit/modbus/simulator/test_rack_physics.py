"""The rack obeys the laws it is made of, whatever the steps it is simulated in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sos_ops.modbus.simulator.rack import (
    CELLS,
    OCV_V,
    Demand,
    Feed,
    RackDesign,
    RackState,
    advance,
    build_rack,
    cell_voltages,
    rack_at_rest,
)

RACK = build_rack(3)
NEW = rack_at_rest(RACK, soc=0.6, air_c=25.0)


def steady(**demand: float | bool) -> Feed:
    return lambda _age_s, _soc: Demand(**{"current_a": 0.0, "air_c": 25.0, **demand})  # type: ignore[arg-type]


def restless(age_s: int, soc: float) -> Demand:
    return Demand(current_a=80 * np.sin(age_s / 40) + soc, air_c=25.0, fans_available=age_s % 90 < 60)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 200_000_000), min_size=1, max_size=8))
def test_the_steps_a_rack_is_simulated_in_leave_no_trace(pieces_us: list[int]) -> None:
    at_once = advance(RACK, NEW, sum(pieces_us) / 1e6, restless)
    in_pieces = NEW
    for piece_us in pieces_us:
        in_pieces = advance(RACK, in_pieces, piece_us / 1e6, restless)
    assert in_pieces == at_once


def test_no_time_changes_nothing() -> None:
    assert advance(RACK, NEW, 0.0, restless) == NEW


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time does not go back"):
        advance(RACK, NEW, -0.1, restless)


def test_the_same_seed_builds_the_same_rack_and_another_seed_another() -> None:
    assert np.array_equal(build_rack(5).cell_resistance_ohm, build_rack(5).cell_resistance_ohm)
    assert not np.array_equal(build_rack(5).cell_resistance_ohm, build_rack(6).cell_resistance_ohm)


def test_charge_is_counted() -> None:
    after = advance(RACK, NEW, 1800, steady(current_a=47.0))
    assert NEW.soc - after.soc == pytest.approx(0.25)


def test_a_loaded_cell_shows_its_open_circuit_voltage_less_the_drop_over_its_resistance() -> None:
    loaded = dataclasses.replace(NEW, current_a=100.0)
    drop = cell_voltages(RACK, NEW) - cell_voltages(RACK, loaded)
    assert drop == pytest.approx(100.0 * RACK.cell_resistance_ohm)


def test_open_circuit_voltage_rises_with_charge() -> None:
    assert np.all(np.diff(OCV_V) > 0)


def heat_content(design: RackDesign, state: RackState) -> float:
    return design.cell_heat_capacity * sum(state.cell_temperatures_c) + design.module_heat_capacity * sum(
        state.module_temperatures_c
    )


def test_an_insulated_rack_keeps_all_the_heat_that_its_resistances_make() -> None:
    design = RackDesign(module_to_air_fans_off=0.0, module_to_air_fans_on=0.0)
    rack = build_rack(3, design)
    after = advance(rack, NEW, 600, steady(current_a=60.0, loose_joint_ohm=0.01))
    made = 60.0**2 * (float(rack.cell_resistance_ohm.sum()) + 0.01) * 600
    assert heat_content(design, after) - heat_content(design, NEW) == pytest.approx(made, rel=1e-9)


def test_an_unloaded_rack_takes_the_temperature_of_the_air() -> None:
    hot = dataclasses.replace(NEW, cell_temperatures_c=(50.0,) * CELLS)
    after = advance(RACK, hot, 8 * 3600, steady())
    expected = np.repeat(25.0 + RACK.air_offset_c, 12)
    assert after.cell_temperatures_c == pytest.approx(expected, abs=0.01)


def test_a_rack_without_fans_stays_warmer() -> None:
    cooled = advance(RACK, NEW, 3600, steady(current_a=30.0))
    uncooled = advance(RACK, NEW, 3600, steady(current_a=30.0, fans_available=False))
    assert uncooled.fan_duty == 0.0
    assert min(uncooled.module_temperatures_c) > min(cooled.module_temperatures_c) + 0.3


def test_a_loose_joint_heats_its_cell_and_hardly_its_neighbours() -> None:
    after = advance(RACK, NEW, 120, steady(current_a=100.0, loose_joint_ohm=0.02))
    rise = np.subtract(after.cell_temperatures_c, NEW.cell_temperatures_c)
    assert int(rise.argmax()) == RACK.loose_cell
    assert rise[RACK.loose_cell] > 8
    assert np.delete(rise, RACK.loose_cell).max() < 1.5


@pytest.mark.parametrize("asked_a", [500.0, -500.0])
def test_the_bms_carries_no_more_than_its_rating_and_the_limit_set_from_outside(asked_a: float) -> None:
    assert abs(advance(RACK, NEW, 1, steady(current_a=asked_a)).current_a) == 120.0
    limited = dataclasses.replace(NEW, current_limit_a=35.0)
    assert abs(advance(RACK, limited, 1, steady(current_a=asked_a)).current_a) == 35.0


def test_the_bms_stops_the_current_of_a_rack_that_is_too_hot() -> None:
    hot = dataclasses.replace(NEW, cell_temperatures_c=(56.0,) * CELLS)
    assert advance(RACK, hot, 1, steady(current_a=100.0)).current_a == 0.0


def test_an_empty_rack_is_not_discharged_and_a_full_one_not_charged() -> None:
    empty = advance(RACK, dataclasses.replace(NEW, soc=0.001), 600, steady(current_a=100.0))
    assert (empty.soc, empty.current_a) == (0.0, 0.0)
    full = advance(RACK, dataclasses.replace(NEW, soc=0.999), 600, steady(current_a=-100.0))
    assert (full.soc, full.current_a) == (1.0, 0.0)
    assert advance(RACK, full, 1, steady(current_a=10.0)).current_a == 10.0
