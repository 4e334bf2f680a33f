"""What the simulated rack lives through: the feed that drives its physics, in amperes and ohms.

`normal`: the rack is charged and discharged gently, ±40 A in a cycle of two hours, in a room of about 26 °C.

`overheat`: every hour of the scenario the same incident. One cell's busbar joint is loose (24.7 mΩ instead of
next to nothing). The rack is asked for 100 A, the container's fans have failed, and the joint turns 247 W
into heat. The cell passes 40 °C after about 1.5 min and 50 °C after about 3.3 min; at 55 °C the BMS's own
derating lets the current fall until heat and leak balance, which holds it there. After 6.5 min the discharge
ends and the fans are back; the cell is below 40 °C again some 11 min later. The rack then rests, and is
charged gently for the next hour.

Where a scenario stands in its cycle follows from the rack's age, so a restart goes on where it was.
"""

from __future__ import annotations

import math

from sos_ops.modbus.simulator.rack import Demand, Feed
from sos_ops.settings import Scenario

CYCLE_S = 7200
"""After this time, s, everything a scenario asks of a rack repeats: room, load and incidents."""

INCIDENT_PERIOD_S = 3600
INCIDENT_S = 390
"""How often the overheating comes, and how long discharge and fan failure last, s."""

INCIDENT_CURRENT_A = 100.0
LOOSE_JOINT_OHM = 0.0247
REST_UNTIL_S = 1200
"""When in the hour charging begins, s: by then the cell is below 40 °C."""

NORMAL_CURRENT_A = 40.0
RECHARGE_LIMIT_A = 20.0
SOC_TARGET = 0.55
SOC_GAIN_A = 400.0
"""Charging current per unit of missing SoC, A, up to the limit."""
SOC_DRIFT_GAIN_A = 40.0
"""The same while cycling: just enough that SoC never drifts away."""


def air_c(age_s: int) -> float:
    """Air at the bottom of the rack, °C: an air conditioner that lets it swing by 0.8 K."""
    return 25.8 + 0.8 * math.sin(2 * math.pi * age_s / CYCLE_S)


def normal(since_s: int) -> Feed:
    """The feed of `normal`, begun at rack age `since_s`."""

    def feed(age_s: int, soc: float) -> Demand:
        # A cosine: its integral, the SoC, then begins in the middle of its swing, where a new rack stands.
        cycling = NORMAL_CURRENT_A * math.cos(2 * math.pi * (age_s - since_s) / CYCLE_S)
        return Demand(current_a=cycling + SOC_DRIFT_GAIN_A * (soc - SOC_TARGET), air_c=air_c(age_s))

    return feed


def overheat(since_s: int) -> Feed:
    """The feed of `overheat`, begun at rack age `since_s`."""

    def feed(age_s: int, soc: float) -> Demand:
        phase_s = (age_s - since_s) % INCIDENT_PERIOD_S
        if phase_s < INCIDENT_S:
            current = INCIDENT_CURRENT_A
        elif phase_s < REST_UNTIL_S:
            current = 0.0
        else:
            current = max(-RECHARGE_LIMIT_A, min(0.0, SOC_GAIN_A * (soc - SOC_TARGET)))
        return Demand(
            current_a=current,
            air_c=air_c(age_s),
            fans_available=phase_s >= INCIDENT_S,
            loose_joint_ohm=LOOSE_JOINT_OHM,
        )

    return feed


def feed_of(scenario: Scenario, since_s: int) -> Feed:
    """The feed of a scenario that began when the rack was `since_s` seconds old."""
    return {Scenario.NORMAL: normal, Scenario.OVERHEAT: overheat}[scenario](since_s)
