"""The simulated BMS on the wire: a Modbus TCP server whose registers are a living rack's points.

pymodbus hands every request to one `action` before it answers (its old datastore classes are on their way
out). The device is given the whole address space and the action decides alone, so that it is asked about
every request, also those reaching into a gap. An answer is filled from one state of the rack, as the action
never awaits. The server counts on one request in flight per connection, as Modbus clients keep it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

from sos_ops.clock import Now
from sos_ops.errors import InvalidConfigurationError, SosOpsError
from sos_ops.modbus.decode import encode_point
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.modbus.simulator import sensors, state_file
from sos_ops.modbus.simulator.life import LivingRack
from sos_ops.settings import Scenario

log = logging.getLogger(__name__)

SAVE_EVERY_S = 2.0
"""Real seconds between two savings of the rack."""

_EVERY_OTHER_UNIT = 0
"""pymodbus's device id for all units that have no device of their own."""


class AddressInUseError(SosOpsError):
    """The server's port is taken."""


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
        protocol_map: Which point lies in which registers; other addresses are answered with exception 2,
            other function codes with exception 1.
        scenario: What the rack lives through.
        now: The platform's clock. It must answer at once.
        state_dir: Folder of the saved rack; made if missing.
        seed: Which rack: its cells' small deviations.
        on_listening: Called once when clients can connect.

    Raises:
        AddressInUseError: Nothing can listen on this port.
        InvalidConfigurationError: The map has a point that the rack does not measure.
    """
    _refuse_unknown_points(protocol_map)
    rack = LivingRack(seed=seed, scenario=scenario, now=now, saved=state_file.load(state_dir))
    registers = _RackRegisters(rack, protocol_map)
    server = ModbusTcpServer(
        [_device(unit_id, registers.answer), _device(_EVERY_OTHER_UNIT, _no_such_unit)], address=(host, port)
    )
    if not await server.listen():
        raise AddressInUseError(
            f"cannot listen on {host}:{port}: stop the program that uses it, "
            "or set SOS_MODBUS_PORT to a free port"
        )
    if on_listening is not None:
        on_listening()
    keeper = _Keeper(state_dir)
    try:
        while True:
            rack.catch_up()
            keeper.keep(rack.saved)
            await asyncio.sleep(SAVE_EVERY_S)
    finally:
        rack.catch_up()
        keeper.keep(rack.saved)
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it untyped


def register_image(protocol_map: ProtocolMap, values: Mapping[str, float]) -> dict[int, int]:
    """The raw 16-bit register at every address on the wire that the map knows, for these values."""
    return {
        protocol_map.wire_address(point.address) + offset: register
        for point in protocol_map.points
        for offset, register in enumerate(encode_point(point, values[point.name]))
    }


def _refuse_unknown_points(protocol_map: ProtocolMap) -> None:
    unknown = sorted({point.name for point in protocol_map.points} - sensors.POINTS)
    if unknown:
        raise InvalidConfigurationError(
            f"the simulated BMS does not measure {', '.join(unknown)}: "
            f"leave it out of protocol map {protocol_map.name}"
        )


class _RackRegisters:
    """The registers of one rack, made anew for every request."""

    def __init__(self, rack: LivingRack, protocol_map: ProtocolMap) -> None:
        self._rack = rack
        self._map = protocol_map

    async def answer(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        _set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fill what is asked for into `registers`, whose first is `start_address`, or name the exception."""
        if function_code != self._map.read_function.code:
            return ExcCodes.ILLEGAL_FUNCTION
        image = register_image(self._map, self._rack.measured())
        asked = range(address, address + count)
        if any(register not in image for register in asked):
            return ExcCodes.ILLEGAL_ADDRESS
        first = address - start_address
        registers[first : first + count] = [image[register] for register in asked]
        return None


async def _no_such_unit(*_request: object) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


def _device(unit_id: int, action: SimAction) -> SimDevice:
    whole_space = SimData(0, count=65536, datatype=DataType.REGISTERS)
    return SimDevice(id=unit_id, simdata=[whole_space], action=action)


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
