"""From registers to values and back.

NaN, infinities and a device's not-implemented values are no values. A merely unlikely value is kept and
marked when it points to danger, and set aside when it points to safety: absence of danger needs proof,
danger does not.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import NamedTuple

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.protocol_map import Danger, Point, PointType, WordOrder

_FLOAT_STRUCTS = {PointType.F32: struct.Struct(">f"), PointType.F64: struct.Struct(">d")}


class Quality(StrEnum):
    """What a reading's value is worth. The strings are stored."""

    GOOD = "good"
    NOT_IMPLEMENTED = "not_implemented"
    """The device says that it does not measure this: no value."""
    NOT_FINITE = "not_finite"
    """NaN or infinite: no value."""
    IMPLAUSIBLE_DANGEROUS = "implausible_dangerous"
    """Outside the plausible range, towards danger: the value counts, and is marked."""
    IMPLAUSIBLE_SAFE = "implausible_safe"
    """Outside the plausible range, towards safety: no value; what was read is the suspect value."""


Judged = tuple[float | None, float | None, Quality]
"""A value, a suspect value and their quality, as in `DecodedPoint`."""


class DecodedPoint(NamedTuple):
    """A point's value in the point's unit, or None; `suspect_value` is what was read and set aside."""

    point: Point
    value: float | None
    suspect_value: float | None
    quality: Quality


def decode_point(point: Point, registers: Sequence[int]) -> DecodedPoint:
    """The value of a point's own registers (each 0..65535, as many as the point is wide).

    Raises:
        ValueError: Not exactly as many registers as the point is wide.
    """
    if len(registers) != point.registers:
        raise ValueError(f"point {point.name} is {point.registers} registers wide, not {len(registers)}")
    return DecodedPoint(point, *decoder_of(point)(registers, 0))


def decoder_of(point: Point) -> Callable[[Sequence[int], int], Judged]:
    """A function that decodes the point from registers, beginning at a position: for points read again and again.

    Raises:
        IndexError: (the function) There are not enough registers.
    """
    judge = _float_judge(point) if point.type.is_float else _integer_judge(point)
    if point.registers == 1:
        return lambda registers, begin: judge(registers[begin])
    positions = range(point.registers)
    if point.word_order is WordOrder.LOW_FIRST:
        positions = positions[::-1]

    def decode(registers: Sequence[int], begin: int) -> Judged:
        pattern = 0
        for position in positions:
            pattern = pattern << 16 | registers[begin + position]
        return judge(pattern)

    return decode


def encode_point(point: Point, value: float | None) -> list[int]:
    """The registers a device shows for `value` (in the point's unit); None stands for not implemented.

    Raises:
        InvalidConfigurationError: The point cannot show that value.
    """
    pattern = _not_implemented_pattern(point) if value is None else _pattern(point, value)
    words = [(pattern >> shift) & 0xFFFF for shift in range(point.type.bits - 16, -1, -16)]
    return words[::-1] if point.word_order is WordOrder.LOW_FIRST else words


def _integer_judge(point: Point) -> Callable[[int], Judged]:
    (a, scale_d), (b, offset_d) = point.scale.as_integer_ratio(), point.offset.as_integer_ratio()
    # value = (raw * a + b) / d in integers: one division, rounded once, so 4086 thousandths are 4.086 exactly.
    a, b, d = a * offset_d, b * scale_d, scale_d * offset_d
    not_implemented = point.not_implemented_patterns
    lowest, highest = _plausible_range(point)
    largest_raw, modulus = point.type.raw_range[1], 1 << point.type.bits
    good = Quality.GOOD

    def judge(pattern: int) -> Judged:
        if pattern in not_implemented:
            return None, None, Quality.NOT_IMPLEMENTED
        value: float = ((pattern if pattern <= largest_raw else pattern - modulus) * a + b) / d
        return (value, None, good) if lowest <= value <= highest else _implausible(point, value, highest)

    return judge


def _float_judge(point: Point) -> Callable[[int], Judged]:
    layout = _FLOAT_STRUCTS[point.type]
    scale, offset = float(point.scale), float(point.offset)
    not_implemented = point.not_implemented_patterns
    lowest, highest = _plausible_range(point)

    def judge(pattern: int) -> Judged:
        if pattern in not_implemented:
            return None, None, Quality.NOT_IMPLEMENTED
        (number,) = layout.unpack(pattern.to_bytes(layout.size, "big"))
        value = number * scale + offset
        if not math.isfinite(value):
            return None, None, Quality.NOT_FINITE
        return (
            (value, None, Quality.GOOD) if lowest <= value <= highest else _implausible(point, value, highest)
        )

    return judge


def _plausible_range(point: Point) -> tuple[float, float]:
    return (
        (-math.inf, math.inf)
        if point.plausible is None
        else (float(point.plausible[0]), float(point.plausible[1]))
    )


def _implausible(point: Point, value: float, highest: float) -> Judged:
    if point.danger in (Danger.BOTH, Danger.HIGH if value > highest else Danger.LOW):
        return value, None, Quality.IMPLAUSIBLE_DANGEROUS
    return None, value, Quality.IMPLAUSIBLE_SAFE


def _not_implemented_pattern(point: Point) -> int:
    if not point.not_implemented:
        raise InvalidConfigurationError(f"point {point.name} has no not-implemented value: give it a number")
    return point.not_implemented[0] & ((1 << point.type.bits) - 1)


def _pattern(point: Point, value: float) -> int:
    try:
        pattern = _float_pattern(point, value) if point.type.is_float else _integer_pattern(point, value)
    except OverflowError as error:
        raise InvalidConfigurationError(f"point {point.name} ({point.type}) cannot show {value!r}") from error
    if pattern in point.not_implemented_patterns:
        raise InvalidConfigurationError(f"point {point.name}: {value!r} would read as not implemented")
    return pattern


def _float_pattern(point: Point, value: float) -> int:
    number = (float(value) - float(point.offset)) / float(point.scale)
    return int.from_bytes(_FLOAT_STRUCTS[point.type].pack(number), "big")


def _integer_pattern(point: Point, value: float) -> int:
    if not math.isfinite(value):
        raise OverflowError
    scaled = (Decimal(repr(float(value))) - point.offset) / point.scale
    raw = int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))
    lowest, highest = point.type.raw_range
    if not lowest <= raw <= highest:
        raise OverflowError
    return raw & ((1 << point.type.bits) - 1)
