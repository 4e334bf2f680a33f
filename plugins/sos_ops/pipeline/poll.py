"""Polling: every device once a minute, its readings and its outcome stored, or kept on disk until they can be."""

from __future__ import annotations

from collections.abc import Collection

from sos_ops.buffer.buffer import Buffer
from sos_ops.pipeline.lanes import own_lane, quick_lane, slow_lane
from sos_ops.pipeline.poll_report import PollReport
from sos_ops.pipeline.poll_step import PollStep
from sos_ops.settings import Settings, get_settings
from sos_ops.store.connection import Connect
from sos_ops.store.gateways import Gateway


def poll_minute(connect: Connect, settings: Settings | None = None) -> PollReport:
    """The quick lane: reads every device that has no outcome at the minute that has come.

    The minute is the one the poll begins in, whatever the scheduler calls its run; a run that begins more than
    30 s after the minute does not poll, and its devices' minute is a failed poll that says so. While the database is
    away, devices are read by what the last good minute knew, and what they say is kept in the buffer.

    Args:
        connect: opens a connection.
        settings: where the buffer is, and which buses are shared (default: this process's).

    Raises:
        DatabaseUnavailableError: the database is away, and what to read is not known.
        BufferRefusalError: the database is away, and what was read does not fit into the buffer.
    """
    settings = settings or get_settings()
    return PollStep(connect, Buffer.of(settings), quick_lane(_shared(settings))).run(
        slow_lane(_shared(settings))
    )


def poll_slow_minute(connect: Connect, settings: Settings | None = None) -> PollReport:
    """The slow lane: reads what is behind gateways that were too slow for the quick one, until 50 s after the minute.

    Raises:
        DatabaseUnavailableError, BufferRefusalError: as in `poll_minute`.
    """
    settings = settings or get_settings()
    return PollStep(connect, Buffer.of(settings), slow_lane(_shared(settings))).run()


def poll_gateways(
    connect: Connect, gateways: Collection[tuple[str, int]], settings: Settings | None = None
) -> PollReport:
    """A lane of their own for gateways (host, port) whose line other DAGs use too, until 50 s after the minute.

    Raises:
        DatabaseUnavailableError, BufferRefusalError: as in `poll_minute`.
    """
    settings = settings or get_settings()
    return PollStep(connect, Buffer.of(settings), own_lane(_gateways(gateways))).run()


def _shared(settings: Settings) -> frozenset[Gateway]:
    return _gateways(settings.buses)


def _gateways(gateways: Collection[tuple[str, int]]) -> frozenset[Gateway]:
    return frozenset(Gateway(host.lower(), port) for host, port in gateways)
