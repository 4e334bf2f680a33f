"""The probe's requests: read-only, one at a time, with pauses, and nothing outside the map's plan.

Every block of the plan is read, and of it some points singly: its first, middle and last, and those around each
gap. Of a block that the device refuses, every point is read singly. Denied and unreadable registers lie in
no block and are never asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator

from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.plan import Block, plan_blocks
from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.probe.judging import Evidence, judge
from sos_ops.modbus.probe.report import ProbeReport
from sos_ops.modbus.probe.samples import Answer, BlockSamples
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction

SILENT_REQUESTS_TO_GIVE_UP = 3

Progress = Callable[[int, int], None]
"""Called with the requests done and the requests expected."""


def probe_device(
    device: DeviceAddress,
    protocol_map: ProtocolMap,
    *,
    samples: int = 3,
    pause_s: float = 0.1,
    request_timeout_s: float = 3.0,
    every_point: bool = False,
    on_progress: Progress | None = None,
) -> ProbeReport:
    """Ask a device whether a map is right for it. Never raises for what the device does.

    Args:
        device: Where it answers.
        protocol_map: What it is thought to be.
        samples: How often everything is read; 2 or more to see what moves.
        pause_s: Seconds between requests; the map's own pause counts where it is longer.
        request_timeout_s: Seconds an answer may take.
        every_point: Read every point singly as well, instead of a choice.
        on_progress: Told how far it is.
    """
    probe = _Probe(device, protocol_map, samples, pause_s, request_timeout_s, every_point, on_progress)
    return asyncio.run(probe.run())


class _GivenUpError(Exception):
    """The device cannot be asked any more; the message says why."""


class _Probe:
    def __init__(
        self,
        device: DeviceAddress,
        protocol_map: ProtocolMap,
        samples: int,
        pause_s: float,
        request_timeout_s: float,
        every_point: bool,
        on_progress: Progress | None,
    ) -> None:
        self._device = device
        self._map = protocol_map
        self._samples = samples
        self._every_point = every_point
        self._on_progress = on_progress
        self._client = StrictModbusClient(
            device.host,
            device.port,
            device.unit_id,
            request_timeout=request_timeout_s,
            pause_between_requests_s=max(pause_s, float(protocol_map.pause_between_requests_s)),
        )
        self._seconds: list[float] = []
        self._failures: list[ModbusReadError] = []
        self._answered = False
        self._silent_in_a_row = 0
        self._asked = 0
        self._expected = 0

    async def run(self) -> ProbeReport:
        """Ask everything, then judge it."""
        blocks = [BlockSamples(block) for block in plan_blocks(self._map)]
        self._expected = self._samples * sum(1 + len(_alone(one.block, self._every_point)) for one in blocks)
        unreachable = cut_short = None
        began = time.monotonic()
        try:
            await self._client.connect()
            for _ in range(self._samples):
                for block_samples in blocks:
                    await self._sample(block_samples)
        except ModbusReadError as failure:
            unreachable = str(failure)
        except _GivenUpError as given_up:
            cut_short = str(given_up)
            unreachable = None if self._answered else cut_short
        finally:
            self._client.close()
        if unreachable is None and not self._answered:
            unreachable = self._no_way_through()
        for block_samples in blocks:
            _level(block_samples, max(len(one.whole) for one in blocks))
        evidence = Evidence(
            self._device,
            self._map,
            blocks,
            sorted(self._seconds),
            Counter(failure.reason for failure in self._failures),
            {failure.reason: str(failure) for failure in reversed(self._failures)},
            time.monotonic() - began,
            unreachable,
            cut_short,
        )
        return judge(evidence)

    async def _sample(self, samples: BlockSamples) -> None:
        block = samples.block
        single: dict[str, Answer] = {}
        samples.single.append(single)
        if _refused(samples):
            samples.whole.append(samples.whole[-1])
        else:
            answer, seconds = await self._ask(block.function, block.start, block.count)
            samples.whole.append(answer)
            if isinstance(answer, tuple):
                samples.seconds.append(seconds)
        refused = _refused(samples)
        if isinstance(samples.whole[-1], ModbusReadError) and not refused:
            return
        alone = list(range(len(block.points))) if refused else _alone(block, self._every_point)
        asked: dict[tuple[int, int], Answer] = {}
        for index in alone:
            point = block.points[index]
            place = (block.start + block.offsets[index], point.registers)
            if place not in asked:
                asked[place], _ = await self._ask(block.function, *place)
            single[point.name] = asked[place]
        if len(samples.whole) == 1 and not refused:
            for address, _ in gaps_of(block):
                samples.gaps[address], _ = await self._ask(block.function, address, 1)

    async def _ask(self, function: ReadFunction, start: int, count: int) -> tuple[Answer, float]:
        self._asked += 1
        if self._on_progress is not None:
            self._on_progress(self._asked, max(self._expected, self._asked))
        try:
            if not self._client.connected:
                await self._client.connect()
            await asyncio.sleep(self._client.pause_left_s)
            began = time.monotonic()
            registers = await self._client.read_block(function, start, count)
        except ModbusReadError as failure:
            self._took_in_vain(failure)
            return failure, 0.0
        seconds = time.monotonic() - began
        self._seconds.append(seconds)
        self._answered, self._silent_in_a_row = True, 0
        return tuple(registers), seconds

    def _took_in_vain(self, failure: ModbusReadError) -> None:
        self._failures.append(failure)
        reason = failure.reason
        if reason.is_exception:
            self._silent_in_a_row = 0
            self._answered = self._answered or not _is_gateways_own(reason)
            return
        if reason is FailureReason.TIMEOUT or reason.is_no_connection:
            self._silent_in_a_row += 1
            if self._silent_in_a_row == SILENT_REQUESTS_TO_GIVE_UP:
                raise _GivenUpError(str(failure))

    def _no_way_through(self) -> str | None:
        """What to say where not one request was answered by the device itself."""
        return str(self._failures[0]) if self._failures else None


def gaps_of(block: Block) -> Iterator[tuple[int, int]]:
    """Where registers of a block belong to no point: the first one on the wire, and how many."""
    used = {
        block.start + begin + offset
        for point, begin in zip(block.points, block.offsets, strict=True)
        for offset in range(point.registers)
    }
    first = None
    for address in range(block.start, block.start + block.count + 1):
        in_gap = address < block.start + block.count and address not in used
        if in_gap and first is None:
            first = address
        elif not in_gap and first is not None:
            yield first, address - first
            first = None


def _alone(block: Block, every_point: bool) -> list[int]:
    """Which points of a block are read singly, too; none where the block is a single point's."""
    last = len(block.points) - 1
    if last == 0:
        return []
    if every_point:
        return list(range(last + 1))
    chosen = {0, last // 2, last}
    for address, count in gaps_of(block):
        for index, begin in enumerate(block.offsets):
            after = block.start + begin == address + count
            before = block.start + begin + block.points[index].registers == address
            if after or before:
                chosen.add(index)
    return sorted(chosen)


def _refused(samples: BlockSamples) -> bool:
    """True when the device itself said that it will not read the block, and not only that it is busy."""
    answer = samples.whole[-1] if samples.whole else None
    return (
        isinstance(answer, ModbusReadError) and answer.reason.is_exception and not answer.reason.is_busy
        and not _is_gateways_own(answer.reason)
    )  # fmt: skip


def _is_gateways_own(reason: FailureReason) -> bool:
    return reason in (FailureReason.EXCEPTION_10, FailureReason.EXCEPTION_11)


def _level(samples: BlockSamples, count: int) -> None:
    """Give a block the samples that were cut off, as not asked."""
    while len(samples.whole) < count:
        samples.whole.append(None)
    while len(samples.single) < count:
        samples.single.append({})
