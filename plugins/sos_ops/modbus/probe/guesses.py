"""Guessing why a map does not fit: words or bytes the other way round, addresses off by one.

Each guess is an experiment on what was read already: if nearly all values that make no sense as the map has
them make sense the other way, the other way is named. Nothing is concluded from values that make sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sos_ops.modbus.decode import decoder_of
from sos_ops.modbus.probe.report import Finding, Severity
from sos_ops.modbus.probe.samples import Registers, Series
from sos_ops.modbus.probe.sense import makes_sense, number_of, spread, swapped_bytes, swapped_words
from sos_ops.modbus.protocol_map import Addressing, Point, PointType, ProtocolMap, ReadFunction, WordOrder

Image = Mapping[tuple[ReadFunction, int], int]
"""Registers as read, by table and address on the wire."""

_CONVINCING = 0.75
"""Of the values that make no sense, so many must make sense the other way."""

_FEWEST_FOR_BYTES = 2
_FEWEST_FOR_SHIFT = 4
_JUMPY, _STEADY = 0.5, 0.05
"""A quantity that changes by half its size between samples jumps; one within 5 % is steady."""


def guess_word_order(series: Sequence[Series]) -> Iterator[Finding]:
    """Points of several registers that make sense only with their registers in the other order."""
    wide = [one for one in series if one.point.type.is_number and one.point.registers > 1 and one.registers]
    bad = [one for one in wide if _is_bad(one)]
    better = [one for one in bad if _is_good(one, swapped_words)]
    if not bad or len(better) < _CONVINCING * len(bad):
        yield from _guess_bytes(
            [one for one in wide if one not in better],
            lambda registers: swapped_words(swapped_bytes(registers)),
            "words and bytes",
        )
        return
    order = better[0].point.word_order
    other = WordOrder.LOW_FIRST if order is WordOrder.HIGH_FIRST else WordOrder.HIGH_FIRST
    example = better[0]
    yield Finding(
        Severity.WRONG,
        "word_order",
        f"{len(better)} of {len(wide)} points of several registers make sense only in the other word order "
        f"({example.point.name}: {_number(example, None)} -> {_number(example, swapped_words)}): "
        f"write word_order: {other}",
        tuple(one.point.name for one in better),
    )


def guess_byte_order(series: Sequence[Series]) -> Iterator[Finding]:
    """Points that make sense only with the bytes of each register swapped."""
    yield from _guess_bytes(series, swapped_bytes, "bytes")


def guess_shift(
    protocol_map: ProtocolMap, series: Sequence[Series], images: Sequence[Image]
) -> Iterator[Finding]:
    """Whether the values would make sense one register further on or back."""
    asked = [one for one in series if one.registers or one.failure is not None]
    at_home = {one.point.name: _sense_at(one, images, 0) for one in asked}
    for shift in (-1, 1):
        moved = {one.point.name: _sense_at(one, images, shift) for one in asked}
        comparable = [
            name for name, sense in moved.items() if sense is not None and at_home[name] is not None
        ]
        bad_here = [name for name in comparable if not at_home[name]]
        bad_there = [name for name in comparable if not moved[name]]
        if len(comparable) < _FEWEST_FOR_SHIFT or not bad_here:
            continue
        if len(bad_there) <= (1 - _CONVINCING) * len(bad_here):
            yield Finding(
                Severity.WRONG,
                "shifted",
                f"addresses look off by one: {len(bad_here)} of {len(comparable)} values make no sense where the "
                f"map has them, {len(bad_there)} one register {'further on' if shift > 0 else 'before'}: "
                f"{_cure(protocol_map, shift)}",
                tuple(bad_here),
            )


def _guess_bytes(
    series: Sequence[Series], transform: Callable[[Registers], Registers], what: str
) -> Iterator[Finding]:
    numeric = [
        one for one in series
        if one.registers and one.point.type.is_number and one.point.type is not PointType.BIT
    ]  # fmt: skip
    bad = [one for one in numeric if _is_bad(one)]
    better = [one for one in bad if _is_good(one, transform)]
    # 16 bits make sense by chance now and then, so one point is no evidence.
    if len(bad) < _FEWEST_FOR_BYTES or len(better) < _CONVINCING * len(bad):
        return
    example = better[0]
    yield Finding(
        Severity.WRONG,
        "byte_order",
        f"{len(better)} of {len(numeric)} points make sense only with {what} the other way round "
        f"({example.point.name}: {_number(example, None)} -> {_number(example, transform)}): "
        f"write byte_order: low_first" + (" and turn word_order round" if what != "bytes" else ""),
        tuple(one.point.name for one in better),
    )


def _is_bad(series: Series) -> bool:
    """No sense in most samples, or a number that jumps about or counts in steps of 65536."""
    senses = [makes_sense(series.point, registers) for registers in series.registers]
    if any(sense is not None for sense in senses):
        bad = sum(sense is False for sense in senses)
        return 2 * bad > len(senses) or (bad == 0 and _looks_turned(series))
    return _looks_turned(series)


def _is_good(series: Series, transform: Callable[[Registers], Registers]) -> bool:
    turned = [transform(registers) for registers in series.registers]
    if any(makes_sense(series.point, registers) is False for registers in turned):
        return False
    decode = decoder_of(series.point)
    numbers = [number for registers in turned if (number := number_of(decode(registers, 0))) is not None]
    return len(numbers) > 0 and (len(numbers) == 1 or spread(numbers) <= _JUMPY)


def _looks_turned(series: Series) -> bool:
    """An integer of several registers that reads as a multiple of 65536 each time, or jumps by such steps."""
    point = series.point
    if point.type.is_float or point.registers < 2:
        return False
    ordered = [r if point.word_order is WordOrder.HIGH_FIRST else r[::-1] for r in series.registers]
    if all(any(r) and not any(r[1:]) for r in ordered):
        return True
    numbers = series.numbers
    decode = decoder_of(point)
    turned = [number_of(decode(swapped_words(registers), 0)) for registers in series.registers]
    others = [number for number in turned if number is not None]
    return len(numbers) > 1 and spread(numbers) > _JUMPY and len(others) > 1 and spread(others) <= _STEADY


def _sense_at(series: Series, images: Sequence[Image], shift: int) -> bool | None:
    """Whether the registers at a distance look like the point, in most samples; None where they were not read.

    A point that the device refuses makes no sense at its own place.
    """
    if shift == 0 and series.failure is not None:
        return False if series.failure.reason.is_refusal else None
    senses = []
    for image in images:
        registers = _registers_at(image, series.point, series.start + shift)
        if registers is not None and (sense := makes_sense(series.point, registers)) is not None:
            senses.append(sense)
    return 2 * sum(senses) > len(senses) if senses else None


def _registers_at(image: Image, point: Point, start: int) -> Registers | None:
    places = [(point.function, start + offset) for offset in range(point.registers)]
    return tuple(image[place] for place in places) if all(place in image for place in places) else None


def _cure(protocol_map: ProtocolMap, shift: int) -> str:
    if shift < 0 and protocol_map.addressing is Addressing.ZERO_BASED:
        return "the manual probably counts from 1: write addressing: one_based"
    if shift > 0 and protocol_map.addressing is Addressing.ONE_BASED:
        return "the manual probably counts from 0: write addressing: zero_based"
    return f"{'raise' if shift > 0 else 'lower'} every address by 1"


def _number(series: Series, transform: Callable[[Registers], Registers] | None) -> str:
    registers = series.registers[-1]
    judged = decoder_of(series.point)(transform(registers) if transform else registers, 0)
    number = number_of(judged)
    return judged.quality.value if number is None else f"{number:.6g} {series.point.unit}".rstrip()
