"""The reading of one device: its blocks one after the other, one repeat, within its share of the time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sos_ops.clock import Now
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.plan import Block
from sos_ops.modbus.poll import DeviceAddress, PointReading, PollOutcome, PollResult

_SHARE_PER_REQUEST = 1 / 3
"""Of the device's time: a first silence, the reconnect and the repeat still fit."""
_PATIENT_REQUEST_S = 1.0
_PATIENT_SHARE = 0.4
"""A device with little time may spend this much of it on one request, up to `_PATIENT_REQUEST_S`."""
_PAUSE_BEFORE_REPEAT_S = 0.1
_SILENT_BLOCKS_TO_GIVE_UP = 2


@dataclass
class DevicePoll:
    """One poll of one device, through a client that other units of its gateway use in turn.

    A block that cannot be read fails alone. Once per poll a read is repeated: on a new connection where the
    old one proved broken, after a moment where the device was busy. A device that is silent on two blocks
    in a row is given up.
    """

    client: StrictModbusClient
    device: DeviceAddress
    blocks: Sequence[Block]
    now: Now
    share_s: float
    """Seconds this device may take."""
    poll_s: float
    """Seconds the whole poll may take, for the message when they are over."""
    connected: bool = False
    """True once the gateway had accepted a connection."""
    _readings: list[PointReading] = field(default_factory=list)
    _blocks_read: int = 0
    _failures: list[ModbusReadError] = field(default_factory=list)
    _may_repeat: bool = True
    _being_repeated: ModbusReadError | None = None
    """Why a read is being repeated: what to name should the time run out meanwhile."""

    async def run(self) -> PollResult:
        """Read what can be read, within the share. Never raises for what the device does."""
        began_at = self.now()
        try:
            async with asyncio.timeout(self.share_s):
                await self._read_blocks(asyncio.get_running_loop().time() + self.share_s)
        except TimeoutError:
            self.client.close()
            where = f"{self.device.host}:{self.device.port} unit {self.device.unit_id}"
            text = f"the poll's {self.poll_s:g} s were over before {where} had answered everything"
            self._failures.append(self._being_repeated or ModbusReadError(FailureReason.DEADLINE, text))
        return self._result(began_at)

    async def _read_blocks(self, deadline: float) -> None:
        silent_in_a_row = 0
        for block in self.blocks:
            # Python 3.11's wait_for can swallow the one cancellation that a timeout sends; looking never
            # misses it.
            if asyncio.get_running_loop().time() >= deadline:
                raise TimeoutError
            try:
                registers = await self._read_with_one_repeat(block)
            except ModbusReadError as failure:
                self._failures.append(failure)
                silent_in_a_row = silent_in_a_row + 1 if failure.reason is FailureReason.TIMEOUT else 0
                if failure.reason.is_no_connection or silent_in_a_row == _SILENT_BLOCKS_TO_GIVE_UP:
                    return
            else:
                silent_in_a_row = 0
                self._take(block, registers)

    async def _read_with_one_repeat(self, block: Block) -> list[int]:
        try:
            return await self._read(block)
        except ModbusReadError as failure:
            if not self._may_repeat or not self._is_worth_repeating(failure.reason):
                raise
            self._being_repeated = failure
        self._may_repeat = False
        await asyncio.sleep(_PAUSE_BEFORE_REPEAT_S)
        try:
            registers = await self._read(block)
        except ModbusReadError:
            self._being_repeated = None
            raise
        self._being_repeated = None
        return registers

    def _is_worth_repeating(self, reason: FailureReason) -> bool:
        if reason.is_no_connection:
            return self.connected  # a one-connection converter may need a moment to notice that we hung up
        return reason.is_busy or not reason.is_exception

    async def _read(self, block: Block) -> list[int]:
        if not self.client.connected:
            await self.client.connect()
        self.connected = True
        return await self.client.read_block(
            block.function,
            block.start,
            block.count,
            unit_id=self.device.unit_id,
            request_timeout=max(
                self.share_s * _SHARE_PER_REQUEST, min(_PATIENT_REQUEST_S, self.share_s * _PATIENT_SHARE)
            ),
        )

    def _take(self, block: Block, registers: list[int]) -> None:
        read_at = self.now()
        self._blocks_read += 1
        self._readings += [
            PointReading(point.name, value, suspect_value, quality, point.unit, read_at)
            for point, (value, suspect_value, quality) in block.decode(registers)
        ]

    def _result(self, began_at: datetime) -> PollResult:
        ended_at = self.now()
        missing = len(self.blocks) - self._blocks_read
        if missing == 0:
            return PollResult(
                self.device.name, began_at, ended_at, PollOutcome.COMPLETE, None, None, tuple(self._readings)
            )
        first = self._failures[0]
        outcome, reason = PollOutcome.FAILED, str(first)
        if self._blocks_read:
            outcome, reason = PollOutcome.PARTIAL, f"{missing} of {len(self.blocks)} blocks not read: {first}"
        return PollResult(
            self.device.name, began_at, ended_at, outcome, first.reason, reason, tuple(self._readings)
        )
