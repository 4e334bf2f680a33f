"""Airflow's connection type `modbus`: the hook that reads one device.

pymodbus is imported when something is read, not when Airflow looks at its hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from sos_ops.clock import Now, system_now
from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.poll import DeviceAddress, PollResult

if TYPE_CHECKING:
    from sos_ops.modbus.client import StrictModbusClient
    from sos_ops.modbus.protocol_map import ProtocolMap

_DEFAULT_PORT = 502
_DEFAULT_UNIT_ID = 1


class ModbusHook(BaseHook):
    """Reads the device that an Airflow connection of type `modbus` names (host, port, extra `unit_id`)."""

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
        connection = self.get_connection(self.modbus_conn_id)
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

    def get_conn(self) -> StrictModbusClient:
        """A client of the device, not yet connected: for `async with`."""
        from sos_ops.modbus.client import StrictModbusClient

        address = self.device_address()
        return StrictModbusClient(address.host, address.port, address.unit_id)

    def read(self, protocol_map: ProtocolMap, deadline_s: float = 10.0, now: Now = system_now) -> PollResult:
        """Read every point of the map within `deadline_s` seconds; what goes wrong is in the result."""
        from sos_ops.modbus.reader import poll_devices

        return poll_devices([(self.device_address(), protocol_map)], deadline_s, now)[0]

    def test_connection(self) -> tuple[bool, str]:
        """What the button "Test" shows: whether the gateway accepts a connection (no register is read)."""
        import asyncio

        from sos_ops.modbus.failures import ModbusReadError

        async def connect() -> None:
            async with self.get_conn():
                pass

        try:
            asyncio.run(connect())
        except (InvalidConfigurationError, ModbusReadError) as error:
            return False, str(error)
        return True, "the gateway accepts connections"

    def _unit_id(self, configured: object) -> int:
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
