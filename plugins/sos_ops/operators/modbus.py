"""Reading devices over Modbus TCP as an Airflow task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from sos_ops.hooks.database import CONNECTION_ID, task_connection

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModbusReadOperator(BaseOperator):
    """Polls every device of the platform once for the minute the task begins in, and stores what they said.

    A device that cannot be read costs the others nothing: its minute becomes a failed poll with the reason. The task
    fails only when there were devices to read and none of them gave anything.

    Args:
        postgres_conn_id: connection of the platform's database, which lists the devices.
    """

    template_fields: Sequence[str] = ("postgres_conn_id",)
    ui_color = "#dfe8f0"

    def __init__(self, *, postgres_conn_id: str = CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> str:  # noqa: ARG002  # Airflow's signature
        """Polls, and returns one line of what came of it."""
        from sos_ops.pipeline.poll import poll_minute

        report = poll_minute(lambda: task_connection(self.postgres_conn_id))
        line = report.line()
        self.log.info("%s", line)
        if report.nothing_read:
            # Not retried: the outcome is stored, and the next minute polls anyway.
            raise AirflowFailException(line)
        return line
