"""Polling 1,000 devices of two blocks each, beside a bare pymodbus loop over the same servers.

The servers run in a process of their own and answer from memory. Ours and the loop take turns in this process, so
that whatever else the machine does meets both. The loop is what one would write with pymodbus' asyncio client and
nothing else: connect, read both blocks of each unit, close; as many gateways side by side as ours. It decodes nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import statistics
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection as Pipe

from pymodbus.client import AsyncModbusTcpClient

from bench.figure import Figure
from sos_ops.clock import system_now
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.modbus.reader import DEFAULT_CONCURRENCY, poll_devices

HOST = "127.0.0.1"
REPEATS = 7
DEADLINE_S = 17.0
DEADLINE_WITH_DEAD_S = 6.0
"""The dead use all of it, and the figure is about the living."""
MOST_TIMES_THE_LOOP = 1.5
MOST_TIMES_WITHOUT_DEAD = 1.1
BLOCKS = (0, 200)
POINTS_PER_BLOCK = 13
DEAD = 50

Notice = Callable[[str], None]


def measure(notice: Notice) -> list[Figure]:
    """Measures the rows: two shapes of 1,000 devices beside the loop, and what dead devices cost the living."""
    figures = []
    with _servers(answering=1000, silent=DEAD // 2) as (answering, silent):
        protocol_map = _map()
        for gateways, units in ((1000, 1), (50, 20)):
            notice(f"{gateways} gateways of {units} units, {REPEATS} times each way")
            figures.append(_beside_the_loop(protocol_map, answering[:gateways], units))
        notice(f"1,000 devices of which {DEAD} are dead, beside the living alone")
        figures.append(_with_dead_ones(protocol_map, answering, silent))
    return figures


def _beside_the_loop(protocol_map: ProtocolMap, ports: Sequence[int], units: int) -> Figure:
    jobs = [_job(port, unit, protocol_map) for port in ports for unit in range(1, units + 1)]
    ours, loop = [], []
    for _ in range(REPEATS):
        ours.append(_timed(lambda: _poll(jobs)))
        loop.append(_timed(lambda: asyncio.run(_bare_loop(ports, units))))
    ratio = statistics.median(ours) / statistics.median(loop)
    return Figure(
        f"polling {len(jobs):,} devices of 2 blocks: {len(ports):,} gateways, {units} units each, decoded and judged",
        statistics.median(ours),
        f"a bare pymodbus loop over the same servers, {DEFAULT_CONCURRENCY} gateways at a time too; it decodes nothing",
        statistics.median(loop),
        ratio,
        f"<= {MOST_TIMES_THE_LOOP:g}x as long",
        ratio <= MOST_TIMES_THE_LOOP,
    )


def _with_dead_ones(protocol_map: ProtocolMap, answering: Sequence[int], silent: Sequence[int]) -> Figure:
    """Half of the dead accept and never answer, half refuse; every tenth device is dead, from the first on."""
    with _refusing_ports(DEAD - len(silent)) as refusing:
        dead = [*silent, *refusing]
        living = [_job(port, 1, protocol_map) for port in answering[: len(answering) - len(dead)]]
        mixed = list(living)
        for place, port in enumerate(dead):
            mixed.insert(place * 10, _job(port, 1, protocol_map))
        known = [DeviceJob(j.device, j.protocol_map, troubled=j.device.port in dead) for j in mixed]
        alone: list[float] = []
        unexpected: list[float] = []
        troubled: list[float] = []
        whole: list[float] = []
        for _ in range(REPEATS):
            alone.append(_seconds_to_read_the_living(living, len(living)))
            unexpected.append(_seconds_to_read_the_living(mixed, len(living)))
            whole.append(_timed(lambda: troubled.append(_seconds_to_read_the_living(known, len(living)))))
    ratio = statistics.median(unexpected) / statistics.median(alone)
    known_ratio = statistics.median(troubled) / statistics.median(alone)
    return Figure(
        f"1,000 devices of which {len(dead)} died since the last minute ({len(silent)} silent, the rest refuse): until "
        "the last of the living is read",
        statistics.median(unexpected),
        f"the {len(living)} living alone; where the dead were dead before, {known_ratio:.2f}x, and the whole call, "
        f"the dead asked once more, {statistics.median(whole):.1f} s",
        statistics.median(alone),
        ratio,
        f"<= {MOST_TIMES_WITHOUT_DEAD:g}x as long",
        ratio <= MOST_TIMES_WITHOUT_DEAD,
    )


def _poll(jobs: Sequence[DeviceJob]) -> None:
    results = poll_devices(jobs, DEADLINE_S, system_now)
    if any(result.outcome is not PollOutcome.COMPLETE for result in results):
        raise RuntimeError(f"a device was not read: {next(r.reason for r in results if r.reason)}")


def _seconds_to_read_the_living(jobs: Sequence[DeviceJob], living: int) -> float:
    began: datetime = system_now()
    results = poll_devices(jobs, DEADLINE_WITH_DEAD_S, system_now)
    ended = [result.ended_at for result in results if result.outcome is PollOutcome.COMPLETE]
    if len(ended) != living:
        raise RuntimeError(f"{len(ended)} of {living} living devices were read")
    return (max(ended) - began).total_seconds()


async def _bare_loop(ports: Sequence[int], units: int) -> None:
    waiting = iter(ports)

    async def worker() -> None:
        for port in waiting:
            client = AsyncModbusTcpClient(HOST, port=port, retries=0, timeout=3)
            await client.connect()
            for unit in range(1, units + 1):
                for start in BLOCKS:
                    answer = await client.read_input_registers(start, count=POINTS_PER_BLOCK, device_id=unit)
                    if answer.isError():
                        raise RuntimeError(f"the loop was answered {answer}")
            client.close()

    await asyncio.gather(*(worker() for _ in range(DEFAULT_CONCURRENCY)))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _job(port: int, unit: int, protocol_map: ProtocolMap) -> DeviceJob:
    return DeviceJob(DeviceAddress(f"{port}/{unit}", HOST, port, unit), protocol_map)


def _map() -> ProtocolMap:
    points = [
        {
            "name": f"point_{start + i}",
            "address": start + i,
            "type": "s16",
            "scale": "0.1",
            "plausible": [-500, 3000],
        }
        for start in BLOCKS
        for i in range(POINTS_PER_BLOCK)
    ]
    head = {"name": "two_blocks", "version": 1, "description": "", "read_function": "input"}
    return ProtocolMap.model_validate({**head, "addressing": "zero_based", "points": points})


@dataclass(frozen=True)
class _Ports:
    answering: list[int]
    silent: list[int]


@contextmanager
def _servers(answering: int, silent: int) -> Iterator[tuple[list[int], list[int]]]:
    """Servers in a process of their own: the ports of those that answer, and of those that only listen."""
    _allow_many_files()
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_serve, args=(answering, silent, sender), daemon=True
    )
    child.start()
    try:
        ports: _Ports = receiver.recv()
        yield ports.answering, ports.silent
    finally:
        child.terminate()
        child.join()


def _serve(answering: int, silent: int, ports: Pipe) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(_Device, HOST, 0, backlog=128) for _ in range(answering)]
        mute = [await loop.create_server(asyncio.Protocol, HOST, 0, backlog=128) for _ in range(silent)]
        ports.send(_Ports([_port(server) for server in servers], [_port(server) for server in mute]))
        await asyncio.Event().wait()

    asyncio.run(serve())


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


class _Device(asyncio.Protocol):
    """Answers every whole read request with the register numbers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transaction_id, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", data)
        frame = struct.pack(
            f">HHHBBB{count}H",
            *(transaction_id, 0, 3 + 2 * count, unit, function, 2 * count),
            *range(address, address + count),
        )
        self._transport.write(frame)  # type: ignore[attr-defined]


@contextmanager
def _refusing_ports(count: int) -> Iterator[list[int]]:
    import socket

    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind((HOST, 0))
        yield [int(one.getsockname()[1]) for one in taken]
    finally:
        for one in taken:
            one.close()


def _allow_many_files() -> None:
    """A listener per device is more than the 1,024 open files that Linux grants unasked."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if most == resource.RLIM_INFINITY else min(8192, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
