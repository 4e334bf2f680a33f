"""The platform's own polling as Airflow tasks: the quick lane of a minute, the slow one, and shared buses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from sos_ops.hooks.database import CONNECTION_ID, task_connection

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sos_ops.pipeline.poll_report import PollReport
    from sos_ops.settings import SharedBus
    from sos_ops.store.connection import Connect


class _PollOperator(BaseOperator):
    """Reads its lane's devices for the minute it begins in, and stores what they said.

    A device that cannot be read costs the others nothing: its minute becomes a failed poll with the reason. The task
    fails when there were devices to read and none of them gave anything, and when what was read cannot be kept or
    stored. While the database is away it does not fail: what was read is kept on disk and its line, a warning, says so.
    The steps that need the database fail then, and with them the run.

    Args:
        postgres_conn_id: connection of the platform's database, which lists the devices.
    """

    template_fields: Sequence[str] = ("postgres_conn_id",)
    ui_color = "#dfe8f0"

    def __init__(self, *, postgres_conn_id: str = CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.postgres_conn_id = postgres_conn_id

    def poll(self, connect: Connect) -> PollReport:
        """Reads and stores this lane."""
        raise NotImplementedError

    def execute(self, context: Context) -> str:  # noqa: ARG002  # Airflow's signature
        """Polls, and returns one line of what came of it."""
        return self._judged(self._polled())

    def _polled(self) -> PollReport:
        return self.poll(lambda: task_connection(self.postgres_conn_id))

    def _judged(self, report: PollReport) -> str:
        line = report.line()
        if report.nothing_read or report.problems:
            # Not retried: the outcomes are stored, and the next minute polls anyway.
            raise AirflowFailException(line)
        if report.database_away:
            self.log.warning("%s", line)
        else:
            self.log.info("%s", line)
        return line


class PollDevicesOperator(_PollOperator):
    """The quick lane: every device but those behind slow gateways and shared buses, until 15 s after the minute.

    Args:
        slow_lane: the task after this one that reads slow gateways; skipped, without a process of its own, when this
            minute has nothing for it.
    """

    def __init__(self, *, slow_lane: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slow_lane = slow_lane

    def poll(self, connect: Connect) -> PollReport:
        """Reads and stores the quick lane."""
        from sos_ops.pipeline.poll import poll_minute

        return poll_minute(connect)

    def execute(self, context: Context) -> str:
        """Polls, returns one line of what came of it, and skips the slow lane where there is nothing for it."""
        report = self._polled()
        line = self._judged(report)
        if self.slow_lane is not None and not report.slow_gateways:
            # Raising ends the task as a success, but without its return value.
            context["ti"].xcom_push(key="return_value", value=line)
            raise DownstreamTasksSkipped(tasks=[self.slow_lane])  # type: ignore[no-untyped-call]
        return line


class _LateLaneOperator(_PollOperator):
    """A lane that reads until 50 s after the minute, beside the other steps; skipped when it has no device."""

    def execute(self, context: Context) -> str:  # noqa: ARG002  # Airflow's signature
        """Polls, and returns one line of what came of it."""
        report = self._polled()
        line = self._judged(report)
        if not (report.complete or report.partial or report.failed or report.already):
            raise AirflowSkipException("no device for this lane")
        return line


class PollSlowDevicesOperator(_LateLaneOperator):
    """The slow lane: devices behind gateways that were too slow for the quick one. What it reads revises the minute."""

    def poll(self, connect: Connect) -> PollReport:
        """Reads and stores the slow lane."""
        from sos_ops.pipeline.poll import poll_slow_minute

        return poll_slow_minute(connect)


class PollSharedBusOperator(_LateLaneOperator):
    """One gateway whose line other DAGs use too. Give it, and every other task on that line, the bus' one-slot pool.

    Args:
        host: the gateway's host, as its devices name it.
        port: its TCP port.
    """

    def __init__(self, *, host: str, port: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host
        self.port = port

    @classmethod
    def of(cls, bus: SharedBus, **kwargs: Any) -> Self:
        """The task of a bus of `SOS_SHARED_BUSES`, in its pool."""
        return cls(task_id=bus.task_id, pool=bus.pool, host=bus.host, port=bus.port, **kwargs)

    def poll(self, connect: Connect) -> PollReport:
        """Reads and stores the devices behind this gateway."""
        from sos_ops.pipeline.poll import poll_gateways

        return poll_gateways(connect, [(self.host, self.port)])
