"""From registers to values.

NaN, infinities and a device's not-implemented values are no values. A merely unlikely value is kept and
marked when it points to danger, and set aside when it points to safety: absence of danger needs proof,
danger does not.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Literal, NamedTuple

from sos_ops.modbus.point import ByteOrder, Danger, Point, PointType, WordOrder

_MOST_JUDGEMENTS = 8192
"""Of one meaning: more than a quantity takes in a day, and a megabyte or two where a device talks nonsense."""

FLOAT_STRUCTS = {PointType.F32: struct.Struct(">f"), PointType.F64: struct.Struct(">d")}


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
    NOT_TEXT = "not_text"
    """The registers of a string hold no UTF-8 text: no reading."""
    NOT_DECODABLE = "not_decodable"
    """The map was mended later, and the registers where it has the point now were not read then: no value."""


class Judged(NamedTuple):
    """What registers say: a value in the point's unit, or None; what was read and set aside; the quality.

    A string's reading is its text, and has no value.
    """

    value: float | None
    suspect_value: float | None
    quality: Quality
    text: str | None = None


class DecodedPoint(NamedTuple):
    """A point and what its registers say, as in `Judged`."""

    point: Point
    value: float | None
    suspect_value: float | None
    quality: Quality
    text: str | None = None


Decoder = Callable[[Sequence[int], int], Judged]
"""From registers (each 0..65535) and the position where a point begins to what they say."""


def decode_point(point: Point, registers: Sequence[int]) -> DecodedPoint:
    """What a point's own registers say (each 0..65535, as many as the point is wide).

    Raises:
        ValueError: Not exactly as many registers as the point is wide.
    """
    if len(registers) != point.registers:
        raise ValueError(f"point {point.name} is {point.registers} registers wide, not {len(registers)}")
    return DecodedPoint(point, *decoder_of(point)(registers, 0))


def decoder_of(point: Point) -> Decoder:
    """A function that decodes the point from registers, beginning at a position: for points read again and again.

    Points that mean the same share one, so what one rack's cell worked out, the next rack's need not.

    Raises:
        IndexError: (the function) There are not enough registers.
    """
    return _decoder(
        _Meaning(
            point.type,
            point.registers,
            point.bit,
            point.word_order,
            point.byte_order,
            point.scale,
            point.offset,
            point.not_implemented_patterns,
            point.plausible,
            point.danger,
        )
    )


def flag_names(point: Point, value: float | None) -> list[str]:
    """The flags of a bitfield that are set in `value`, lowest bit first; one without a name is `bit_N`.

    No value, no flags: whether the bitfield was read is for its quality to say.
    """
    names = {bit: name for name, bit in point.flags.items()}
    pattern = int(value or 0)
    return [names.get(bit, f"bit_{bit}") for bit in range(point.type.bits) if pattern >> bit & 1]


class _Meaning(NamedTuple):
    """All of a point that decides what its registers say."""

    type: PointType
    registers: int
    bit: int | None
    word_order: WordOrder | None
    byte_order: ByteOrder
    scale: Decimal
    offset: Decimal
    not_implemented: frozenset[int]
    plausible: tuple[Decimal, Decimal] | None
    danger: Danger


class _Judgements(dict[int, Judged]):
    """What each content of one register says, worked out when it is first seen."""

    def __init__(self, judge: Callable[[int], Judged]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, pattern: int) -> Judged:
        if len(self) >= _MOST_JUDGEMENTS:
            self.clear()
        judged = self[pattern] = self._judge(pattern)
        return judged


@lru_cache(maxsize=4096)
def _decoder(meaning: _Meaning) -> Decoder:
    if meaning.type is PointType.STRING:
        return _text_decoder(meaning)
    judge = _float_judge(meaning) if meaning.type.is_float else _integer_judge(meaning)
    if meaning.byte_order is ByteOrder.LOW_FIRST:
        judge = _with_bytes_swapped(judge, meaning.registers)
    if meaning.registers == 1:
        judgements = _Judgements(judge)
        return lambda registers, begin: judgements[registers[begin]]
    return _wide_decoder(judge, meaning)


def _wide_decoder(judge: Callable[[int], Judged], meaning: _Meaning) -> Decoder:
    positions = range(meaning.registers)
    if meaning.word_order is WordOrder.LOW_FIRST:
        positions = positions[::-1]

    def decode(registers: Sequence[int], begin: int) -> Judged:
        pattern = 0
        for position in positions:
            pattern = pattern << 16 | registers[begin + position]
        return judge(pattern)

    return decode


def _with_bytes_swapped(judge: Callable[[int], Judged], registers: int) -> Callable[[int], Judged]:
    low = int.from_bytes(b"\x00\xff" * registers, "big")
    return lambda pattern: judge((pattern & low) << 8 | pattern >> 8 & low)


def _text_decoder(meaning: _Meaning) -> Decoder:
    length = meaning.registers
    order: Literal["big", "little"] = "big" if meaning.byte_order is ByteOrder.HIGH_FIRST else "little"

    def decode(registers: Sequence[int], begin: int) -> Judged:
        data = b"".join(registers[begin + position].to_bytes(2, order) for position in range(length))
        if not data.strip(b"\0"):
            return Judged(None, None, Quality.NOT_IMPLEMENTED)
        # What follows a NUL is what an older, longer text left behind.
        own = data.strip(b"\0 ").split(b"\0", 1)[0].rstrip(b" ")
        try:
            text = own.decode("utf-8")
        except UnicodeDecodeError:
            return Judged(None, None, Quality.NOT_TEXT)
        if not text.isprintable():
            return Judged(None, None, Quality.NOT_TEXT)
        return Judged(None, None, Quality.GOOD, text)

    return decode


def _integer_judge(meaning: _Meaning) -> Callable[[int], Judged]:
    (a, scale_d), (b, offset_d) = meaning.scale.as_integer_ratio(), meaning.offset.as_integer_ratio()
    # value = (raw * a + b) / d in integers: one division, rounded once, so 4086 thousandths are 4.086 exactly.
    a, b, d = a * offset_d, b * scale_d, scale_d * offset_d
    not_implemented, bit = meaning.not_implemented, meaning.bit
    lowest, highest = _plausible_range(meaning)
    largest_raw, modulus = meaning.type.raw_range[1], 1 << meaning.type.bits

    def judge(pattern: int) -> Judged:
        if pattern in not_implemented:
            return Judged(None, None, Quality.NOT_IMPLEMENTED)
        raw = pattern >> bit & 1 if bit is not None else pattern
        value: float = ((raw if raw <= largest_raw else raw - modulus) * a + b) / d
        if lowest <= value <= highest:
            return Judged(value, None, Quality.GOOD)
        return _implausible(meaning, value, highest)

    return judge


def _float_judge(meaning: _Meaning) -> Callable[[int], Judged]:
    layout = FLOAT_STRUCTS[meaning.type]
    scale, offset = float(meaning.scale), float(meaning.offset)
    not_implemented = meaning.not_implemented
    lowest, highest = _plausible_range(meaning)

    def judge(pattern: int) -> Judged:
        if pattern in not_implemented:
            return Judged(None, None, Quality.NOT_IMPLEMENTED)
        (number,) = layout.unpack(pattern.to_bytes(layout.size, "big"))
        value = number * scale + offset
        if not math.isfinite(value):
            return Judged(None, None, Quality.NOT_FINITE)
        if lowest <= value <= highest:
            return Judged(value, None, Quality.GOOD)
        return _implausible(meaning, value, highest)

    return judge


def _plausible_range(meaning: _Meaning) -> tuple[float, float]:
    if meaning.plausible is None:
        return -math.inf, math.inf
    return float(meaning.plausible[0]), float(meaning.plausible[1])


def _implausible(meaning: _Meaning, value: float, highest: float) -> Judged:
    if meaning.danger in (Danger.BOTH, Danger.HIGH if value > highest else Danger.LOW):
        return Judged(value, None, Quality.IMPLAUSIBLE_DANGEROUS)
    return Judged(None, value, Quality.IMPLAUSIBLE_SAFE)
