"""What the BMS measures of a rack: the points of a protocol map, with a little noise.

The noise belongs to the rack's seed and age: asking twice in the same second gives the same answer, and so
does a run repeated. It is bounded, far smaller than the spread between cells, so no smallest value ever
passes its largest.
"""

from __future__ import annotations

import numpy as np

from sos_ops.modbus.simulator.rack import Rack, RackState, cell_voltages

CELL_VOLTAGE_NOISE_V = 0.0003
RACK_VOLTAGE_NOISE_V = 0.1
CURRENT_NOISE_A = 0.1
TEMPERATURE_NOISE_C = 0.05
HUMIDITY_NOISE_PERCENT = 0.2

DEW_POINT_C = 12.0
"""Dew point of the container's air, °C; a dryer holds it, so humidity follows temperature alone."""

POINTS = frozenset(
    {
        *("soc", "soh", "voltage", "current", "power"),
        *("max_cell_voltage", "min_cell_voltage", "max_cell_temperature", "min_cell_temperature"),
        *("max_module_temperature", "min_module_temperature", "max_humidity", "min_humidity"),
    }
)
"""The points the simulated rack can serve."""


def relative_humidity(air_c: float, dew_point_c: float = DEW_POINT_C) -> float:
    """Relative humidity in % of air at `air_c` with this dew point (Magnus; Alduchov, Eskridge 1996)."""
    return float(
        100
        * np.exp(17.625 * dew_point_c / (243.04 + dew_point_c))
        / np.exp(17.625 * air_c / (243.04 + air_c))
    )


def measure(rack: Rack, state: RackState) -> dict[str, float]:
    """Every point of `POINTS`: soc, soh and humidity in %, V, A, kW (both positive while discharging), °C."""
    design = rack.design
    noise = np.random.default_rng((rack.seed, state.age_s)).uniform(-1, 1, 10).tolist()
    cells = cell_voltages(rack, state)
    wiring = design.wiring_resistance_ohm + state.loose_joint_ohm
    voltage = float(cells.sum()) - state.current_a * wiring + noise[0] * RACK_VOLTAGE_NOISE_V
    current = state.current_a + noise[1] * CURRENT_NOISE_A
    coolest, warmest = min(state.module_temperatures_c), max(state.module_temperatures_c)
    return {
        "soc": 100 * state.soc,
        "soh": 100 * design.state_of_health,
        "voltage": voltage,
        "current": current,
        "power": voltage * current / 1000,
        "max_cell_voltage": float(cells.max()) + noise[2] * CELL_VOLTAGE_NOISE_V,
        "min_cell_voltage": float(cells.min()) + noise[3] * CELL_VOLTAGE_NOISE_V,
        "max_cell_temperature": max(state.cell_temperatures_c) + noise[4] * TEMPERATURE_NOISE_C,
        "min_cell_temperature": min(state.cell_temperatures_c) + noise[5] * TEMPERATURE_NOISE_C,
        "max_module_temperature": warmest + noise[6] * TEMPERATURE_NOISE_C,
        "min_module_temperature": coolest + noise[7] * TEMPERATURE_NOISE_C,
        "max_humidity": relative_humidity(coolest) + noise[8] * HUMIDITY_NOISE_PERCENT,
        "min_humidity": relative_humidity(warmest) + noise[9] * HUMIDITY_NOISE_PERCENT,
    }
