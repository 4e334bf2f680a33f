"""The physics of one battery rack: `advance(rack, state, seconds, feed)` is the state that much later.

Pure: no clock, no I/O, no randomness but the seed the rack was built from. Time moves in whole steps of
`STEP_S`; what is left over waits in the state. So a day simulated at once, minute by minute, or in 0.3 s
pieces comes out the same to the last bit, and no caller's step can make it unstable.

The model, each part the simplest that shows what an operator sees:

- 17 modules of 12 cells in series, the layout of the KETI/INCELL racks (9 racks x 17 modules x 12 cells).
- Electric: every cell is an open-circuit voltage OCV(SoC) in series with a resistance; SoC by coulomb
  counting.
- Thermal: every cell is one heat capacity, heated by I²R, leaking into its module's housing; every housing is
  one heat capacity, leaking into the air around it, well while the fans turn and badly while they stand.
- Air warms on its way up the rack, so upper modules are warmer.
- One cell's busbar joint may come loose (`Demand.loose_joint_ohm`): I²R of the joint heats that cell. The
  voltage taps sit inside the joint, so a hot joint does not show in the cell's voltage: that is why it is
  dangerous.
- The BMS's own protection is part of the rack and stays primary: it derates the current near its temperature
  limit, and refuses to charge a full rack or discharge an empty one.

Current is positive while discharging.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

STEP_S = 1
"""One step of the simulation, s. A cell's fastest time constant is minutes, a housing's about a minute."""

MODULES = 17
CELLS_PER_MODULE = 12
CELLS = MODULES * CELLS_PER_MODULE

FloatArray = npt.NDArray[np.float64]
Celsius = Annotated[float, Field(ge=-60, le=200, allow_inf_nan=False)]
Amperes = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
JointOhm = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

OCV_SOC: FloatArray = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
OCV_V: FloatArray = np.array([3.00, 3.36, 3.45, 3.55, 3.61, 3.65, 3.70, 3.79, 3.89, 3.98, 4.07, 4.18])
"""Open-circuit voltage over SoC, V: the usual shape of NMC against graphite, rounded to 10 mV."""


@dataclass(frozen=True)
class RackDesign:
    """What the rack is made of. The cell is a large prismatic NMC cell of the 94 Ah class."""

    capacity_ah: float = 94.0
    cell_resistance_ohm: float = 1.0e-3
    """DC resistance of a cell, Ω; data sheets of the class give 0.7 to 1.2 mΩ."""
    wiring_resistance_ohm: float = 0.030
    """Busbars, fuse and contactors of the whole string, Ω."""
    cell_heat_capacity: float = 2100.0
    """J/K: 2.1 kg at 1000 J/(kg K)."""
    cell_to_module: float = 3.0
    """Conductance from a cell to its housing, W/K: a time constant of 700 s."""
    module_heat_capacity: float = 6000.0
    """J/K: about 6 kg of aluminium and steel, and the air in it."""
    module_to_air_fans_off: float = 8.0
    module_to_air_fans_on: float = 80.0
    """Conductance from a housing to the air, W/K: about 0.8 m² at 10 W/(m² K) still, and at 100 blown."""
    air_rise_c: float = 3.0
    """How much warmer the air is at the top of the rack than at the bottom, K."""
    rated_current_a: float = 120.0
    """The most the BMS ever allows, A (over-current fault of the KETI protection map)."""
    derating_starts_c: float = 54.5
    derating_ends_c: float = 55.4
    """The BMS lets the current fall linearly to zero between these cell temperatures, °C."""
    state_of_health: float = 0.975


@dataclass(frozen=True, eq=False)
class Rack:
    """A rack as built: its design, and the small deviations no two cells are without, fixed by the seed."""

    seed: int
    design: RackDesign
    cell_resistance_ohm: FloatArray = field(repr=False)
    cell_soc_offset: FloatArray = field(repr=False)
    cell_voltage_offset_v: FloatArray = field(repr=False)
    cell_to_module: FloatArray = field(repr=False)
    air_offset_c: FloatArray = field(repr=False)
    loose_cell: int = 0
    """Index of the cell whose joint comes loose: in one of the upper modules, where the air is warm."""


@dataclass(frozen=True)
class RackState:
    """Everything that changes while a rack runs, and nothing else.

    Attributes:
        age_s: Simulated seconds since the rack was new.
        owed_us: Microseconds (less than one step) that passed but are not simulated yet.
        soc: State of charge, 0..1.
        current_a: Current of the last step, A, positive while discharging.
        cell_temperatures_c: One per cell, module by module, bottom to top.
        module_temperatures_c: One per module housing, bottom to top.
        air_c: Air at the bottom of the rack.
        fan_duty: 0 (standing, or failed) to 1.
        loose_joint_ohm: Resistance of the loose joint, 0 while it is tight.
        current_limit_a: Set-point from outside: the rack carries no more than this, either way.
    """

    age_s: Annotated[int, Field(ge=0)]
    owed_us: Annotated[int, Field(ge=0, lt=STEP_S * 1_000_000)]
    soc: Fraction
    current_a: Amperes
    cell_temperatures_c: Annotated[tuple[Celsius, ...], Field(min_length=CELLS, max_length=CELLS)]
    module_temperatures_c: Annotated[tuple[Celsius, ...], Field(min_length=MODULES, max_length=MODULES)]
    air_c: Celsius
    fan_duty: Fraction
    loose_joint_ohm: JointOhm
    current_limit_a: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]

    @property
    def hottest_cell_c(self) -> float:
        """Temperature of the hottest cell, °C."""
        return max(self.cell_temperatures_c)


@dataclass(frozen=True)
class Demand:
    """What the world asks of the rack and does to it during one step."""

    current_a: float
    air_c: float
    fans_available: bool = True
    loose_joint_ohm: float = 0.0


Feed = Callable[[int, float], Demand]
"""From the rack's age in seconds and its SoC (0..1) to the demand of the step that begins then."""


