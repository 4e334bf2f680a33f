"""Airflow's connection type `modbus`: the hook that reads one device.

pymodbus is imported when something is read, not when Airflow looks at its hooks.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from sos_ops.clock import Now, system_now
from sos_ops.errors import InvalidConfigurationError, SosOpsError
from sos_ops.hooks.maps import find_map
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from sos_ops.modbus.client import StrictModbusClient

DEFAULT_DEADLINE_S = 10.0

_DEFAULT_PORT = 502
_DEFAULT_UNIT_ID = 1
_REQUEST_TIMEOUT_S = 3.0


class ModbusHook(BaseHook):
    """Reads the device that an Airflow connection of type `modbus` names.

    The connection has a host, a port (502 unless it says otherwise), and as extras `unit_id` (1), `protocol_map` (a
    map of the platform or a file's path), `request_timeout` and `pause_between_requests` (seconds).

    It does not know what else talks to the gateway. Where a line is shared, the task takes the pool of the bus.
    """

    conn_name_attr = "modbus_conn_id"
    default_conn_name = "modbus_default"
    conn_type = "modbus"
    hook_name = "Modbus TCP"

    def __init__(self, modbus_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.modbus_conn_id = modbus_conn_id

    def device_address(self) -> DeviceAddress:
        """Where the device answers; its name is the connection's id.

        Raises:
            InvalidConfigurationError: The connection has no host, or a unit id that is none.
        """
        connection = self._connection()
        if not connection.host:
            raise InvalidConfigurationError(
                f"connection {self.modbus_conn_id} has no host: enter the gateway's"
            )
        return DeviceAddress(
            name=self.modbus_conn_id,
            host=connection.host,
            port=connection.port or _DEFAULT_PORT,
            unit_id=self._unit_id(connection.extra_dejson.get("unit_id")),
        )

    def protocol_map(self, name: str | None = None) -> ProtocolMap:
        """The map the device is read with, its pause replaced where the connection has one.

        Args:
            name: A map of the platform's database or one that comes with the platform, or the path of a file
                (it ends in `.yaml` or `.yml`). Without one, the connection's `protocol_map` counts.

        Raises:
            InvalidConfigurationError: Neither names a map, or the file cannot be used.
            UnknownNameError: There is no such map.
            DatabaseUnavailableError: The platform's database does not answer.
        """
        extra = self._connection().extra_dejson
        wanted = name or extra.get("protocol_map")
        if not wanted:
            raise InvalidConfigurationError(
                f"connection {self.modbus_conn_id} names no protocol map: enter one there, or name it in the task"
            )
        return self._with_its_pause(find_map(str(wanted)))

    def get_conn(self) -> StrictModbusClient:
        """A client of the device, not yet connected: for `async with`."""
        from sos_ops.modbus.client import StrictModbusClient

        address = self.device_address()
        return StrictModbusClient(
            address.host,
            address.port,
            address.unit_id,
            request_timeout=self.request_timeout_s() or _REQUEST_TIMEOUT_S,
            pause_between_requests_s=self._pause_s() or 0.0,
        )

    def read(
        self,
        protocol_map: ProtocolMap | str | None = None,
        deadline_s: float = DEFAULT_DEADLINE_S,
        *,
        points: Collection[str] | None = None,
        now: Now = system_now,
    ) -> PollResult:
        """Reads a map's points within a deadline; what goes wrong on the line is in the result.

        Args:
            protocol_map: A map, or what `protocol_map()` takes.
            deadline_s: Seconds for everything, connecting and repeating included.
            points: Only these; None for all.
            now: The clock, for the times in the result.

        Raises:
            SosOpsError: The connection, the map or the deadline cannot be used; nothing was asked.
        """
        from sos_ops.modbus.reader import poll_devices

        if not (math.isfinite(deadline_s) and deadline_s > 0):
            raise InvalidConfigurationError(
                f"a deadline of {deadline_s!r} s leaves no time to read: give it some"
            )
        if protocol_map is None or isinstance(protocol_map, str):
            its_map = self.protocol_map(protocol_map)
        else:
            its_map = self._with_its_pause(protocol_map)
        if points is not None:
            its_map = _only(its_map, points)
        job = DeviceJob(self.device_address(), its_map, request_timeout_s=self.request_timeout_s())
        return poll_devices([job], deadline_s, now)[0]

    def test_connection(self) -> tuple[bool, str]:
        """What the button "Test" shows.

        Without a map: whether the gateway accepts a connection. With one: whether its first block is answered.
        """
        import asyncio

        try:
            return True, asyncio.run(self._try_out())
        except SosOpsError as error:
            return False, str(error)

    def request_timeout_s(self) -> float | None:
        """Seconds one answer may take, where the connection says so."""
        return self._seconds("request_timeout", 0.1, 60)

    def _pause_s(self) -> float | None:
        return self._seconds("pause_between_requests", 0, 10)

    async def _try_out(self) -> str:
        from sos_ops.modbus.plan import plan_blocks

        named = self._connection().extra_dejson.get("protocol_map")
        its_map = self.protocol_map() if named else None
        async with self.get_conn() as client:
            if its_map is None:
                return "the gateway accepts connections"
            block = plan_blocks(its_map)[0]
            await client.read_block(block.function, block.start, block.count)
        what = f"{block.count} {block.function} registers from {block.start}"
        return f"the device answered: {what}, the first block of {its_map.name} version {its_map.version}"

    def _connection(self) -> Connection:
        return self.get_connection(self.modbus_conn_id)

    def _with_its_pause(self, protocol_map: ProtocolMap) -> ProtocolMap:
        pause_s = self._pause_s()
        if pause_s is None:
            return protocol_map
        return _changed(protocol_map, pause_between_requests_s=Decimal(str(pause_s)))

    def _unit_id(self, configured: Any) -> int:
        if configured is None or configured == "":
            return _DEFAULT_UNIT_ID
        try:
            unit_id = int(str(configured))
        except ValueError:
            unit_id = -1
        if not 0 <= unit_id <= 255:
            raise InvalidConfigurationError(
                f"connection {self.modbus_conn_id}: unit_id {configured!r} is not a number from 0 to 255"
            )
        return unit_id

    def _seconds(self, name: str, least: float, most: float) -> float | None:
        configured = self._connection().extra_dejson.get(name)
        if configured is None or configured == "":
            return None
        try:
            seconds = float(configured)
        except (TypeError, ValueError):
            seconds = math.nan
        if not least <= seconds <= most:
            raise InvalidConfigurationError(
                f"connection {self.modbus_conn_id}: {name} {configured!r} is not a number of seconds"
                f" from {least:g} to {most:g}"
            )
        return seconds


def _only(protocol_map: ProtocolMap, names: Collection[str]) -> ProtocolMap:
    if isinstance(names, str) or not names:
        raise InvalidConfigurationError(
            f"points {names!r} name nothing to read: give a list of the map's points"
        )
    wanted = {protocol_map.point(name).name for name in names}
    chosen = tuple(point for point in protocol_map.points if point.name in wanted)
    return _changed(protocol_map, points=chosen, writable_points=())


def _changed(protocol_map: ProtocolMap, **changes: Any) -> ProtocolMap:
    """The map with other fields; a copy by pydantic would keep what was computed from the old ones."""
    fields = {name: getattr(protocol_map, name) for name in ProtocolMap.model_fields}
    return ProtocolMap.model_validate({**fields, **changes})
