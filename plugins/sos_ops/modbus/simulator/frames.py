"""Modbus TCP frames as a server sees them: requests taken apart, answers put together.

The frames are our own, not pymodbus's: a client should not be tested only against the library it is built
on, and a server that is to misbehave on request must be able to send what no library would. Layout: Modbus
Messaging on TCP/IP 1.0b (header), Modbus Application Protocol 1.1b3 (functions 3, 4 and 6, exceptions).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = struct.Struct(">HHHB")
"""Transaction id, protocol id, length of what follows it, unit id."""

READ_HOLDING, READ_INPUT, WRITE_SINGLE = 3, 4, 6

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, BUSY, NO_ANSWER_BEHIND = 1, 2, 3, 6, 11
"""The exception codes a device or its gateway answers here."""

_LONGEST_BODY = 254
"""Unit id, function code and at most 252 bytes."""

_TWO_WORDS = struct.Struct(">HH")


class NotModbusError(Exception):
    """The bytes are no Modbus TCP request; nothing after them can be trusted."""


class RefusalError(Exception):
    """A request that is answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived: `data` is what follows the function code."""

    transaction_id: int
    unit_id: int
    function_code: int
    data: bytes

    @property
    def words(self) -> tuple[int, int]:
        """The two numbers of functions 3, 4 and 6: address and count, or address and value.

        Raises:
            RefusalError: There are not exactly two.
        """
        if len(self.data) != _TWO_WORDS.size:
            raise RefusalError(ILLEGAL_VALUE)
        address, second = _TWO_WORDS.unpack(self.data)
        return address, second


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request of a connection.

    Raises:
        NotModbusError: The bytes are something else.
        asyncio.IncompleteReadError, OSError: The connection ended.
    """
    transaction_id, protocol_id, length, unit_id = HEADER.unpack(await reader.readexactly(HEADER.size))
    if protocol_id != 0 or not 2 <= length <= _LONGEST_BODY:
        raise NotModbusError
    body = await reader.readexactly(length - 1)
    return Request(transaction_id, unit_id, body[0], body[1:])


def frame(
    request: Request, pdu: bytes, *, transaction_id: int | None = None, unit_id: int | None = None
) -> bytes:
    """The frame that answers a request with `pdu` (function code and data), in the names given."""
    header = HEADER.pack(
        request.transaction_id if transaction_id is None else transaction_id,
        0,
        len(pdu) + 1,
        request.unit_id if unit_id is None else unit_id,
    )
    return header + pdu


def registers_pdu(function_code: int, registers: Sequence[int]) -> bytes:
    """The answer to a read: its registers, each 0 to 65535."""
    return struct.pack(f">BB{len(registers)}H", function_code, 2 * len(registers), *registers)


def echo_pdu(request: Request) -> bytes:
    """The answer to a write that was done: the request itself."""
    return bytes([request.function_code]) + request.data


def exception_pdu(function_code: int, code: int) -> bytes:
    """The answer to a request that is refused."""
    return bytes([function_code | 0x80, code])
