"""Finding the registers for which a device refuses a whole block.

A device answers exception 2, 3 or 4 to a block when one register in it does not exist. The block is halved
between its points, leaving out the registers between the halves, until the bad ones stand alone; everything
else is read on the way. Where both halves are answered and the whole is not, the gap between them is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sos_ops.modbus.ask import Answer, Ask, Asking
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.plan import Block
from sos_ops.modbus.protocol_map import Point, ProtocolMap, ReadFunction, RegisterRange

MOST_REQUESTS = 64
"""Per poll. What they do not find, the next poll finds: what was found is not asked again."""

MOST_REQUESTS_IN_VAIN = 20
"""As long as the device has answered nothing: from 125 registers down to a few single ones. If none of those is
answered either, the device is out of order rather than full of bad registers."""

_Atom = tuple[Point, ...]
"""Points that share registers (bits of one register, say) and can only be read together."""


@dataclass(frozen=True, slots=True)
class BadRegisters:
    """Registers that the device refused twice, by themselves."""

    range: RegisterRange
    points: tuple[str, ...]
    """None for a gap between points that cannot be read across."""
    reason: FailureReason


class Search:
    """The search through the refused blocks of one poll of one device.

    Args:
        protocol_map: The device's.
        take: Told of every block that is answered on the way.
        anything_read: Whether the device has answered anything in this poll.
    """

    def __init__(
        self, protocol_map: ProtocolMap, take: Callable[[Block, list[int]], None], *, anything_read: bool
    ) -> None:
        self._map = protocol_map
        self._take = take
        self._requests = 0
        self.anything_read = anything_read
        """If not even now, the device is out of order as a whole, and what was found says nothing."""
        self.bad: list[BadRegisters] = []
        self.only_in_pieces: list[Block] = []
        """Refused as a whole although nothing in them is bad: too long for the device, or a passing mood."""

    def through(self, block: Block) -> Asking[bool]:
        """Search a refused block; True when each of its points was read or found bad."""
        found_before = len(self.bad)
        try:
            yield from self._divide(_atoms(self._map, block.points))
        except _StoppedError:
            return False
        if len(self.bad) == found_before:
            self.only_in_pieces.append(block)
        return True

    def _divide(self, atoms: Sequence[_Atom]) -> Asking[None]:
        """Read what can be read of atoms that were refused together."""
        if len(atoms) == 1:
            yield from self._confirm(atoms[0])
            return
        middle = (len(atoms) + 1) // 2
        refused = []
        for half in (atoms[:middle], atoms[middle:]):
            if (yield from self._try(half)) is not None:
                refused.append(half)
        for half in refused:
            yield from self._divide(half)
        if not refused:
            yield from self._suspect_the_gap(atoms[middle - 1], atoms[middle])

    def _confirm(self, atom: _Atom) -> Asking[None]:
        refusal = yield from self._try((atom,))
        if refusal is not None:
            block = Block.of(self._map, atom)
            where = RegisterRange(block.function, block.start, block.count)
            self.bad.append(BadRegisters(where, tuple(point.name for point in atom), refusal.reason))

    def _suspect_the_gap(self, before: _Atom, after: _Atom) -> Asking[None]:
        left, right = Block.of(self._map, before), Block.of(self._map, after)
        gap = RegisterRange(left.function, left.last + 1, right.start - left.last - 1)
        if gap.count <= 0:
            return
        refusal = yield from self._ask(left.function, left.start, right.last - left.start + 1)
        if isinstance(refusal, ModbusReadError):
            self.bad.append(BadRegisters(gap, (), refusal.reason))

    def _try(self, atoms: Sequence[_Atom]) -> Asking[ModbusReadError | None]:
        block = Block.of(self._map, [point for atom in atoms for point in atom])
        answer = yield from self._ask(block.function, block.start, block.count)
        if isinstance(answer, ModbusReadError):
            return answer
        self._take(block, answer)
        return None

    def _ask(self, function: ReadFunction, start: int, count: int) -> Asking[Answer]:
        if self._requests == (MOST_REQUESTS if self.anything_read else MOST_REQUESTS_IN_VAIN):
            raise _StoppedError
        self._requests += 1
        answer = yield Ask(function, start, count)
        if isinstance(answer, list):
            self.anything_read = True
        elif not answer.reason.is_refusal:
            raise _StoppedError
        return answer


class _StoppedError(Exception):
    """No more requests are allowed, or one failed in a way that says nothing about registers."""


def _atoms(protocol_map: ProtocolMap, points: Sequence[Point]) -> list[_Atom]:
    atoms: list[list[Point]] = []
    end = -1
    for point in sorted(points, key=lambda p: p.address):
        registers = protocol_map.registers_of(point)
        if registers.start >= end:
            atoms.append([])
        atoms[-1].append(point)
        end = max(end, registers.start + registers.count)
    return [tuple(atom) for atom in atoms]
