"""Block planning: which requests read all points of a map, and which of their registers are whose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sos_ops.modbus.decode import Judged, decoder_of
from sos_ops.modbus.protocol_map import Point, ProtocolMap, ReadFunction


@dataclass(frozen=True)
class Block:
    """One request: `count` registers from `start` (on the wire, from 0), and the points inside."""

    function: ReadFunction
    start: int
    count: int
    points: tuple[Point, ...]
    offsets: tuple[int, ...]
    """Where in the block's registers each of `points` begins."""
    decoders: tuple[Callable[[Sequence[int], int], Judged], ...] = field(repr=False, compare=False)
    """How each of `points` is decoded."""

    @property
    def last(self) -> int:
        """The last register on the wire."""
        return self.start + self.count - 1

    def decode(self, registers: Sequence[int]) -> list[tuple[Point, Judged]]:
        """The points with their value, suspect value and quality.

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


def plan_blocks(protocol_map: ProtocolMap) -> list[Block]:
    """The requests that read every point of a map, in the order of the registers.

    Neighbouring points share a request as long as it stays within the map's maximum, the gap between them
    within the map's `max_gap`, and no denied register lies in it. A point is never cut in two.
    """
    denied = {protocol_map.wire_address(address) for address in protocol_map.denied_registers}
    blocks: list[Block] = []
    members: list[Point] = []
    for point in sorted(protocol_map.points, key=lambda p: p.address):
        if members and not _may_join(protocol_map, members, point, denied):
            blocks.append(_block(protocol_map, members))
            members = []
        members.append(point)
    blocks.append(_block(protocol_map, members))
    return blocks


def _may_join(protocol_map: ProtocolMap, members: list[Point], point: Point, denied: set[int]) -> bool:
    first = protocol_map.wire_address(members[0].address)
    after = protocol_map.wire_address(members[-1].address) + members[-1].registers
    start = protocol_map.wire_address(point.address)
    return (
        start + point.registers - first <= protocol_map.max_registers_per_request
        and start - after <= protocol_map.max_gap
        and denied.isdisjoint(range(after, start))
    )


def _block(protocol_map: ProtocolMap, members: list[Point]) -> Block:
    starts = [protocol_map.wire_address(point.address) for point in members]
    return Block(
        function=protocol_map.read_function,
        start=starts[0],
        count=starts[-1] + members[-1].registers - starts[0],
        points=tuple(members),
        offsets=tuple(start - starts[0] for start in starts),
        decoders=tuple(decoder_of(point) for point in members),
    )