def build_rack(seed: int, design: RackDesign | None = None) -> Rack:
    """A rack with the deviations that belong to `seed` (0 or more): same seed, same rack."""
    design = design or RackDesign()
    chance = np.random.default_rng(seed)
    return Rack(
        seed=seed,
        design=design,
        cell_resistance_ohm=design.cell_resistance_ohm * (1 + chance.uniform(-0.05, 0.05, CELLS)),
        cell_soc_offset=chance.uniform(-0.005, 0.005, CELLS),
        cell_voltage_offset_v=chance.uniform(-0.004, 0.004, CELLS),
        cell_to_module=design.cell_to_module * (1 + chance.uniform(-0.03, 0.03, CELLS)),
        air_offset_c=np.linspace(0.0, design.air_rise_c, MODULES) + chance.uniform(-0.2, 0.2, MODULES),
        loose_cell=int(chance.integers(12 * CELLS_PER_MODULE, CELLS)),
    )


def rack_at_rest(rack: Rack, *, soc: float, air_c: float) -> RackState:
    """A rack that has stood unloaded long enough to be as warm as the air around it."""
    modules = air_c + rack.air_offset_c
    return RackState(
        age_s=0,
        owed_us=0,
        soc=soc,
        current_a=0.0,
        cell_temperatures_c=tuple(np.repeat(modules, CELLS_PER_MODULE).tolist()),
        module_temperatures_c=tuple(modules.tolist()),
        air_c=air_c,
        fan_duty=1.0,
        loose_joint_ohm=0.0,
        current_limit_a=rack.design.rated_current_a,
    )


def cell_voltages(rack: Rack, state: RackState) -> FloatArray:
    """Terminal voltage of every cell, V, shape (CELLS,)."""
    open_circuit = np.interp(state.soc + rack.cell_soc_offset, OCV_SOC, OCV_V)
    return np.asarray(open_circuit + rack.cell_voltage_offset_v - state.current_a * rack.cell_resistance_ohm)


