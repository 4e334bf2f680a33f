"""A rack that lives on the platform's clock: it is advanced to now whenever somebody looks.

The clock is a person's to set, so nothing is taken for granted about it. It may run 60 or 600 times as fast.
It may be set back: the rack then stands still for that look and goes on from there, a rack cannot grow
younger. It may leap by days, or the process may have been away for weeks: whole cycles of the scenario beyond
the last two are then not computed but counted, as a rack's heat is forgotten within the hour and its charge
returns every cycle. So one look never costs more than `MOST_CAUGHT_UP_S` steps, about a fifth of a second.
"""

from __future__ import annotations

import dataclasses
import logging
from datetime import timedelta

from sos_ops.clock import Now
from sos_ops.modbus.simulator.rack import RackState, advance, build_rack, rack_at_rest
from sos_ops.modbus.simulator.scenario import CYCLE_S, SOC_TARGET, air_c, feed_of
from sos_ops.modbus.simulator.sensors import measure
from sos_ops.modbus.simulator.state_file import SavedRack
from sos_ops.settings import Scenario

log = logging.getLogger(__name__)

MOST_CAUGHT_UP_S = 2 * CYCLE_S

SET_POINTS = frozenset({"current_limit"})
"""What can be set on a rack from outside."""


class LivingRack:
    """One rack, its scenario and the clock it follows. Not thread-safe: one event loop owns it."""

    def __init__(self, *, seed: int, scenario: Scenario, now: Now, saved: SavedRack | None = None) -> None:
        """Go on with `saved` if it is the rack of this seed, else begin with a new rack at rest.

        Another scenario than the saved one begins now, after the absence was lived through in the old one.
        """
        self._now = now
        self._rack = build_rack(seed)
        if saved is not None and saved.seed != seed:
            log.warning("the saved rack has seed %d, not %d: starting with a fresh rack", saved.seed, seed)
            saved = None
        self._saved = saved or SavedRack(
            seed=seed,
            scenario=scenario,
            scenario_since_s=0,
            seen_at=now(),
            state=rack_at_rest(self._rack, soc=SOC_TARGET, air_c=air_c(0)),
        )
        self.catch_up()
        if self._saved.scenario != scenario:
            log.info("scenario %s begins, %s ends", scenario.value, self._saved.scenario.value)
            self._saved = dataclasses.replace(
                self._saved, scenario=scenario, scenario_since_s=self._saved.state.age_s
            )

    @property
    def saved(self) -> SavedRack:
        """The rack as of the last look, ready to be saved."""
        return self._saved

    def catch_up(self) -> RackState:
        """Advance the rack to the platform's now, and return it."""
        saved, moment = self._saved, self._now()
        elapsed_s = max(0.0, (moment - saved.seen_at) / timedelta(seconds=1))
        state = saved.state
        if elapsed_s > MOST_CAUGHT_UP_S:
            counted_s = int(elapsed_s // CYCLE_S - 1) * CYCLE_S
            state = dataclasses.replace(state, age_s=state.age_s + counted_s)
            elapsed_s -= counted_s
        if elapsed_s > 0:
            state = advance(self._rack, state, elapsed_s, feed_of(saved.scenario, saved.scenario_since_s))
        self._saved = dataclasses.replace(saved, seen_at=moment, state=state)
        return state

    def measured(self) -> dict[str, float]:
        """Every point as the BMS measures it now."""
        return measure(self._rack, self.catch_up())

    @property
    def set_points(self) -> dict[str, float]:
        """What was set from outside: `current_limit` in A, the most the rack carries, either way."""
        return {"current_limit": self._saved.state.current_limit_a}

    def set(self, set_point: str, value: float) -> None:
        """Set one of `SET_POINTS` from now on; what passed until now, passed under the old value."""
        if set_point not in SET_POINTS:
            raise KeyError(set_point)
        state = dataclasses.replace(self.catch_up(), current_limit_a=value)
        self._saved = dataclasses.replace(self._saved, state=state)
