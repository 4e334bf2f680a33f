"""Judging blocks: what was refused, and whether a block says the same as its points read singly.

Some devices answer a block that reaches over registers they do not have with the following ones, moved up and
without a word, so that every value after the gap is another point's. Only the comparison shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sos_ops.modbus.decode import decoder_of
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.probe.report import BlockReport, Finding, Severity
from sos_ops.modbus.probe.samples import BlockSamples, Registers
from sos_ops.modbus.probe.sense import number_of
from sos_ops.modbus.protocol_map import Point, ProtocolMap

_STEPS_OF_SLACK = 4
_SHARE_OF_SLACK = 0.01
_FARTHEST_SHIFT = 4
"""Registers by which a block is searched for a point's own content, beyond the gaps before it."""

_NAMES = 4


def reports(samples: Sequence[BlockSamples]) -> list[BlockReport]:
    """How each block fared."""
    return [_report(one) for one in samples]


def judge_refusals(protocol_map: ProtocolMap, samples: Sequence[BlockSamples]) -> Iterator[Finding]:
    """Blocks and points the device refuses, and what to write into the map."""
    for one in samples:
        failures = [answer for answer in one.whole if isinstance(answer, ModbusReadError)]
        asked = sum(answer is not None for answer in one.whole)
        if not failures:
            continue
        first, last = one.block.start, one.block.last
        where = _where(protocol_map, first, last)
        if not all(failure.reason.is_exception for failure in failures) or len(failures) < asked:
            # What the line did, or a busy device: a later sample may have been answered.
            if len(failures) == asked:
                names = tuple(point.name for point in one.block.points)
                text = f"{where} were never answered: {_said(failures[0])}"
                yield Finding(Severity.WRONG, "not_answered", text, names)
            continue
        yield from _refused(one, failures[0], where)


def judge_comparison(samples: Sequence[BlockSamples], leave_out: Collection[str] = ()) -> Iterator[Finding]:
    """Points whose value in the block is not the one they have when read singly.

    Args:
        samples: What was read.
        leave_out: Points that are decoded wrongly, so that how far their values moved means nothing.
    """
    for one in samples:
        differing = [
            index
            for index, point in enumerate(one.block.points)
            if point.name not in leave_out and _differs(one, index)
        ]
        if not differing:
            continue
        points = [one.block.points[index] for index in differing]
        shifts = {shift for index in differing if (shift := _shift(one, index)) is not None}
        names = _some(points)
        if shifts:
            by = " or ".join(f"{shift:+d}" for shift in sorted(shifts))
            text = (
                f"block {one.block.start} to {one.block.last} on the wire comes back shifted by {by} registers: "
                f"{names} read singly lie elsewhere in it. The device passes over registers it does not have: "
                "write max_gap: 0"
            )
            yield Finding(Severity.WRONG, "reindexed", text, tuple(point.name for point in points))
        else:
            text = (
                f"{names} read otherwise in block {one.block.start} to {one.block.last} on the wire than "
                "singly, and lie nowhere near in it: write max_gap: 0 and a smaller max_registers_per_request, "
                "and probe again"
            )
            yield Finding(Severity.WRONG, "block_differs", text, tuple(point.name for point in points))


def judge_gaps(protocol_map: ProtocolMap, samples: Sequence[BlockSamples]) -> Iterator[Finding]:
    """Gaps whose registers do not exist by themselves, though the block over them is answered."""
    for one in samples:
        missing = [
            address
            for address, answer in one.gaps.items()
            if isinstance(answer, ModbusReadError) and answer.reason.is_refusal
        ]
        if missing:
            registers = ", ".join(str(_as_written(protocol_map, address)) for address in missing[:_NAMES])
            yield Finding(
                Severity.LOOK,
                "gap",
                f"the device refuses register {registers} by itself, yet answers the block over it: that it "
                "always leaves the right room for it is not said; max_gap: 0 is safe",
            )


