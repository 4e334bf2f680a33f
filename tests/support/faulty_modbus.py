"""A Modbus TCP server that misbehaves on purpose, byte by byte, as the test's script says.

    with FaultyModbusServer(script=[silent, honest]) as server:      # the n-th request meets the n-th fault,
        ... read from 127.0.0.1, server.port                         # further ones meet `then`, which is honest

A fault is a coroutine that gets the `Exchange` (the request, and ways to answer it). The server runs in a thread of its
own, so tests may be synchronous or asynchronous. Registers hold `register_value(unit, address)`, different for every
neighbour, so that a value under another's name is seen.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

LOOPBACK = "127.0.0.1"


def register_value(unit_id: int, address: int) -> int:
    """What an honest device holds: small enough to be plausible, different for neighbouring registers and units."""
    return 100 + (address * 7 + unit_id * 13) % 400


def answer_frame(
    transaction_id: int, unit_id: int, function_code: int, registers: list[int], protocol_id: int = 0
) -> bytes:
    """An answer to a read request; every field as said, right or wrong."""
    payload = struct.pack(f">BB{len(registers)}H", function_code, 2 * len(registers), *registers)
    return struct.pack(">HHHB", transaction_id, protocol_id, len(payload) + 1, unit_id) + payload


def echo_frame(
    transaction_id: int, unit_id: int, function_code: int, address: int, value: int, protocol_id: int = 0
) -> bytes:
    """The confirmation of a write; every field as said, right or wrong."""
    return struct.pack(">HHHBBHH", transaction_id, protocol_id, 6, unit_id, function_code, address, value)


WRITE_REGISTER = 6


@dataclass(frozen=True)
class Request:
    """A request as the server received it; `connection` counts from 1. A write's `count` is the value written."""

    connection: int
    transaction_id: int
    unit_id: int
    function_code: int
    address: int
    count: int


class Exchange:
    """One request, and what a fault may do about it."""

    def __init__(self, server: FaultyModbusServer, request: Request, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.request = request
        self._writer = writer

    def registers(self, address: int | None = None) -> list[int]:
        """What the device holds where it was asked (or from `address`)."""
        start = self.request.address if address is None else address
        return [self.server.value_of(self.request.unit_id, start + i) for i in range(self.request.count)]

    def honest_answer(self) -> bytes:
        """The frame that a good device would send."""
        return self.altered_answer()

    def altered_answer(
        self,
        *,
        transaction_id: int | None = None,
        unit_id: int | None = None,
        function_code: int | None = None,
        registers: list[int] | None = None,
        protocol_id: int = 0,
    ) -> bytes:
        """The frame of a good device but for what is given."""
        request = self.request
        head = (
            request.transaction_id if transaction_id is None else transaction_id,
            request.unit_id if unit_id is None else unit_id,
            request.function_code if function_code is None else function_code,
        )
        if request.function_code == WRITE_REGISTER:
            return echo_frame(*head, request.address, request.count, protocol_id)
        return answer_frame(*head, self.registers() if registers is None else registers, protocol_id)

    async def send(self, data: bytes) -> None:
        """Put bytes on the wire; a peer that has hung up is no error."""
        with suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def until_closed(self) -> None:
        """Wait until the client hangs up, which ends every fault of its connection."""
        await asyncio.Event().wait()

    def reset(self) -> None:
        """Break the connection with RST."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def hang_up(self) -> None:
        """Close the connection in good order."""
        self._writer.close()


Fault = Callable[[Exchange], Awaitable[None]]


async def honest(exchange: Exchange) -> None:
    """No fault."""
    await exchange.send(exchange.honest_answer())


async def silent(exchange: Exchange) -> None:
    """The connection stays open; nothing comes. On the first connection only, this is half open TCP."""
    await exchange.until_closed()


def late(seconds: float) -> Fault:
    """The right answer, too late."""

    async def fault(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await honest(exchange)

    return fault


async def short_answer(exchange: Exchange) -> None:
    """Two registers fewer than asked for, in a frame that agrees with itself."""
    await exchange.send(exchange.altered_answer(registers=exchange.registers()[:-2]))


async def long_answer(exchange: Exchange) -> None:
    """Two registers more than asked for."""
    await exchange.send(exchange.altered_answer(registers=[*exchange.registers(), 1, 2]))


async def truncated_answer(exchange: Exchange) -> None:
    """The header promises everything; the last two registers never come."""
    await exchange.send(exchange.honest_answer()[:-4])


async def wrong_function(exchange: Exchange) -> None:
    """An answer of the other register table."""
    other = 3 if exchange.request.function_code == 4 else 4
    await exchange.send(exchange.altered_answer(function_code=other))


async def wrong_unit(exchange: Exchange) -> None:
    """An answer in another unit's name."""
    await exchange.send(exchange.altered_answer(unit_id=exchange.request.unit_id + 1))


async def transaction_id_zero(exchange: Exchange) -> None:
    """What careless gateways send."""
    await exchange.send(exchange.altered_answer(transaction_id=0))


async def next_transaction_id(exchange: Exchange) -> None:
    """Off by one."""
    await exchange.send(exchange.altered_answer(transaction_id=(exchange.request.transaction_id + 1) % 65536))


async def wrong_protocol(exchange: Exchange) -> None:
    """A protocol id other than Modbus' 0."""
    await exchange.send(exchange.altered_answer(protocol_id=1))


async def odd_byte_count(exchange: Exchange) -> None:
    """One byte less than whole registers, length and byte count agreeing."""
    frame = bytearray(exchange.honest_answer()[:-1])
    frame[5] -= 1
    frame[8] -= 1
    await exchange.send(bytes(frame))


async def byte_count_lies(exchange: Exchange) -> None:
    """All bytes are there, but the byte count says two fewer."""
    frame = bytearray(exchange.honest_answer())
    frame[8] -= 2
    await exchange.send(bytes(frame))


async def answered_twice(exchange: Exchange) -> None:
    """The right answer, and once more."""
    await exchange.send(exchange.honest_answer() * 2)


async def garbage(exchange: Exchange) -> None:
    """Another protocol altogether, more than a frame can hold."""
    await exchange.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 40)


