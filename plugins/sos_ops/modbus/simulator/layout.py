"""Which registers a simulated device has, and which points lie in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import Point, ProtocolMap, ReadbackRounding, WritablePoint
from sos_ops.modbus.simulator.frames import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, RefusalError

Show = Callable[[Point], Sequence[int]]
"""A point's registers as the device shows them now."""


class Layout:
    """The registers that a map says a device has.

    Those between two points exist too and hold 0, as far as the map's plan reads across them: so a map that
    can be read from a device can be read from its simulation. Bits that share a register are put together.
    """

    def __init__(self, protocol_map: ProtocolMap, *, holes: bool = False) -> None:
        """Lay out a map; with `holes` only the points' own registers exist."""
        self._map = protocol_map
        self._owners: dict[tuple[int, int], list[tuple[Point, int]]] = {}
        for block in plan_blocks(protocol_map):
            code = block.function.code
            if not holes:
                for address in range(block.start, block.start + block.count):
                    self._owners.setdefault((code, address), [])
            for point, begin in zip(block.points, block.offsets, strict=True):
                for offset in range(point.registers):
                    self._owners.setdefault((code, block.start + begin + offset), []).append((point, offset))
        self._codes = frozenset(code for code, _ in self._owners)
        self._writable = {
            protocol_map.wire_address(writable.address): writable for writable in protocol_map.writable_points
        }

    def existing(self, function_code: int) -> list[int]:
        """The addresses on the wire that a function reads, in order."""
        return sorted(address for code, address in self._owners if code == function_code)

    def read(self, function_code: int, addresses: Iterable[int], show: Show) -> list[int]:
        """What the registers at `addresses` hold.

        Raises:
            RefusalError: exception 1, the device has no such table; exception 2, not all of the registers.
        """
        if function_code not in self._codes:
            raise RefusalError(ILLEGAL_FUNCTION)
        shown: dict[str, Sequence[int]] = {}
        registers = []
        for address in addresses:
            owners = self._owners.get((function_code, address))
            if owners is None:
                raise RefusalError(ILLEGAL_ADDRESS)
            register = 0
            for point, offset in owners:
                if point.name not in shown:
                    shown[point.name] = show(point)
                register |= shown[point.name][offset]
            registers.append(register)
        return registers

    def writable(self, address: int) -> WritablePoint:
        """The writable point at an address on the wire.

        Raises:
            RefusalError: exception 1, nothing can be written at all; exception 2, not there.
        """
        if not self._writable:
            raise RefusalError(ILLEGAL_FUNCTION)
        if address not in self._writable:
            raise RefusalError(ILLEGAL_ADDRESS)
        return self._writable[address]


def shown_by(readback: Point, value: float, rounding: ReadbackRounding) -> float:
    """What a readback point shows of a value written: firmware that converts to an integer cuts off."""
    if rounding is not ReadbackRounding.DOWN or readback.type.is_float:
        return value
    steps = int((value - float(readback.offset)) / float(readback.scale))
    return float(steps * readback.scale + readback.offset)
