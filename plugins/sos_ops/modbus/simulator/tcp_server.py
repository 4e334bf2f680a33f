"""A Modbus TCP server in raw asyncio: units of registers behind one port, as a converter shows them.

What a register holds is the unit's business (`Unit`), how long the bus behind the converter takes is the
line's (`SerialLine`), and how an answer is spoilt on its way is the mischief's (`deliver`). Each connection is
answered in order; where there is a line, it carries one request at a time whatever the connections do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from sos_ops.errors import SosOpsError
from sos_ops.modbus.protocol_map import PROTOCOL_MAX_REGISTERS
from sos_ops.modbus.simulator import frames
from sos_ops.modbus.simulator.frames import RefusalError, Request
from sos_ops.modbus.simulator.serial_line import SerialLine

log = logging.getLogger(__name__)


class AddressInUseError(SosOpsError):
    """The server's port is taken."""


class Unit(Protocol):
    """A device's registers. Each answer is made without awaiting, so it is of one moment."""

    def read(self, function_code: int, start: int, count: int) -> Sequence[int]:
        """`count` registers from `start` (on the wire) of function 3 or 4.

        Raises:
            RefusalError: The device answers with an exception.
        """

    def write(self, address: int, value: int) -> None:
        """Write one register (function 6).

        Raises:
            RefusalError: The device answers with an exception.
        """


Deliver = Callable[[asyncio.StreamWriter, Request, bytes], Awaitable[None]]
"""Brings an answer's PDU to the client, or fails to in some way of its own."""


async def deliver_honestly(writer: asyncio.StreamWriter, request: Request, pdu: bytes) -> None:
    """The answer, whole and at once."""
    writer.write(frames.frame(request, pdu))
    await writer.drain()


class ModbusTcpServer:
    """Serves units until closed.

    Args:
        units: By unit id. Other units are answered with exception 11 (no answer behind the gateway).
        deliver: How answers reach the client.
        line: The bus behind the converter; None for a device that answers at once.
        one_connection: A further connection is closed as soon as it is made, as simple converters do.
    """

    def __init__(
        self,
        units: Mapping[int, Unit],
        *,
        deliver: Deliver = deliver_honestly,
        line: SerialLine | None = None,
        one_connection: bool = False,
    ) -> None:
        self._units = units
        self._deliver = deliver
        self._line = line
        self._one_connection = one_connection
        self._connections: set[asyncio.Task[None]] = set()
        self.requests = 0
        """Requests received so far."""

    async def listen(self, host: str, port: int) -> int:
        """Listen, and say at which port (port 0 takes a free one).

        Raises:
            OSError: Nothing can listen there.
        """
        self._server = await asyncio.start_server(self._accept, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._one_connection and self._connections:
            writer.close()
            return
        connection = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, frames.NotModbusError, OSError):
                while not writer.is_closing():
                    request = await frames.read_request(reader)
                    self.requests += 1
                    pdu = await self._answer(request)
                    await self._deliver(writer, request, pdu)
        finally:
            writer.close()

    async def _answer(self, request: Request) -> bytes:
        if self._line is None:
            return self._answer_now(request)
        async with self._line.turn() as turn:
            pdu = self._answer_now(request)
            await turn.take(request_bytes=len(request.data) + 1, answer_bytes=len(pdu))
            return pdu

    def _answer_now(self, request: Request) -> bytes:
        try:
            return self._ask_unit(request)
        except RefusalError as refusal:
            return frames.exception_pdu(request.function_code, refusal.code)
        except Exception:
            # A mistake of ours must not look like a lost line to whoever tests against this.
            log.exception("the simulated device failed at function %d", request.function_code)
            return frames.exception_pdu(request.function_code, 4)

    def _ask_unit(self, request: Request) -> bytes:
        unit = self._units.get(request.unit_id)
        if unit is None:
            raise RefusalError(frames.NO_ANSWER_BEHIND)
        if request.function_code in (frames.READ_HOLDING, frames.READ_INPUT):
            start, count = request.words
            if not 1 <= count <= PROTOCOL_MAX_REGISTERS:
                raise RefusalError(frames.ILLEGAL_VALUE)
            return frames.registers_pdu(request.function_code, unit.read(request.function_code, start, count))
        if request.function_code == frames.WRITE_SINGLE:
            unit.write(*request.words)
            return frames.echo_pdu(request)
        raise RefusalError(frames.ILLEGAL_FUNCTION)