async def reset(exchange: Exchange) -> None:
    """RST instead of an answer."""
    exchange.reset()


async def reset_in_the_middle(exchange: Exchange) -> None:
    """Half an answer, then RST."""
    await exchange.send(exchange.honest_answer()[:10])
    await asyncio.sleep(0.02)
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """FIN instead of an answer."""
    exchange.hang_up()


def exception(code: int) -> Fault:
    """A proper exception answer."""

    async def fault(exchange: Exchange) -> None:
        request = exchange.request
        head = struct.pack(">HHHB", request.transaction_id, 0, 3, request.unit_id)
        await exchange.send(head + bytes([request.function_code | 0x80, code]))

    return fault


def drip(seconds_per_byte: float) -> Fault:
    """The right answer, one byte at a time."""

    async def fault(exchange: Exchange) -> None:
        for byte in exchange.honest_answer():
            await exchange.send(bytes([byte]))
            await asyncio.sleep(seconds_per_byte)

    return fault


def echo_of(address_off_by: int, value_off_by: int) -> Fault:
    """A write confirmed in a frame that is right but for its address or value."""

    async def fault(exchange: Exchange) -> None:
        request = exchange.request
        where, what = request.address + address_off_by, request.count + value_off_by
        await exchange.send(echo_frame(request.transaction_id, request.unit_id, WRITE_REGISTER, where, what))

    return fault


def in_pieces(size: int) -> Fault:
    """The right answer in several segments: no fault, TCP may do that."""

    async def fault(exchange: Exchange) -> None:
        frame = exchange.honest_answer()
        for start in range(0, len(frame), size):
            await exchange.send(frame[start : start + size])
            await asyncio.sleep(0.002)

    return fault


def answers_for_register(address: int, transaction_id: int | None = None) -> Fault:
    """The content of registers from `address`, passed off as the answer (with transaction id 0, if so said)."""

    async def fault(exchange: Exchange) -> None:
        registers = exchange.registers(address)
        await exchange.send(exchange.altered_answer(registers=registers, transaction_id=transaction_id))

    return fault


class FaultyModbusServer:
    """Serves a script of faults on a free port of 127.0.0.1, in a thread; use as `with`.

    Args:
        script: What the first, second ... request meets, over all connections.
        then: What every further request meets.
        choose: Instead of a script: what a given request meets.
        value_of: What a register of a unit holds.
    """

    def __init__(
        self,
        script: Iterable[Fault] = (),
        then: Fault = honest,
        *,
        choose: Callable[[Request], Fault] | None = None,
        value_of: Callable[[int, int], int] = register_value,
    ) -> None:
        self._script: Iterator[Fault] = iter(script)
        self._then = then
        self._choose = choose
        self.value_of = value_of
        self.port = 0
        self.requests: list[Request] = []
        self.connections = 0
        self.most_connections_at_once = 0
        self.most_requests_in_flight = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._writers)

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, LOOPBACK, 0)

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self.most_connections_at_once = max(self.most_connections_at_once, len(self._writers))
        number = self.connections
        unanswered: set[asyncio.Task[None]] = set()
        try:
            while True:
                request = Request(number, *_parse(await reader.readexactly(12)))
                self.requests.append(request)
                task = asyncio.create_task(self._meet(Exchange(self, request, writer)))
                unanswered.add(task)
                task.add_done_callback(unanswered.discard)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for task in unanswered:
                task.cancel()
            writer.close()
            self._writers.discard(writer)

    async def _meet(self, exchange: Exchange) -> None:
        self._in_flight += 1
        self.most_requests_in_flight = max(self.most_requests_in_flight, self._in_flight)
        fault = self._choose(exchange.request) if self._choose else next(self._script, self._then)
        try:
            await fault(exchange)
        finally:
            self._in_flight -= 1


def _parse(frame: bytes) -> tuple[int, int, int, int, int]:
    transaction_id, _, _, unit_id, function_code, address, count = struct.unpack(">HHHBBHH", frame)
    return transaction_id, unit_id, function_code, address, count


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses connections, and stays ours while it does."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]


@contextmanager
def blackholed_port() -> Iterator[int]:
    """A port where connecting gets no reaction at all, as behind a firewall that drops (Linux: a full backlog)."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()
