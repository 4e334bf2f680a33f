"""Reading devices: one connection and one request at a time per gateway, all within a deadline.

How a poll goes: jobs are sorted by gateway (`gateway.Gateway`: a host and port), and a `crew.Crew` reads the
gateways side by side. A gateway gives its devices turns on its `line.Line`. What a device is asked is decided
by its `device_poll.DevicePoll`; how bytes become registers or an error, by `client`, `link` and `answer`.
Nothing here outlasts the deadline, which is measured on the monotonic clock.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sos_ops.clock import Now
from sos_ops.modbus.crew import Crew
from sos_ops.modbus.device_poll import DevicePoll
from sos_ops.modbus.gateway import Gateway
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PointReading, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap

__all__ = [
    "DeviceAddress",
    "DeviceJob",
    "PointReading",
    "PollOutcome",
    "PollResult",
    "poll_devices",
    "read_device",
    "read_devices",
]

DEFAULT_CONCURRENCY = 64


async def read_device(
    device: DeviceAddress, protocol_map: ProtocolMap, deadline_s: float, now: Now
) -> PollResult:
    """Read every point of one device within `deadline_s` seconds. Never raises for what a device does."""
    return (await read_devices([DeviceJob(device, protocol_map)], deadline_s, now))[0]


def poll_devices(
    jobs: Sequence[DeviceJob],
    deadline_s: float,
    now: Now,
    max_concurrency: int = DEFAULT_CONCURRENCY,
) -> list[PollResult]:
    """`read_devices` for callers without an event loop."""
    with _garbage_collection_paused(), asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_UnattendedExecutor())
        return runner.run(read_devices(jobs, deadline_s, now, max_concurrency))


async def read_devices(
    jobs: Sequence[DeviceJob],
    deadline_s: float,
    now: Now,
    max_concurrency: int = DEFAULT_CONCURRENCY,
) -> list[PollResult]:
    """Read devices, at most `deadline_s` seconds in all.

    Args:
        jobs: What to read; devices at the same host and port share a connection and are read in the
            order given, troubled ones last.
        deadline_s: Seconds for the whole call.
        now: The platform's clock, for the times in the results.
        max_concurrency: How many gateways are started side by side. One that keeps us waiting no longer
            counts, so dead gateways do not hold up living ones.

    Returns:
        One result per device, in the order of `jobs`, whatever happened.
    """
    deadline = asyncio.get_running_loop().time() + deadline_s
    plans = {id(job.protocol_map): plan_blocks(job.protocol_map) for job in _one_per_map(jobs)}
    queues: dict[tuple[str, int], dict[int, DevicePoll]] = {}
    for place, job in enumerate(jobs):
        queue = queues.setdefault((job.device.host.lower(), job.device.port), {})
        queue[place] = DevicePoll(job, plans[id(job.protocol_map)], now)
    gateways = [Gateway(where, queue, deadline, now) for where, queue in queues.items()]
    gateways.sort(key=lambda gateway: gateway.only_troubled)
    await Crew(gateways, Gateway.read, Gateway.blame, max_concurrency).run()
    results = {place: result for gateway in gateways for place, result in gateway.results.items()}
    return [results[place] for place in range(len(jobs))]


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """For the seconds of a poll.

    Readings are made by the ten thousand and all of them are kept: looking for garbage among them again and
    again takes a third of the poll's time and finds none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _one_per_map(jobs: Sequence[DeviceJob]) -> Iterable[DeviceJob]:
    return {id(job.protocol_map): job for job in jobs}.values()


class _UnattendedExecutor(ThreadPoolExecutor):
    """Resolves host names; a name server that does not answer is not waited for when the deadline is over."""

    def shutdown(self, *_: Any, **__: Any) -> None:
        super().shutdown(wait=False, cancel_futures=True)
