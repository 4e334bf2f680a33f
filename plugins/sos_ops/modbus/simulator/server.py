"""The simulated BMS on the wire: pymodbus' TCP server, whose registers are a living rack's points.

pymodbus hands every request to one `action` before it answers (its old datastore classes are on their way
out). The device is given the whole address space and the action decides alone, so that it is asked about
every request, also those reaching into a gap. An answer is filled from one state of the rack, as the action
never awaits. What is written is checked against the map's limits, taken over by the physics, and on the disk
before it is confirmed. The server counts on one request in flight per connection, as Modbus clients keep it.

Devices that misbehave are served by `map_server` instead: pymodbus cannot send a wrong frame.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

from sos_ops.clock import Now
from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.protocol_map import Point, ProtocolMap
from sos_ops.modbus.simulator import sensors, state_file
from sos_ops.modbus.simulator.frames import (
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_HOLDING,
    READ_INPUT,
    WRITE_SINGLE,
    RefusalError,
)
from sos_ops.modbus.simulator.layout import Layout, shown_by
from sos_ops.modbus.simulator.life import SET_POINTS, LivingRack
from sos_ops.modbus.simulator.tcp_server import AddressInUseError, Unit
from sos_ops.settings import Scenario

log = logging.getLogger(__name__)

SAVE_EVERY_S = 2.0
"""Real seconds between two savings of the rack."""

_EVERY_OTHER_UNIT = 0
"""pymodbus's device id for all units that have no device of their own."""


async def serve_rack(
    *,
    host: str,
    port: int,
    unit_id: int,
    protocol_map: ProtocolMap,
    scenario: Scenario,
    now: Now,
    state_dir: Path,
    seed: int = 0,
    on_listening: Callable[[], None] | None = None,
) -> None:
    """Serve a rack until cancelled; it goes on with what `state_dir` holds, and is saved there.

    Args:
        host: Address to listen on.
        port: TCP port to listen on.
        unit_id: The rack's Modbus unit, 1..247; other units are answered with exception 0x0B (gateway target
            device failed to respond), as a gateway would.
        protocol_map: Which point lies in which registers, and what may be written; other addresses are
            answered with exception 2, other function codes with exception 1, values outside the limits of a
            writable point with exception 3.
        scenario: What the rack lives through.
        now: The platform's clock. It must answer at once.
        state_dir: Folder of the saved rack; made if missing.
        seed: Which rack: its cells' small deviations.
        on_listening: Called once when clients can connect.

    Raises:
        AddressInUseError: Nothing can listen on this port.
        InvalidConfigurationError: The map has a point that the rack does not measure, or cannot set.
    """
    _refuse_unknown_points(protocol_map)
    rack = LivingRack(seed=seed, scenario=scenario, now=now, saved=state_file.load(state_dir))
    keeper = _Keeper(state_dir)
    unit = _RackUnit(rack, protocol_map, keep=lambda: keeper.keep(rack.saved))
    server = ModbusTcpServer(
        [_device(unit_id, _action_of(unit)), _device(_EVERY_OTHER_UNIT, _no_such_unit)], address=(host, port)
    )
    if not await server.listen():
        raise AddressInUseError(
            f"cannot listen on {host}:{port}: stop the program that uses it, "
            "or set SOS_MODBUS_PORT to a free port"
        )
    if on_listening is not None:
        on_listening()
    try:
        while True:
            rack.catch_up()
            keeper.keep(rack.saved)
            await asyncio.sleep(SAVE_EVERY_S)
    finally:
        rack.catch_up()
        keeper.keep(rack.saved)
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it untyped


def _device(unit_id: int, action: SimAction) -> SimDevice:
    whole_space = SimData(0, count=65536, datatype=DataType.REGISTERS)
    return SimDevice(id=unit_id, simdata=[whole_space], action=action)


def _action_of(unit: Unit) -> SimAction:
    async def action(
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fill what is asked for into `registers`, whose first is `start_address`, or name the exception."""
        try:
            if function_code in (READ_HOLDING, READ_INPUT):
                first = address - start_address
                registers[first : first + count] = unit.read(function_code, address, count)
            elif function_code != WRITE_SINGLE:
                raise RefusalError(ILLEGAL_FUNCTION)
            elif set_values is not None:  # once written, pymodbus asks again for what it is to echo
                unit.write(address, int(set_values[0]))
        except RefusalError as refusal:
            return ExcCodes(refusal.code)
        return None

    return action


async def _no_such_unit(*_request: object) -> ExcCodes:
    """Answers as a gateway does whose device is silent."""
    return ExcCodes.GATEWAY_NO_RESPONSE


def _refuse_unknown_points(protocol_map: ProtocolMap) -> None:
    settable = {writable.readback for writable in protocol_map.writable_points}
    unknown = {point.name for point in protocol_map.points} - sensors.POINTS - settable
    unknown |= {writable.name for writable in protocol_map.writable_points} - SET_POINTS
    if unknown:
        raise InvalidConfigurationError(
            f"the simulated BMS does not measure {', '.join(sorted(unknown))}: "
            f"leave it out of protocol map {protocol_map.name}"
        )


class _RackUnit:
    """The registers of one rack, made anew for every request."""

    def __init__(self, rack: LivingRack, protocol_map: ProtocolMap, keep: Callable[[], None]) -> None:
        self._rack = rack
        self._layout = Layout(protocol_map)
        self._map = protocol_map
        self._keep = keep

    def read(self, function_code: int, start: int, count: int) -> list[int]:
        """The registers of one moment."""
        values = self._rack.measured()
        for writable in self._map.writable_points:
            readback = self._map.point(writable.readback)
            value = self._rack.set_points[writable.name]
            values[readback.name] = shown_by(readback, value, writable.readback_rounding)

        def show(point: Point) -> list[int]:
            return encode_point(point, values[point.name])

        return self._layout.read(function_code, range(start, start + count), show)

    def write(self, address: int, value: int) -> None:
        """Take a set-point over; kept before it is confirmed, so that no restart forgets it."""
        writable = self._layout.writable(address)
        wanted = writable.value(value)
        try:
            writable.raw(wanted)
        except InvalidConfigurationError as refusal:
            log.warning("write refused: %s", refusal)
            raise RefusalError(ILLEGAL_VALUE) from refusal
        self._rack.set(writable.name, wanted)
        self._keep()
        log.info("written: %s is now %g %s", writable.name, wanted, writable.unit)


class _Keeper:
    """Saves the rack; a full disk is said once and never stops the serving."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failing = False

    def keep(self, saved: state_file.SavedRack) -> None:
        try:
            state_file.save(self._folder, saved)
        except OSError as error:
            if not self._failing:
                log.warning(
                    "cannot save the rack in %s: %s; it goes on unsaved", self._folder, error.strerror
                )
            self._failing = True
        else:
            self._failing = False
