"""Block planning: which requests read all points of a map, and which of their registers are whose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.decode import Decoder, Judged, decoder_of
from sos_ops.modbus.protocol_map import (
    PROTOCOL_MAX_REGISTERS,
    Point,
    ProtocolMap,
    ReadFunction,
    RegisterMask,
    RegisterRange,
)


@dataclass(frozen=True)
class Block:
    """One request: `count` registers from `start` (on the wire, from 0), and the points inside."""

    function: ReadFunction
    start: int
    count: int
    points: tuple[Point, ...]
    offsets: tuple[int, ...]
    """Where in the block's registers each of `points` begins."""
    decoders: tuple[Decoder, ...] = field(repr=False, compare=False)
    """How each of `points` is decoded."""

    @classmethod
    def of(cls, protocol_map: ProtocolMap, points: Iterable[Point]) -> Block:
        """The one request that reads these points of a map: as short as it can be.

        Raises:
            ValueError: There is none: no points, points of both tables, more registers than a request may
                ask for, or a denied or unreadable register in between.
        """
        members = sorted(points, key=lambda point: (point.address, point.name))
        spans = [protocol_map.registers_of(point) for point in members]
        if not spans or any(span.function is not spans[0].function for span in spans):
            raise ValueError("a block has points, all of one table")
        start = spans[0].start
        whole = RegisterRange(spans[0].function, start, max(span.stop for span in spans) - start)
        if whole.count > PROTOCOL_MAX_REGISTERS:
            raise ValueError(f"a block of {whole.count} registers: {PROTOCOL_MAX_REGISTERS} are the most")
        if (forbidden := protocol_map.forbidden.first_in(whole)) is not None:
            raise ValueError(f"the block {start}..{whole.stop - 1} reaches over register {forbidden}")
        return cls(
            function=whole.function,
            start=start,
            count=whole.count,
            points=tuple(members),
            offsets=tuple(span.start - start for span in spans),
            decoders=tuple(decoder_of(point) for point in members),
        )

    @property
    def last(self) -> int:
        """The last register on the wire."""
        return self.start + self.count - 1

    @property
    def registers(self) -> RegisterRange:
        """The registers the block reads."""
        return RegisterRange(self.function, self.start, self.count)

    def decode(self, registers: Sequence[int]) -> list[tuple[Point, Judged]]:
        """The points with what their registers say.

        Args:
            registers: The block's own, `count` of them.

        Raises:
            ValueError: Another number of registers.
        """
        if len(registers) != self.count:
            raise ValueError(f"the block has {self.count} registers, not {len(registers)}")
        return [
            (point, decode(registers, begin))
            for point, decode, begin in zip(self.points, self.decoders, self.offsets, strict=True)
        ]


