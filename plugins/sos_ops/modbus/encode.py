"""From values to registers: what a device that has a value shows. For the simulator, and to prove decoding."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.decode import FLOAT_STRUCTS
from sos_ops.modbus.point import ByteOrder, Point, PointType, WordOrder


def encode_point(point: Point, value: float | str | None) -> list[int]:
    """The registers a device shows for `value` (in the point's unit; text for a string); None: not implemented.

    A bit is shown alone in its register: whoever serves several of one register puts them together.

    Raises:
        InvalidConfigurationError: The point cannot show that value.
    """
    if point.type is PointType.STRING:
        return _text_registers(point, value)
    if isinstance(value, str):
        raise InvalidConfigurationError(f"point {point.name} ({point.type}) cannot show the text {value!r}")
    pattern = _not_implemented_pattern(point) if value is None else _pattern(point, value)
    words = [(pattern >> shift) & 0xFFFF for shift in range(point.type.bits - 16, -1, -16)]
    if point.byte_order is ByteOrder.LOW_FIRST:
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    return words[::-1] if point.word_order is WordOrder.LOW_FIRST else words


def _text_registers(point: Point, value: float | str | None) -> list[int]:
    if not isinstance(value, str | None):
        raise InvalidConfigurationError(f"point {point.name} is text and cannot show {value!r}")
    size, text = 2 * point.registers, value or ""
    if not text.isprintable() or text != text.strip(" ") or len(text.encode()) > size:
        raise InvalidConfigurationError(
            f"point {point.name} cannot show {value!r}: it has {size} bytes of UTF-8, without spaces at the ends"
        )
    # Nothing at all would read as not implemented: an empty text is a space.
    data = b"" if value is None else (text or " ").encode()
    data = data.ljust(size, b"\0")
    order: Literal["big", "little"] = "big" if point.byte_order is ByteOrder.HIGH_FIRST else "little"
    return [int.from_bytes(data[begin : begin + 2], order) for begin in range(0, size, 2)]


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
    return int.from_bytes(FLOAT_STRUCTS[point.type].pack(number), "big")


def _integer_pattern(point: Point, value: float) -> int:
    if not math.isfinite(value):
        raise OverflowError
    scaled = (Decimal(repr(float(value))) - point.offset) / point.scale
    raw = int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))
    lowest, highest = point.type.raw_range
    if not lowest <= raw <= highest:
        raise OverflowError
    return raw << (point.bit or 0) & ((1 << point.type.bits) - 1)
