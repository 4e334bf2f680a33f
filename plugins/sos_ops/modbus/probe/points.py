"""Judging points one by one: plausible, implemented, moving."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.probe.report import Finding, Severity
from sos_ops.modbus.probe.samples import Series
from sos_ops.modbus.probe.sense import is_measured

_IMPLAUSIBLE = (Quality.IMPLAUSIBLE_DANGEROUS, Quality.IMPLAUSIBLE_SAFE)
_USUAL_NOT_IMPLEMENTED = (0x8000, 0xFFFF, 0x7FFF)
_FEWEST_PEERS = 3
_SHORTEST_S = 1.0
"""Most devices measure once a second: nothing has to move in less."""
_CHANCE = 0.05
"""A point that stands still is worth a look where its like do so by chance less often than this."""


def judge_values(series: Sequence[Series]) -> Iterator[Finding]:
    """What is odd about single values."""
    for one in series:
        yield from _implausible(one)
        yield from _no_value(one)
        yield from _looks_not_implemented(one)


def judge_stillness(series: Sequence[Series], seconds: float) -> Iterator[Finding]:
    """Measured quantities that stood still while others of their unit moved, or all of them did.

    Args:
        series: Every point.
        seconds: How long the samples lasted.
    """
    measured = [one for one in series if is_measured(one.point) and len(one.registers) > 1 and one.numbers]
    moving = [one for one in measured if len(set(one.registers)) > 1]
    if measured and not moving:
        if len(measured) >= _FEWEST_PEERS and seconds >= _SHORTEST_S:
            yield Finding(
                Severity.LOOK,
                "nothing_moved",
                f"not one measured value moved in {seconds:.0f} s: take more samples over a longer time "
                "(--samples 20 --pause 0.5); a device that shows a frozen copy looks like this",
            )
        return
    for unit in sorted({one.point.unit for one in measured}):
        peers = [one for one in measured if one.point.unit == unit]
        for one in peers:
            if len(set(one.registers)) == 1 and _is_unlikely_by_chance(one, peers):
                moved = sum(len(set(peer.registers)) > 1 for peer in peers)
                yield Finding(
                    Severity.LOOK,
                    "stuck",
                    f"{one.point.name} stood at {one.numbers[0]:g} {unit} in all {len(one.registers)} samples, "
                    f"while {moved} of {len(peers)} points in {unit} moved: is its sensor stuck?",
                    (one.point.name,),
                )


def _is_unlikely_by_chance(still: Series, peers: Sequence[Series]) -> bool:
    """Whether a point would hardly stand still if it moved as its peers do.

    Each of n - 1 steps from sample to sample repeats a value with the share seen among the peers; there are as
    many chances for it as points.
    """
    others = [peer for peer in peers if peer is not still]
    if len(others) < _FEWEST_PEERS:
        return False
    steps = [pair for peer in others for pair in itertools.pairwise(peer.registers)]
    repeats = (1 + sum(before == after for before, after in steps)) / (1 + len(steps))
    return len(peers) * repeats ** (len(still.registers) - 1) < _CHANCE


def _implausible(series: Series) -> Iterator[Finding]:
    point = series.point
    odd = [one for one in series.judged if one.quality in _IMPLAUSIBLE]
    if not odd or point.plausible is None:
        return
    number = odd[0].value if odd[0].value is not None else odd[0].suspect_value
    lowest, highest = point.plausible
    unit = f" {point.unit}" if point.unit else ""
    yield Finding(
        Severity.WRONG,
        "implausible",
        f"{point.name} reads {number:g}{unit} in {len(odd)} of {len(series.judged)} samples; "
        f"plausible is {lowest:f} to {highest:f}",
        (point.name,),
    )


def _no_value(series: Series) -> Iterator[Finding]:
    name, count = series.point.name, len(series.judged)
    words = {
        Quality.NOT_FINITE: (Severity.WRONG, "not_finite", "reads NaN or infinite"),
        Quality.NOT_TEXT: (Severity.WRONG, "not_text", "is no text: byte order, length or address is off"),
        Quality.NOT_IMPLEMENTED: (Severity.LOOK, "not_implemented", "reads not implemented"),
    }
    for quality, (severity, kind, text) in words.items():
        times = sum(one.quality is quality for one in series.judged)
        if times:
            yield Finding(severity, kind, f"{name} {text} in {times} of {count} samples", (name,))


def _looks_not_implemented(series: Series) -> Iterator[Finding]:
    """The usual values for "not measured", where the map does not say so and nothing ever moves."""
    point = series.point
    if not point.type.is_number or point.type.registers != 1 or len(set(series.registers)) != 1:
        return
    pattern = series.registers[0][0]
    if pattern in _USUAL_NOT_IMPLEMENTED and pattern not in point.not_implemented_patterns:
        yield Finding(
            Severity.LOOK,
            "looks_not_implemented",
            f"{point.name} holds 0x{pattern:04X} all the time, which many devices show for what they do not "
            f"measure: if the vendor agrees, write not_implemented: [0x{pattern:04X}]",
            (point.name,),
        )