def advance(rack: Rack, state: RackState, seconds: float, feed: Feed) -> RackState:
    """The state `seconds` later (0 or more, counted to the microsecond; work grows with `seconds`)."""
    if seconds < 0:
        raise ValueError(f"a rack cannot be advanced by {seconds} s: time does not go back")
    steps, owed_us = divmod(state.owed_us + round(seconds * 1_000_000), STEP_S * 1_000_000)
    run = _Run(rack, state)
    for _ in range(steps):
        run.step(feed(run.age_s, run.soc))
    return run.state(owed_us)


class _Run:
    """The arrays of one `advance`, stepped in place."""

    def __init__(self, rack: Rack, state: RackState) -> None:
        self._rack = rack
        self._before = state
        self.age_s = state.age_s
        self.soc = state.soc
        self._current_a = state.current_a
        self._cells = np.array(state.cell_temperatures_c).reshape(MODULES, CELLS_PER_MODULE)
        self._modules = np.array(state.module_temperatures_c)
        self._air_c = state.air_c
        self._fan_duty = state.fan_duty
        self._joint_ohm = state.loose_joint_ohm
        self._resistance = rack.cell_resistance_ohm.reshape(MODULES, CELLS_PER_MODULE)
        self._to_module = rack.cell_to_module.reshape(MODULES, CELLS_PER_MODULE)
        self._loose = divmod(rack.loose_cell, CELLS_PER_MODULE)

    def step(self, demand: Demand) -> None:
        """Let one `STEP_S` pass."""
        design = self._rack.design
        self._air_c, self._joint_ohm = demand.air_c, demand.loose_joint_ohm
        self._current_a = self._allowed(demand.current_a)
        self._fan_duty = self._thermostat() if demand.fans_available else 0.0

        heat = self._current_a**2 * self._resistance
        heat[self._loose] += self._current_a**2 * self._joint_ohm
        leak = self._to_module * (self._cells - self._modules[:, None])
        to_air = design.module_to_air_fans_off + self._fan_duty * (
            design.module_to_air_fans_on - design.module_to_air_fans_off
        )
        air = self._air_c + self._rack.air_offset_c
        self._cells += STEP_S / design.cell_heat_capacity * (heat - leak)
        self._modules += (
            STEP_S / design.module_heat_capacity * (leak.sum(axis=1) - to_air * (self._modules - air))
        )
        charge = self._current_a * STEP_S / 3600 / design.capacity_ah
        self.soc = min(1.0, max(0.0, self.soc - charge))
        self.age_s += STEP_S

    def _allowed(self, asked_a: float) -> float:
        design = self._rack.design
        headroom = (design.derating_ends_c - float(self._cells.max())) / (
            design.derating_ends_c - design.derating_starts_c
        )
        derated = design.rated_current_a * min(1.0, max(0.0, headroom))
        most = min(derated, self._before.current_limit_a)
        discharge = most if self.soc > 0.0 else 0.0
        charge = most if self.soc < 1.0 else 0.0
        return min(discharge, max(-charge, asked_a))

    def _thermostat(self) -> float:
        """The fans idle at 30 % and turn faster as the warmest housing goes from 28 to 32 °C."""
        return min(1.0, max(0.3, 0.3 + 0.7 * (float(self._modules.max()) - 28.0) / 4.0))

    def state(self, owed_us: int) -> RackState:
        """The frozen result."""
        return RackState(
            age_s=self.age_s,
            owed_us=owed_us,
            soc=self.soc,
            current_a=self._current_a,
            cell_temperatures_c=tuple(self._cells.ravel().tolist()),
            module_temperatures_c=tuple(self._modules.tolist()),
            air_c=self._air_c,
            fan_duty=self._fan_duty,
            loose_joint_ohm=self._joint_ohm,
            current_limit_a=self._before.current_limit_a,
        )
