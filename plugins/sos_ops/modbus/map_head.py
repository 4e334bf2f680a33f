"""What a protocol map says of the device as a whole, in a file and when loaded alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from sos_ops.modbus.point import (
    LAST_REGISTER,
    PROTOCOL_MAX_REGISTERS,
    Address,
    Description,
    FiniteDecimal,
    Name,
    ReadFunction,
    Strict,
    WholeNumber,
)
from sos_ops.modbus.writable import WritablePoint


class Addressing(StrEnum):
    """What the first register is called in the map. On the wire it is always 0."""

    ZERO_BASED = "zero_based"
    ONE_BASED = "one_based"


@dataclass(frozen=True, slots=True)
class RegisterRange:
    """`count` registers of one table from `start`, as they are counted on the wire: from 0."""

    function: ReadFunction
    start: int
    count: int

    @property
    def stop(self) -> int:
        """The register after the last."""
        return self.start + self.count

    def touches(self, other: RegisterRange) -> bool:
        """Whether the two have a register in common."""
        return self.function is other.function and self.start < other.stop and other.start < self.stop


class RegisterMask:
    """A set of registers of both tables, made for asking whether a range touches it."""

    def __init__(self, ranges: Iterable[RegisterRange]) -> None:
        self._tables = {function: bytearray(LAST_REGISTER + 1) for function in ReadFunction}
        for one in ranges:
            start, stop = max(one.start, 0), min(one.stop, LAST_REGISTER + 1)
            self._tables[one.function][start:stop] = b"\1" * max(stop - start, 0)

    def first_in(self, registers: RegisterRange) -> int | None:
        """The lowest of `registers` that belongs to the set, or None."""
        found = self._tables[registers.function].find(1, max(registers.start, 0), max(registers.stop, 0))
        return found if found >= 0 else None


class AddressRange(Strict):
    """Registers of one table, counted the way the map's `addressing` says."""

    table: ReadFunction
    """Which registers: input (read with function 4) or holding (function 3, written with 6)."""
    address: Address
    """The first register."""
    count: Annotated[WholeNumber, Field(ge=1, le=LAST_REGISTER + 1)] = 1
    """How many registers."""
    why: Description = ""
    """The reason, for whoever asks a year later."""


class DeniedRange(AddressRange):
    """Registers never to be touched, with the reason."""

    why: Annotated[Description, Field(min_length=1)]
    """The reason, for whoever asks a year later."""


class MapHead(Strict):
    """All of a map but its points."""

    name: Name
    """What devices call the map. A bundled file bears the same name."""
    version: Annotated[WholeNumber, Field(ge=1, le=2**31 - 1)]
    """Raise it with every change: readings keep the version they were decoded with."""
    description: Description
    """One sentence: which device, which firmware, where the facts come from."""
    read_function: ReadFunction
    """The table points are read from: input (function 4) or holding (function 3)."""
    addressing: Addressing
    """Whether the map calls the first register 0 or 1. On the wire it is always 0."""
    max_registers_per_request: Annotated[WholeNumber, Field(ge=1, le=PROTOCOL_MAX_REGISTERS)] = (
        PROTOCOL_MAX_REGISTERS
    )
    """The most registers the device, or the converter before it, answers at once."""
    max_gap: Annotated[WholeNumber, Field(ge=0, le=PROTOCOL_MAX_REGISTERS)] = 8
    """How many registers between two points may be read along to save a request; 0 where there are holes."""
    pause_between_requests_s: Annotated[FiniteDecimal, Field(ge=0, le=10)] = Decimal(0)
    """How long the device, or its converter, wants to be left alone after an answer, seconds."""
    denied: Annotated[tuple[DeniedRange, ...], Field(max_length=1000)] = ()
    """Registers never to be read and never to be written, not even in passing."""
    unreadable: Annotated[tuple[AddressRange, ...], Field(max_length=1000)] = ()
    """Registers the device refuses or answers wrongly: no request may reach across them."""
    writable_points: Annotated[tuple[WritablePoint, ...], Field(max_length=1000)] = ()
    """The holding registers that may be written. All others may not."""

    def wire_address(self, address: int) -> int:
        """The address on the wire (from 0) of an address as the map writes it."""
        return address - (1 if self.addressing is Addressing.ONE_BASED else 0)
