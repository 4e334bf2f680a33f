"""How long a request takes on the RS485 bus behind a converter, and the waiting for it.

A converter has one bus: while one request and its answer are on it, every other waits, whichever connection
it came by. A character is 11 bits (start, 8 data, parity or a second stop bit, stop); a frame has an address
and two bytes of checksum around its PDU, and is followed by 3.5 characters of silence, above 19,200 baud by
1.75 ms (Modbus over Serial Line 1.02, section 2.5.1). The plan's `serial_seconds` says the same of itself; a
test compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

BITS_PER_CHARACTER = 11
_ADDRESS_AND_CHECKSUM = 3
_SILENCE_CHARACTERS = 3.5
_FAST_BAUD, _FAST_SILENCE_S = 19_200, 0.00175


@dataclass
class SerialLine:
    """A bus of `baud` bits per second.

    Attributes:
        baud: Bits per second.
        turnaround_s: What the device thinks before it answers, s.
        speed_up: The waiting is divided by this, so that a test need not last as long as the line.
    """

    baud: int
    turnaround_s: float = 0.0
    speed_up: float = 1.0
    _bus: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    def seconds(self, request_bytes: int, answer_bytes: int) -> float:
        """How long the bus is taken by a request and its answer (bytes of their PDUs), before any speed-up."""
        character_s = BITS_PER_CHARACTER / self.baud
        silence_s = _FAST_SILENCE_S if self.baud > _FAST_BAUD else _SILENCE_CHARACTERS * character_s
        characters = request_bytes + answer_bytes + 2 * _ADDRESS_AND_CHECKSUM
        return characters * character_s + 2 * silence_s + self.turnaround_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait until the bus is free, and have it."""
        async with self._bus:
            yield Turn(self)


@dataclass(frozen=True)
class Turn:
    """The bus, while it is one request's."""

    line: SerialLine

    async def take(self, request_bytes: int, answer_bytes: int) -> None:
        """Let the time pass that a request and its answer take."""
        await asyncio.sleep(self.line.seconds(request_bytes, answer_bytes) / self.line.speed_up)
