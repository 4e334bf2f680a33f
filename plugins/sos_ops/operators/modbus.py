"""One Modbus device in a DAG of one's own: reading it, and (in shadow only) writing to it.

The platform's own polling is in `sos_ops.operators.poll`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sos_ops.modbus.poll import PointReading, PollResult

FailOn = Literal["failed", "partial", "never"]


class ModbusReadOperator(BaseOperator):
    """Reads one device once, and returns what it said.

    Its result (XCom) is `{"device": ..., "outcome": "complete" | "partial" | "failed", "reason": ..., "readings":
    {point: {"value": ..., "unit": ..., "quality": ..., "read_at": ...}}}`: `value` is a number in `unit`, the text of a
    string, or None where the quality says why; `read_at` is ISO 8601 in UTC. Points that could not be read are missing.

    A request that went wrong is repeated once within the deadline. Further tries are Airflow's (`retries`,
    `retry_delay`); a connection or map that cannot be used is not tried again. Where other tasks use the same
    line, give every one of them the bus' pool (`pool="modbus_<host>_<port>"`).

    Args:
        modbus_conn_id: A connection of type `modbus`.
        protocol_map: A map of the platform, or a file's path; without one, the connection's.
        points: The points to read; without them, all of the map. A large map makes a large XCom: name what you need.
        deadline_s: Seconds for the whole reading, connecting included.
        fail_on: When the task fails: `failed`, if nothing was read; `partial`, also if anything was missing; `never`.
    """

    template_fields: Sequence[str] = ("modbus_conn_id", "protocol_map", "points")
    ui_color = "#dfe8f0"

    def __init__(
        self,
        *,
        modbus_conn_id: str,
        protocol_map: str | None = None,
        points: Sequence[str] | None = None,
        deadline_s: float = 10.0,
        fail_on: FailOn = "failed",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if fail_on not in get_args(FailOn):
            raise InvalidConfigurationError(
                f"{self.task_id}: fail_on {fail_on!r} is none of {', '.join(get_args(FailOn))}"
            )
        self.modbus_conn_id = modbus_conn_id
        self.protocol_map = protocol_map
        self.points = points
        self.deadline_s = deadline_s
        self.fail_on = fail_on

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Reads, logs one line of what came of it, and returns the readings."""
        from sos_ops.hooks.modbus import ModbusHook

        try:
            result = ModbusHook(self.modbus_conn_id).read(
                self.protocol_map, self.deadline_s, points=self.points
            )
        except (InvalidConfigurationError, UnknownNameError) as error:
            raise AirflowFailException(str(error)) from error
        line = _line(result)
        if result.outcome in _FAILING[self.fail_on]:
            raise SosOpsError(line)
        self.log.info("%s", line)
        return {
            "device": result.device,
            "outcome": str(result.outcome),
            "reason": result.reason,
            "readings": {reading.point: _said(reading) for reading in result.points},
        }


_FAILING: dict[FailOn, tuple[str, ...]] = {
    "failed": ("failed",),
    "partial": ("failed", "partial"),
    "never": (),
}


def _line(result: PollResult) -> str:
    count = len(result.points)
    counted = f"{result.device}: {result.outcome}, {count} point{'' if count == 1 else 's'} read"
    return f"{counted}: {result.reason}" if result.reason else counted


def _said(reading: PointReading) -> dict[str, Any]:
    return {
        "value": reading.value if reading.text is None else reading.text,
        "unit": reading.unit,
        "quality": str(reading.quality),
        "read_at": reading.read_at.isoformat(),
    }


class ModbusWriteOperator(BaseOperator):
    """What a write would be. It works in shadow only: it never opens a connection, and sends 0 bytes.

    Everything is checked as for a real write: the point is a writable one of the map, the value is within its
    limits or among its allowed ones and can be said in the register's steps, the register is not denied, and a point
    that exists only in the demo goes to the demo's BMS alone. Then what would be sent, and what would confirm it, is
    logged and returned. There is no switch that makes it write: commands to a BMS will have one door of their own, with
    approvals and a record, and this operator will ask there.

    Its result (XCom) is `{"device", "point", "value", "unit", "register", "raw", "readback": {"point", "register",
    "expected"}, "written": False}`: registers are holding registers as on the wire, from 0; `raw` is 0 to 65535;
    `expected` are the values of the readback point that would confirm the write.

    Args:
        modbus_conn_id: A connection of type `modbus`.
        point: A writable point of the map.
        value: What to write, in the point's unit.
        protocol_map: A map of the platform, or a file's path; without one, the connection's.
    """

    template_fields: Sequence[str] = ("modbus_conn_id", "protocol_map", "point", "value")
    ui_color = "#f0e8df"

    def __init__(
        self,
        *,
        modbus_conn_id: str,
        point: str,
        value: float | str,
        protocol_map: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modbus_conn_id = modbus_conn_id
        self.point = point
        self.value = value
        self.protocol_map = protocol_map

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Checks, logs and returns the write that would be made."""
        from sos_ops.hooks.modbus import ModbusHook
        from sos_ops.operators.shadow_write import plan_write

        hook = ModbusHook(self.modbus_conn_id)
        try:
            write = plan_write(
                hook.device_address(), hook.protocol_map(self.protocol_map), self.point, self.value
            )
        except (InvalidConfigurationError, UnknownNameError) as error:
            # Trying again would end alike.
            raise AirflowFailException(str(error)) from error
        self.log.info("%s", write.line())
        return write.as_result()