def plan_blocks(
    protocol_map: ProtocolMap,
    unreadable: Collection[RegisterRange] = (),
    leave_out: Collection[str] = (),
    *,
    max_registers: int | None = None,
    max_gap: int | None = None,
) -> list[Block]:
    """The fewest requests that read every point of a map, input registers first, in the order of the registers.

    Neighbouring points share a request as long as it stays within the maximum, the gap between them within
    `max_gap`, and no denied or unreadable register lies in it. A point is never cut in two. Joining from the
    left as far as it goes gives the fewest requests, because any part of a request that may be is one too.

    Args:
        protocol_map: The map.
        unreadable: Registers known to be bad beyond those of the map, on the wire; points on them are not read.
        leave_out: Names of points not to be read.
        max_registers: The most registers of a request, instead of the map's.
        max_gap: The most registers read along between two points, instead of the map's.

    Raises:
        InvalidConfigurationError: `max_registers` or `max_gap` is out of range, or too small for a point.
    """
    most = protocol_map.max_registers_per_request if max_registers is None else max_registers
    gap = protocol_map.max_gap if max_gap is None else max_gap
    _refuse_out_of_range(most, gap)
    left_out, bad = frozenset(leave_out), RegisterMask(unreadable)
    forbidden = RegisterMask([*protocol_map.forbidden_ranges, *unreadable])
    blocks: list[Block] = []
    for function in ReadFunction:
        members: list[Point] = []
        first = after = 0
        for point, span in _in_order(protocol_map, function):
            if point.name in left_out or bad.first_in(span) is not None:
                continue
            if span.count > most:
                raise InvalidConfigurationError(
                    f"point {point.name} has {span.count} registers, a request may have {most}"
                )
            between = RegisterRange(function, after, max(span.start - after, 0))
            joins = (
                max(after, span.stop) - first <= most
                and between.count <= gap
                and forbidden.first_in(between) is None
            )
            if members and not joins:
                blocks.append(Block.of(protocol_map, members))
                members = []
            if not members:
                first = after = span.start
            members.append(point)
            after = max(after, span.stop)
        if members:
            blocks.append(Block.of(protocol_map, members))
    return blocks


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a plan asks of a device."""

    requests: int
    points: int
    registers_used: int
    """Registers that points lie in."""
    registers_wasted: int
    """Registers read along between points."""


def summarise(blocks: Iterable[Block]) -> PlanSummary:
    """Requests, points, and registers used and wasted."""
    requests = points = read = used = 0
    for block in blocks:
        requests += 1
        points += len(block.points)
        read += block.count
        used += len(
            {
                offset + register
                for point, offset in zip(block.points, block.offsets, strict=True)
                for register in range(point.registers)
            }
        )
    return PlanSummary(requests, points, used, read - used)


_BITS_PER_CHARACTER = 11
_REQUEST_CHARACTERS = 8
_ANSWER_CHARACTERS = 5
_SILENCE_CHARACTERS = 3.5
_FAST_BAUD, _FAST_SILENCE_S = 19_200, 0.00175


def serial_seconds(blocks: Iterable[Block], baud: int = 9600, turnaround_s: float = 0.05) -> float:
    """How long these requests take on an RS485 line behind a converter, without an error, in seconds.

    Per request of n registers, after "MODBUS over Serial Line, Specification and Implementation Guide" 1.02,
    sections 2.5.1 and 2.5.1.1: 8 characters (unit, function, address, count, CRC), the device's turnaround, 5 + 2n
    characters (unit, function, byte count, registers, CRC), and a silence of 3.5 characters after each of the two
    frames; a character is 11 bits. Above 19,200 baud the silence is a fixed 1.75 ms. The network before the
    converter is not counted.

    Args:
        blocks: The requests.
        baud: Bits a second on the line.
        turnaround_s: What the device needs to answer, beyond the silence after the request.

    Raises:
        ValueError: The baud rate is not positive, or the turnaround is negative.
    """
    if baud <= 0 or turnaround_s < 0:
        raise ValueError("a line has a positive baud rate, and no device answers before it is asked")
    character_s = _BITS_PER_CHARACTER / baud
    silence_s = _FAST_SILENCE_S if baud > _FAST_BAUD else _SILENCE_CHARACTERS * character_s
    return sum(
        (_REQUEST_CHARACTERS + _ANSWER_CHARACTERS + 2 * block.count) * character_s
        + 2 * silence_s
        + turnaround_s
        for block in blocks
    )


def _in_order(protocol_map: ProtocolMap, function: ReadFunction) -> list[tuple[Point, RegisterRange]]:
    spans = [(p, protocol_map.registers_of(p)) for p in protocol_map.points if p.function is function]
    return sorted(spans, key=lambda pair: (pair[1].start, pair[0].name))


def _refuse_out_of_range(most: int, gap: int) -> None:
    if not 1 <= most <= PROTOCOL_MAX_REGISTERS:
        raise InvalidConfigurationError(
            f"a request may ask for 1 to {PROTOCOL_MAX_REGISTERS} registers, not {most}"
        )
    if not 0 <= gap <= PROTOCOL_MAX_REGISTERS:
        raise InvalidConfigurationError(f"a gap has 0 to {PROTOCOL_MAX_REGISTERS} registers, not {gap}")
