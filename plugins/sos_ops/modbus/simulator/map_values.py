"""Plausible, slowly moving values for the points of any map, deterministic by seed and time.

What a quantity is follows from its unit, its name and its plausible range. A measured quantity swings slowly
around its level and is never quite still, as sensors are not; counters, positions and settings stand still.
Everything stays inside the plausible range and inside what the point's registers can show.
"""

from __future__ import annotations

import math
import zlib
from decimal import Decimal
from typing import NamedTuple

from sos_ops.modbus.protocol_map import Point, PointType
from sos_ops.modbus.quantity import is_cell_voltage, is_difference

JITTER_PERIOD_S = 0.25
"""How often a measured value twitches, s."""

_JITTER_STEPS = 2
"""By how many of the point's own steps it may twitch, either way."""


class _Level(NamedTuple):
    centre: float
    swing: float


_BY_UNIT = {
    "V": _Level(750.0, 4.0),
    "mV": _Level(3700.0, 15.0),
    "A": _Level(24.0, 9.0),
    "mA": _Level(240.0, 90.0),
    "W": _Level(18_000.0, 6_000.0),
    "kW": _Level(18.0, 6.0),
    "VA": _Level(18_000.0, 6_000.0),
    "kVA": _Level(18.0, 6.0),
    "kWh": _Level(1_250.0, 1.0),
    "Ah": _Level(94.0, 0.1),
    "°C": _Level(26.0, 1.5),
    "K": _Level(299.0, 1.5),
    "%": _Level(56.0, 2.0),
    "Hz": _Level(60.0, 0.02),
    "kΩ": _Level(900.0, 5.0),
    "MΩ": _Level(0.9, 0.005),
}
_CELL_V = _Level(3.70, 0.015)
_DIFFERENCES = {
    "V": _Level(0.02, 0.003),
    "mV": _Level(20.0, 3.0),
    "°C": _Level(2.0, 0.3),
    "K": _Level(2.0, 0.3),
}
_HIGHEST_CELL_V = 20.0
"""A voltage that cannot plausibly pass this is a cell's."""

_ONE_IN = 97
"""Of the flags, every so many is set."""


def is_measured(point: Point) -> bool:
    """True when the point is a quantity that moves: it has a unit that sensors have."""
    return point.type.is_number and point.unit in _BY_UNIT


def value_of(point: Point, seed: int, seconds: float) -> float:
    """The number a point shows `seconds` after the start, in its unit.

    For a set of flags it is their bit pattern. A string has `text_of` instead.
    """
    chance = zlib.crc32(f"{seed}:{point.name}".encode())
    if point.type.is_bitfield:
        return float(1 << min(point.flags.values()) if point.flags and chance % _ONE_IN == 0 else 0)
    if point.type is PointType.BIT or _is_flag(point):
        return float(chance % _ONE_IN == 0)
    if not is_measured(point):
        return _held(point, _still(point, chance))
    level = _placed(point, _level(point))
    period_s = 120 + chance % 480
    swing = level.swing * math.sin(2 * math.pi * (seconds / period_s + chance % 360 / 360))
    return _held(point, level.centre + 0.6 * swing + _jitter(point, level, seed, seconds))


def text_of(point: Point) -> str:
    """The text a string shows: as much of its own name as has room."""
    return f"SIM {point.name}"[: 2 * point.registers]


def _level(point: Point) -> _Level:
    name = point.name
    level = _BY_UNIT[point.unit]
    if is_difference(point) and point.unit in _DIFFERENCES:
        return _DIFFERENCES[point.unit]
    if point.unit == "V" and (
        is_cell_voltage(point) or (point.plausible is not None and point.plausible[1] <= _HIGHEST_CELL_V)
    ):
        level = _CELL_V
    if point.unit == "%" and "soh" in name:
        level = _Level(97.0, 0.0)
    # The largest stays above the smallest: both swing by less than they are apart.
    apart = 2 * level.swing
    if name.startswith("max_") or "_max_" in name:
        return _Level(level.centre + apart, level.swing)
    if name.startswith("min_") or "_min_" in name:
        return _Level(level.centre - apart, level.swing)
    return level


def _placed(point: Point, level: _Level) -> _Level:
    """The level, or the middle of what is plausible where the level is not."""
    if point.plausible is None:
        return level
    lowest, highest = (float(bound) for bound in point.plausible)
    if lowest <= level.centre - level.swing and level.centre + level.swing <= highest:
        return level
    return _Level((lowest + highest) / 2, (highest - lowest) / 50)


def _jitter(point: Point, level: _Level, seed: int, seconds: float) -> float:
    chance = zlib.crc32(f"{seed}:{point.name}:{math.floor(seconds / JITTER_PERIOD_S)}".encode())
    share = chance / 0xFFFFFFFF * 2 - 1
    if point.type.is_float:
        return share * max(level.swing, abs(level.centre) / 100) / 10
    return share * _JITTER_STEPS * abs(float(point.scale))


def _still(point: Point, chance: int) -> float:
    """What an unknown quantity shows: a whole number within its plausible range, small where it has none."""
    if point.plausible is None:
        return float(1 + chance % 9)
    lowest, highest = (float(bound) for bound in point.plausible)
    first, last = math.ceil(lowest), math.floor(highest)
    return float(first + chance % (last - first + 1)) if first <= last else (lowest + highest) / 2


def _is_flag(point: Point) -> bool:
    return not point.unit and point.plausible == (Decimal(0), Decimal(1))


def _held(point: Point, value: float) -> float:
    """The value, kept inside what is plausible and what the registers can show."""
    bounds = []
    if point.plausible is not None:
        bounds.append((float(point.plausible[0]), float(point.plausible[1])))
    if not point.type.is_float:
        ends = [float(raw * point.scale + point.offset) for raw in point.type.raw_range]
        bounds.append((min(ends), max(ends)))
    for lowest, highest in bounds:
        value = min(highest, max(lowest, value))
    return value
