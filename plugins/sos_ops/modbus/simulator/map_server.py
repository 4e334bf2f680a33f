"""Any protocol map, served: `sos-ops modbus simulate`, and the devices of tests.

with serve_map(load_map(path), faults=parse_faults(["drop:0.05"])) as device:
    ... read from 127.0.0.1, device.port ...
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.protocol_map import Point, PointType, ProtocolMap
from sos_ops.modbus.simulator.faults import Fault
from sos_ops.modbus.simulator.frames import ILLEGAL_ADDRESS, ILLEGAL_VALUE, RefusalError
from sos_ops.modbus.simulator.layout import Layout, shown_by
from sos_ops.modbus.simulator.map_values import text_of, value_of
from sos_ops.modbus.simulator.mischief import Mischief
from sos_ops.modbus.simulator.serial_line import SerialLine
from sos_ops.modbus.simulator.tcp_server import AddressInUseError, ModbusTcpServer

log = logging.getLogger(__name__)

_THREAD_DEADLINE_S = 10.0


@dataclass(frozen=True)
class Simulation:
    """How a map is served.

    Attributes:
        protocol_map: What the device has.
        unit_id: Its Modbus unit; other units are answered with exception 11.
        seed: Which values, and which requests meet a fault.
        values: Points that show this, in their unit, instead of a made-up value.
        faults: What goes wrong.
        baud: Pace the answers as an RS485 line of so many bits per second does; None: at once.
        turnaround_s: What the device behind the line thinks before it answers, s.
        speed_up: The line's waiting is divided by this.
        range_check: False: whatever is written is taken over, as by firmware that does not look.
        now: Seconds of some clock; the values move with it.
    """

    protocol_map: ProtocolMap
    unit_id: int = 1
    seed: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    baud: int | None = None
    turnaround_s: float = 0.0
    speed_up: float = 1.0
    range_check: bool = True
    now: Callable[[], float] = time.monotonic


class MapUnit:
    """The registers of a device that is nothing but its map."""

    def __init__(self, simulation: Simulation) -> None:
        """Lay out the map.

        Raises:
            InvalidConfigurationError: A value or a fault is about a point that cannot show it.
            UnknownNameError: It is about a point the map does not have.
        """
        own = [fault for fault in simulation.faults if not fault.on_the_wire]
        named = {fault.name for fault in own}
        self._simulation = simulation
        self._map = simulation.protocol_map
        self._layout = Layout(self._map, holes=bool(named & {"holes", "reindex"}))
        self._reindexes = "reindex" in named
        self._shift = sum(int(fault.number) for fault in own if fault.name == "shift")
        self._fixed = dict(simulation.values)
        self._affected = {
            name: self._points_of(own, name)
            for name in ("not-implemented", "stuck", "word-swap", "byte-swap")
        }
        self._since = simulation.now()
        self._readback = {writable.readback: writable for writable in self._map.writable_points}
        self.on_write: Callable[[str, float], None] = lambda _name, _value: None
        """Called after each write: the writable point and the value in its unit."""
        for point in self._map.points:
            self._show(point)
        for name in self._fixed:
            self._map.point(name)

    def set(self, name: str, value: float) -> None:
        """Let a point show a value from now on, in its unit.

        Raises:
            InvalidConfigurationError: The point cannot show it.
            UnknownNameError: There is no such point.
        """
        encode_point(self._map.point(name), value)
        self._fixed[name] = value

    def read(self, function_code: int, start: int, count: int) -> Sequence[int]:
        """The registers as the device shows them now."""
        first = start - self._shift
        addresses: Sequence[int] = range(first, first + count)
        if self._reindexes:
            existing = self._layout.existing(function_code)
            if first not in existing:
                raise RefusalError(ILLEGAL_ADDRESS)
            begin = existing.index(first)
            addresses = existing[begin : begin + count]
            if len(addresses) < count:
                raise RefusalError(ILLEGAL_ADDRESS)
        return self._layout.read(function_code, addresses, self._show)

    def write(self, address: int, value: int) -> None:
        """Take a value over, after a look at its range if the device looks; its readback shows it."""
        writable = self._layout.writable(address)
        written = writable.value(value)
        if self._simulation.range_check:
            try:
                writable.raw(written)
            except InvalidConfigurationError as refusal:
                raise RefusalError(ILLEGAL_VALUE) from refusal
        readback = self._map.point(writable.readback)
        try:
            self.set(readback.name, shown_by(readback, written, writable.readback_rounding))
        except InvalidConfigurationError as refusal:
            raise RefusalError(ILLEGAL_VALUE) from refusal
        self.on_write(writable.name, written)

    def _show(self, point: Point) -> list[int]:
        if point.name in self._affected["not-implemented"]:
            return encode_point(point, None)
        registers = self._encoded(point)
        if point.name in self._affected["word-swap"]:
            registers = registers[::-1]
        if point.name in self._affected["byte-swap"]:
            registers = [(register & 0xFF) << 8 | register >> 8 for register in registers]
        return registers

    def _encoded(self, point: Point) -> list[int]:
        if point.name in self._fixed:
            return encode_point(point, self._fixed[point.name])
        if point.type is PointType.STRING:
            return encode_point(point, text_of(point))
        stuck = point.name in self._affected["stuck"]
        seconds = 0.0 if stuck else self._simulation.now() - self._since
        return encode_point(point, value_of(point, self._simulation.seed, seconds))

    def _points_of(self, faults: Sequence[Fault], name: str) -> frozenset[str]:
        named = [fault.point for fault in faults if fault.name == name]
        if None in named:
            return frozenset(point.name for point in self._map.points)
        return frozenset(self._map.point(point).name for point in named if point is not None)


class MapServer:
    """A served map: use `await listen(...)` and `await close()`, or `serve_map`."""

    def __init__(self, simulation: Simulation) -> None:
        self.unit = MapUnit(simulation)
        self.port = 0
        """Where it listens."""
        self.writes: list[tuple[str, float]] = []
        """What was written: point and value, in order."""
        self.on_write: Callable[[str, float], None] = lambda name, value: log.info("%s = %g", name, value)
        """Called after each write."""
        self.unit.on_write = self._written
        line = None
        if simulation.baud is not None:
            line = SerialLine(simulation.baud, simulation.turnaround_s, simulation.speed_up)
        self._server = ModbusTcpServer(
            {simulation.unit_id: self.unit},
            deliver=Mischief(simulation.faults, simulation.protocol_map, simulation.seed).deliver,
            line=line,
            one_connection=any(fault.name == "one-connection" for fault in simulation.faults),
        )

    @property
    def requests(self) -> int:
        """Requests received so far."""
        return self._server.requests

    async def listen(self, host: str, port: int) -> None:
        """Listen; `port` says where (0 takes a free one).

        Raises:
            AddressInUseError: Nothing can listen there.
        """
        try:
            self.port = await self._server.listen(host, port)
        except OSError as error:
            raise AddressInUseError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose a free port with --port"
            ) from error

    async def close(self) -> None:
        """Hang up on everybody."""
        await self._server.close()

    def _written(self, name: str, value: float) -> None:
        self.writes.append((name, value))
        self.on_write(name, value)


@contextmanager
def serve_map(
    simulation: Simulation | ProtocolMap, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[MapServer]:
    """A map served by a thread of its own while the block runs; a bare map is served without faults."""
    if isinstance(simulation, ProtocolMap):
        simulation = Simulation(simulation)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated device", daemon=True)
    thread.start()
    try:
        server = MapServer(simulation)
        asyncio.run_coroutine_threadsafe(server.listen(host, port), loop).result(_THREAD_DEADLINE_S)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(_THREAD_DEADLINE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_THREAD_DEADLINE_S)
        loop.close()
