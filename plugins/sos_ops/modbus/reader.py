"""Reading devices: one connection and one request at a time per gateway, all within a deadline.

A gateway is a host and port. Its units are read in turn; gateways are read side by side. Nothing here
outlasts the deadline, which is measured on the monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sos_ops.clock import Now
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.crew import Crew
from sos_ops.modbus.device_poll import DevicePoll
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.plan import Block, plan_blocks
from sos_ops.modbus.poll import DeviceAddress, PointReading, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap

__all__ = [
    "DeviceAddress",
    "PointReading",
    "PollOutcome",
    "PollResult",
    "poll_devices",
    "read_device",
    "read_devices",
]

DEFAULT_CONCURRENCY = 64

_LOG = logging.getLogger(__name__)

_MAX_CONNECT_S = 3.0
_CONNECT_SHARE = 1 / 3


async def read_device(
    device: DeviceAddress, protocol_map: ProtocolMap, deadline_s: float, now: Now
) -> PollResult:
    """Read every point of one device within `deadline_s` seconds. Never raises for what a device does."""
    return (await read_devices([(device, protocol_map)], deadline_s, now))[0]


def poll_devices(
    devices: Sequence[tuple[DeviceAddress, ProtocolMap]],
    deadline_s: float,
    now: Now,
    max_concurrency: int = DEFAULT_CONCURRENCY,
) -> list[PollResult]:
    """`read_devices` for callers without an event loop."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_UnattendedExecutor())
        return runner.run(read_devices(devices, deadline_s, now, max_concurrency))


async def read_devices(
    devices: Sequence[tuple[DeviceAddress, ProtocolMap]],
    deadline_s: float,
    now: Now,
    max_concurrency: int = DEFAULT_CONCURRENCY,
) -> list[PollResult]:
    """Read devices, at most `deadline_s` seconds in all.

    Args:
        devices: What to read; devices at the same host and port share a connection and are read in the
            order given, each at most its even share of the time left.
        deadline_s: Seconds for the whole call.
        now: The platform's clock, for the times in the results.
        max_concurrency: How many gateways are started side by side. One that keeps us waiting no longer
            counts, so dead gateways do not hold up living ones.

    Returns:
        One result per device, in the order of `devices`, whatever happened.
    """
    deadline = asyncio.get_running_loop().time() + deadline_s
    maps = {id(protocol_map): protocol_map for _, protocol_map in devices}
    plans = {key: plan_blocks(protocol_map) for key, protocol_map in maps.items()}
    queues: dict[tuple[str, int], dict[int, tuple[DeviceAddress, Sequence[Block]]]] = {}
    for index, (device, protocol_map) in enumerate(devices):
        queue = queues.setdefault((device.host.lower(), device.port), {})
        queue[index] = (device, plans[id(protocol_map)])
    gateways = [_Gateway(where, queue, deadline_s, deadline, now) for where, queue in queues.items()]
    await Crew(gateways, _Gateway.read, _Gateway.blame, max_concurrency).run()
    results = {index: result for gateway in gateways for index, result in gateway.results.items()}
    return [results[index] for index in range(len(devices))]


class _UnattendedExecutor(ThreadPoolExecutor):
    """Resolves host names; a name server that does not answer is not waited for when the deadline is over."""

    def shutdown(self, *_: Any, **__: Any) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class _Gateway:
    """The devices behind one host and port, read in turn over one connection."""

    def __init__(
        self,
        where: tuple[str, int],
        queue: dict[int, tuple[DeviceAddress, Sequence[Block]]],
        deadline_s: float,
        deadline: float,
        now: Now,
    ) -> None:
        self._host, self._port = where
        self._queue = queue
        self._deadline_s = deadline_s
        self._deadline = deadline
        self._now = now
        self._began_at = now()
        self.results: dict[int, PollResult] = {}
        """One for each device, by its index."""

    async def read(self) -> None:
        """Read the devices that have no result yet, until the deadline."""
        client = StrictModbusClient(
            self._host, self._port, connect_timeout=min(_MAX_CONNECT_S, self._deadline_s * _CONNECT_SHARE)
        )
        ever_connected = False
        try:
            for index in self._without_result():
                left = self._deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                share = left / (len(self._queue) - len(self.results))
                device, blocks = self._queue[index]
                poll = DevicePoll(client, device, blocks, self._now, share, self._deadline_s)
                result = self.results[index] = await poll.run()
                ever_connected = ever_connected or poll.connected
                if not ever_connected and result.cause is not None and result.cause.is_no_connection:
                    self._fail(self._without_result(), result.cause, result.reason, result.began_at)
                    break
        finally:
            client.close()
        where = f"{self._host}:{self._port}"
        text = f"the poll's {self._deadline_s:g} s were over before it was the turn of {where}"
        self._fail(self._without_result(), FailureReason.DEADLINE, text, self._began_at)

    def blame(self, mistake: BaseException) -> None:
        """A mistake of ours in one device is that device's failure; the others are still to be read."""
        _LOG.error("polling %s:%s failed of our own mistake", self._host, self._port, exc_info=mistake)
        text = f"our own mistake, see the log: {mistake!r}"
        self._fail(self._without_result()[:1], FailureReason.INTERNAL, text, self._began_at)

    def _without_result(self) -> list[int]:
        return [index for index in self._queue if index not in self.results]

    def _fail(self, indexes: list[int], cause: FailureReason, reason: str | None, began_at: datetime) -> None:
        for index in indexes:
            name = self._queue[index][0].name
            self.results[index] = PollResult(
                name, began_at, self._now(), PollOutcome.FAILED, cause, reason, points=()
            )
