"""What values of a unit look like in a battery system: wide enough for any, narrow enough to see a mistake.

Only used to guess why a map does not fit. Whether a value counts is decided by the map's own plausible range.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from sos_ops.modbus.decode import Judged, Quality, decoder_of
from sos_ops.modbus.probe.samples import Registers
from sos_ops.modbus.protocol_map import Point, PointType
from sos_ops.modbus.quantity import is_cell_voltage, is_difference

_BY_UNIT = {
    "V": (-2000.0, 2000.0),
    "mV": (-10_000.0, 100_000.0),
    "A": (-5000.0, 5000.0),
    "W": (-1e7, 1e7),
    "kW": (-10_000.0, 10_000.0),
    "kWh": (0.0, 1e8),
    "Ah": (0.0, 1e5),
    "°C": (-50.0, 150.0),
    "K": (200.0, 450.0),
    "%": (-0.5, 120.0),
    "Hz": (0.0, 70.0),
}
_CELL_V = (1.0, 5.5)
_SMALLEST_FLOAT = 1e-20
"""A float nearer to zero, yet not zero, is an integer or another word order read as a float."""


def sensible_range(point: Point) -> tuple[float, float] | None:
    """Between what a value of this point makes sense, in its unit; None when nothing is known."""
    ranges = []
    if point.plausible is not None:
        ranges.append((float(point.plausible[0]), float(point.plausible[1])))
    if point.unit in _BY_UNIT and not is_difference(point):
        ranges.append(_CELL_V if is_cell_voltage(point) else _BY_UNIT[point.unit])
    if not ranges:
        return None
    lowest, highest = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (lowest, highest) if lowest < highest else ranges[0]


def makes_sense(point: Point, registers: Registers) -> bool | None:
    """Whether registers look like this point; None where that cannot be told.

    Not-implemented values tell nothing.
    """
    if not point.type.is_number or point.type is PointType.BIT:
        return None
    judged = decoder_of(point)(registers, 0)
    if judged.quality is Quality.NOT_IMPLEMENTED:
        return None
    if judged.quality is Quality.NOT_FINITE:
        return False
    number = number_of(judged)
    if number is None:
        return None
    if point.type.is_float and 0 < abs(number - float(point.offset)) < _SMALLEST_FLOAT * abs(
        float(point.scale)
    ):
        return False
    sensible = sensible_range(point)
    return None if sensible is None else sensible[0] <= number <= sensible[1]


def number_of(judged: Judged) -> float | None:
    """The number read, also where it was set aside."""
    return judged.value if judged.value is not None else judged.suspect_value


def is_measured(point: Point) -> bool:
    """True for a quantity of a sensor: one that noise moves."""
    return point.type.is_number and point.unit in _BY_UNIT and point.unit not in ("kWh", "Ah", "%")


def swapped_words(registers: Registers) -> Registers:
    """The registers in the other order."""
    return registers[::-1]


def swapped_bytes(registers: Registers) -> Registers:
    """The bytes of each register in the other order."""
    return tuple(struct.unpack(f"<{len(registers)}H", struct.pack(f">{len(registers)}H", *registers)))


def spread(numbers: Sequence[float]) -> float:
    """How far the numbers lie apart, of the largest's size: 0 for equal ones; infinite where one is not finite."""
    if not numbers or not all(math.isfinite(number) for number in numbers):
        return math.inf
    largest = max(abs(number) for number in numbers)
    return (max(numbers) - min(numbers)) / largest if largest else 0.0
