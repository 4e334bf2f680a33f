"""Answers spoilt on their way, as the faults asked for say: the part of a bad line no library would play."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.modbus.simulator import frames
from sos_ops.modbus.simulator.faults import Fault
from sos_ops.modbus.simulator.frames import RefusalError, Request
from sos_ops.modbus.simulator.tcp_server import deliver_honestly

_READS = (frames.READ_HOLDING, frames.READ_INPUT)


class Mischief:
    """Delivers answers, the first fault that is due spoiling each.

    Args:
        faults: What may happen; those of the device itself are passed over.
        protocol_map: How `Fault.registers` counts.
        seed: Which requests are hit.
    """

    def __init__(self, faults: Sequence[Fault], protocol_map: ProtocolMap, seed: int) -> None:
        self._faults = [fault for fault in faults if fault.on_the_wire]
        self._map = protocol_map
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable bad line, not a secret

    async def deliver(self, writer: asyncio.StreamWriter, request: Request, pdu: bytes) -> None:
        """Bring the answer to the client, or what becomes of it."""
        for fault in self._faults:
            if self._concerns(fault, request) and self._chance.random() < fault.probability:
                with suppress(OSError):
                    await _SPOIL[fault.name](writer, request, pdu, fault.number)
                return
        await deliver_honestly(writer, request, pdu)

    def _concerns(self, fault: Fault, request: Request) -> bool:
        if fault.registers is None:
            return True
        try:
            start, count = request.words
        except RefusalError:
            return False
        first, last = (self._map.wire_address(address) for address in fault.registers)
        return start <= last and first < start + (count if request.function_code in _READS else 1)


async def _drop(_writer: asyncio.StreamWriter, _request: Request, _pdu: bytes, _number: float) -> None:
    return


async def _late(writer: asyncio.StreamWriter, request: Request, pdu: bytes, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await deliver_honestly(writer, request, pdu)


async def _drip(writer: asyncio.StreamWriter, request: Request, pdu: bytes, seconds: float) -> None:
    for byte in frames.frame(request, pdu):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(seconds)


async def _reset(writer: asyncio.StreamWriter, _request: Request, _pdu: bytes, _number: float) -> None:
    # Lingering for 0 s turns the closing into a reset.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _hang_up(writer: asyncio.StreamWriter, _request: Request, _pdu: bytes, _number: float) -> None:
    writer.close()


async def _wrong_tid(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    writer.write(frames.frame(request, pdu, transaction_id=(request.transaction_id + 1) & 0xFFFF))
    await writer.drain()


async def _zero_tid(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    writer.write(frames.frame(request, pdu, transaction_id=0))
    await writer.drain()


async def _wrong_unit(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    writer.write(frames.frame(request, pdu, unit_id=(request.unit_id + 1) & 0xFF))
    await writer.drain()


async def _wrong_function(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    other = {frames.READ_HOLDING: frames.READ_INPUT, frames.READ_INPUT: frames.READ_HOLDING}
    function_code = other.get(request.function_code, 16)
    await deliver_honestly(writer, request, bytes([function_code]) + pdu[1:])


async def _short(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    await deliver_honestly(writer, request, _with_registers(pdu, pdu[2:-2]))


async def _long(writer: asyncio.StreamWriter, request: Request, pdu: bytes, _number: float) -> None:
    await deliver_honestly(writer, request, _with_registers(pdu, pdu[2:] + pdu[-2:]))


async def _busy(writer: asyncio.StreamWriter, request: Request, _pdu: bytes, _number: float) -> None:
    await _exception(writer, request, _pdu, frames.BUSY)


async def _exception(writer: asyncio.StreamWriter, request: Request, _pdu: bytes, code: float) -> None:
    await deliver_honestly(writer, request, frames.exception_pdu(request.function_code, int(code)))


def _with_registers(pdu: bytes, registers: bytes) -> bytes:
    """The answer to a read with other registers; what is no such answer stays as it is."""
    return pdu if pdu[0] not in _READS else bytes([pdu[0], len(registers) & 0xFF]) + registers


_Spoil = Callable[[asyncio.StreamWriter, Request, bytes, float], Awaitable[None]]

_SPOIL: dict[str, _Spoil] = {
    "drop": _drop,
    "late": _late,
    "drip": _drip,
    "reset": _reset,
    "hang-up": _hang_up,
    "wrong-tid": _wrong_tid,
    "zero-tid": _zero_tid,
    "wrong-unit": _wrong_unit,
    "wrong-function": _wrong_function,
    "short": _short,
    "long": _long,
    "busy": _busy,
    "exception": _exception,
}