def _report(samples: BlockSamples) -> BlockReport:
    failures = [answer for answer in samples.whole if isinstance(answer, ModbusReadError)]
    answered = sum(isinstance(answer, tuple) for answer in samples.whole)
    seconds = sorted(samples.seconds)
    return BlockReport(
        samples.block,
        answered,
        len(failures),
        str(failures[0]) if failures else None,
        seconds[len(seconds) // 2] if seconds else None,
    )


def _refused(samples: BlockSamples, failure: ModbusReadError, where: str) -> Iterator[Finding]:
    block = samples.block
    bad = [index for index in range(len(block.points)) if samples.failure_of(index) is not None]
    for index in bad:
        point = block.points[index]
        its_failure = samples.failure_of(index)
        yield Finding(
            Severity.WRONG,
            "refused",
            f"{point.name} at register {point.address}: {_said(its_failure)}. Either its address is wrong, or "
            "the device does not have it: correct the address or take the point out",
            (point.name,),
        )
    if bad:
        return
    if failure.reason is FailureReason.EXCEPTION_3 or not _has_gap(samples):
        advice = f"write a max_registers_per_request smaller than {block.count}"
    else:
        advice = "write max_gap: 0, or name the registers between the points as unreadable"
    yield Finding(
        Severity.WRONG,
        "block_refused",
        f"{where} are refused as one block ({_said(failure)}), but every point answers singly: {advice}",
        tuple(point.name for point in block.points),
    )


def _differs(samples: BlockSamples, index: int) -> bool:
    """Whether a point's single reads disagree with the block in most samples, more than moving explains."""
    point, begin = samples.block.points[index], samples.block.offsets[index]
    wholes = [
        answer[begin : begin + point.registers] for answer in samples.whole if isinstance(answer, tuple)
    ]
    singles = _singles(samples, point)
    if not wholes or not singles:
        return False
    off = sum(not _agrees(point, single, wholes) for single in singles)
    return 2 * off > len(singles)


def _agrees(point: Point, single: Registers, wholes: Sequence[Registers]) -> bool:
    """Whether a single read lies where the blocks' values do, give or take what moves between them."""
    if single in wholes:
        return True
    decode = decoder_of(point)
    number = number_of(decode(single, 0))
    numbers = [known for whole in wholes if (known := number_of(decode(whole, 0))) is not None]
    if number is None or not numbers or not point.type.is_number:
        return False
    lowest, highest = min(numbers), max(numbers)
    size = max(abs(lowest), abs(highest))
    steps = 0.0 if point.type.is_float else _STEPS_OF_SLACK * abs(float(point.scale))
    slack = (highest - lowest) + max(steps, _SHARE_OF_SLACK * size)
    return lowest - slack <= number <= highest + slack


def _shift(samples: BlockSamples, index: int) -> int | None:
    """By how many registers a point's own content is moved in the block; None where it is not found."""
    point, begin = samples.block.points[index], samples.block.offsets[index]
    singles = _singles(samples, point)
    missing = _unused_before(samples, begin)
    farthest = missing + _FARTHEST_SHIFT
    for distance in sorted(range(-farthest, farthest + 1), key=lambda d: (d > 0, abs(d))):
        at = begin + distance
        if distance == 0 or at < 0:
            continue
        wholes = [
            answer[at : at + point.registers]
            for answer in samples.whole
            if isinstance(answer, tuple) and at + point.registers <= len(answer)
        ]
        if wholes and all(_agrees(point, single, wholes) for single in singles):
            return distance
    return None


def _singles(samples: BlockSamples, point: Point) -> list[Registers]:
    return [answer for single in samples.single if isinstance(answer := single.get(point.name), tuple)]


def _unused_before(samples: BlockSamples, begin: int) -> int:
    return begin - len(_used(samples) & set(range(begin)))


def _has_gap(samples: BlockSamples) -> bool:
    return len(_used(samples)) < samples.block.count


def _used(samples: BlockSamples) -> set[int]:
    """The places in the block that belong to points."""
    return {
        begin + offset
        for point, begin in zip(samples.block.points, samples.block.offsets, strict=True)
        for offset in range(point.registers)
    }


def _where(protocol_map: ProtocolMap, first: int, last: int) -> str:
    return f"registers {_as_written(protocol_map, first)} to {_as_written(protocol_map, last)}"


def _as_written(protocol_map: ProtocolMap, wire: int) -> int:
    """A register on the wire, counted the map's way."""
    return wire - protocol_map.wire_address(0)


def _said(failure: ModbusReadError | None) -> str:
    """A failure without the address everybody knows."""
    text = str(failure)
    _, found, said = text.partition(" unit ")
    return said.partition(" ")[2] if found else text


def _some(points: Sequence[Point]) -> str:
    names = ", ".join(point.name for point in points[:_NAMES])
    return names + (f" and {len(points) - _NAMES} more" if len(points) > _NAMES else "")
