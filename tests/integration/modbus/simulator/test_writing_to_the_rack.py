"""The demo's rack takes a current limit over Modbus: checked, logged, kept, and obeyed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusWriteError, WriteOutcome
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.simulator import state_file
from sos_ops.modbus.simulator.sensors import POINTS
from sos_ops.settings import Scenario
from tests.support.rack import serving_rack

MAP = bundled_map("demo_rack")
LIMIT = MAP.writable_point("current_limit")
REGISTER = MAP.register_to_write(LIMIT).start
T = TypeVar("T")


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def go(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def ask(port: int, scene: Callable[[StrictModbusClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with StrictModbusClient("127.0.0.1", port) as client:
            return await scene(client)

    return asyncio.run(run())


def write(port: int, amperes: float) -> None:
    ask(port, lambda client: client.write_register(REGISTER, LIMIT.raw(amperes)))


def shown(port: int) -> dict[str, float | None]:
    async def scene(client: StrictModbusClient) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for block in plan_blocks(MAP):
            registers = await client.read_block(block.function, block.start, block.count)
            found |= {point.name: judged.value for point, judged in block.decode(registers)}
        return found

    return ask(port, scene)


def test_a_new_rack_shows_its_thirteen_values_and_its_rated_current_as_the_limit(tmp_path: Path) -> None:
    with serving_rack(tmp_path, Clock().now, protocol_map=MAP) as port:
        values = shown(port)
    assert set(values) == POINTS | {"current_limit"}
    assert values["current_limit"] == 120.0


def test_a_limit_is_shown_in_whole_amperes_and_the_current_obeys_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with (
        caplog.at_level(logging.INFO),
        serving_rack(tmp_path, clock.now, Scenario.OVERHEAT, protocol_map=MAP) as port,
    ):
        clock.go(120)
        before = shown(port)
        write(port, 30.7)
        clock.go(60)
        after = shown(port)
    assert before["current"] == pytest.approx(100.0, abs=0.2)
    assert after["current"] == pytest.approx(30.7, abs=0.2)
    assert after["current_limit"] == 30.0
    assert "written: current_limit is now 30.7 A" in caplog.text


@pytest.mark.parametrize(
    ("address", "raw", "reason"),
    [
        (REGISTER, LIMIT.raw(200) + 1, FailureReason.EXCEPTION_3),
        (REGISTER, 0xFFFF, FailureReason.EXCEPTION_3),
        (REGISTER + 1, 1, FailureReason.EXCEPTION_2),
        (99, 1, FailureReason.EXCEPTION_2),
    ],
    ids=["above the limits", "the largest there is", "another register", "the denied register"],
)
def test_what_may_not_be_written_is_refused_and_changes_nothing(
    tmp_path: Path, address: int, raw: int, reason: FailureReason
) -> None:
    with serving_rack(tmp_path, Clock().now, protocol_map=MAP) as port:
        with pytest.raises(ModbusWriteError) as refused:
            ask(port, lambda client: client.write_register(address, raw))
        assert (refused.value.outcome, refused.value.reason) == (WriteOutcome.REFUSED, reason)
        assert shown(port)["current_limit"] == 120.0


def test_a_confirmed_limit_is_on_the_disk_before_anything_else_happens(tmp_path: Path) -> None:
    with serving_rack(tmp_path, Clock().now, protocol_map=MAP) as port:
        write(port, 45.5)
        saved = state_file.load(tmp_path)
        assert saved is not None
        assert saved.state.current_limit_a == 45.5


def test_a_limit_outlives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    with serving_rack(tmp_path, clock.now, protocol_map=MAP) as port:
        write(port, 45.5)
    clock.go(3600)
    with serving_rack(tmp_path, clock.now, protocol_map=MAP) as port:
        assert shown(port)["current_limit"] == 45.0
