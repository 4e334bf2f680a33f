"""Many devices: what they share, and what they do not do to each other."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sos_ops.clock import system_now
from sos_ops.modbus import device_poll
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.reader import poll_devices, read_devices
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, Fault, FaultyModbusServer, register_value

BANK = bundled_map("keti_bank")


def units(server_port: int, *unit_ids: int, troubled: bool = False) -> list[DeviceJob]:
    return [
        DeviceJob(DeviceAddress(f"unit_{u}", LOOPBACK, server_port, u), BANK, troubled=troubled)
        for u in unit_ids
    ]


def only(unit: int, fault: Fault) -> Callable[[faults.Request], Fault]:
    return lambda request: fault if request.unit_id == unit else faults.honest


def test_units_of_a_gateway_share_one_connection_and_never_have_two_requests_in_flight() -> None:
    with FaultyModbusServer(then=faults.late(0.01)) as server:
        results = poll_devices(units(server.port, 5, 3, 9, 1), 5, system_now)
    assert [result.device for result in results] == ["unit_5", "unit_3", "unit_9", "unit_1"]
    assert all(result.outcome is PollOutcome.COMPLETE for result in results)
    assert (server.connections, server.most_requests_in_flight) == (1, 1)
    for result, unit in zip(results, [5, 3, 9, 1], strict=True):
        assert result.points[0].value == pytest.approx(register_value(unit, 0) * 0.1)


@pytest.mark.parametrize(
    "fault",
    [
        faults.silent,
        faults.drip(1.0),
        faults.reset,
        faults.wrong_unit,
        faults.short_answer,
        faults.exception(11),
    ],
)
def test_a_bad_unit_costs_its_neighbours_on_the_gateway_no_value(fault: Fault) -> None:
    with FaultyModbusServer(choose=only(2, fault)) as server:
        began = time.monotonic()
        results = poll_devices(units(server.port, 1, 2, 3, 4), 4, system_now)
        assert time.monotonic() - began < 5
    outcomes = {result.device: result.outcome for result in results}
    assert outcomes.pop("unit_2") is PollOutcome.FAILED
    assert set(outcomes.values()) == {PollOutcome.COMPLETE}
    assert server.most_requests_in_flight == 1


def test_every_unit_of_a_gateway_that_refuses_fails_with_that_reason_at_once() -> None:
    with faults.refusing_port() as port:
        results = poll_devices(units(port, 1, 2, 3), 5, system_now)
    assert {result.cause for result in results} == {FailureReason.REFUSED}
    assert {result.reason for result in results} == {f"connection refused by {LOOPBACK}:{port}"}


def test_dead_gateways_do_not_take_the_places_of_living_ones() -> None:
    with ExitStack() as stack:
        dead = [stack.enter_context(FaultyModbusServer(then=faults.silent)) for _ in range(8)]
        alive = [stack.enter_context(FaultyModbusServer()) for _ in range(4)]
        devices = [job for server in [*dead, *alive] for job in units(server.port, 1)]
        results = poll_devices(devices, 3.0, system_now, max_concurrency=2)
    assert [result.outcome for result in results] == [PollOutcome.FAILED] * 8 + [PollOutcome.COMPLETE] * 4
    ended = [result.ended_at - results[0].began_at for result in results[8:]]
    assert max(ended) < timedelta(seconds=2)


def test_no_more_prompt_gateways_are_read_at_once_than_asked_for() -> None:
    busy: set[int] = set()
    most = 0
    lock = threading.Lock()

    async def watched(exchange: faults.Exchange) -> None:
        nonlocal most
        with lock:
            busy.add(exchange.server.port)
            most = max(most, len(busy))
        await asyncio.sleep(0.01)
        with lock:
            busy.discard(exchange.server.port)
        await faults.honest(exchange)

    with ExitStack() as stack:
        servers = [stack.enter_context(FaultyModbusServer(then=watched)) for _ in range(9)]
        devices = [job for server in servers for job in units(server.port, 1)]
        results = poll_devices(devices, 20, system_now, max_concurrency=3)
    assert all(result.outcome is PollOutcome.COMPLETE for result in results)
    assert 1 <= most <= 3


def test_a_device_whose_turn_never_comes_is_a_failed_poll_with_that_reason() -> None:
    with FaultyModbusServer(then=faults.late(0.5)) as server:
        slow = DeviceAddress("slow", LOOPBACK, server.port, 1)
        result = poll_devices([DeviceJob(slow, BANK), DeviceJob(slow, BANK)], 0.0, system_now)[1]
    assert (result.outcome, result.cause) == (PollOutcome.FAILED, FailureReason.DEADLINE)


def test_a_mistake_of_ours_in_one_device_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take = device_poll.DevicePoll._take

    def mistaken(self: device_poll.DevicePoll, block: Any, registers: list[int]) -> None:
        if self.job.device.unit_id == 2:
            raise ZeroDivisionError("a bug")
        take(self, block, registers)

    monkeypatch.setattr(device_poll.DevicePoll, "_take", mistaken)
    with FaultyModbusServer() as server:
        results = poll_devices(units(server.port, 1, 2, 3), 5, system_now)
    assert [result.outcome.value for result in results] == ["complete", "failed", "complete"]
    assert results[1].cause is FailureReason.INTERNAL
    assert "ZeroDivisionError" in caplog.text


@pytest.fixture
def name_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        released.wait(60)
        raise socket.gaierror("never mind")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    released.set()


def test_a_name_server_that_does_not_answer_cannot_outlast_the_deadline(
    name_server_that_never_answers: None,
) -> None:
    began = time.monotonic()
    (result,) = poll_devices([DeviceJob(DeviceAddress("named", "bms.example", 502), BANK)], 0.9, system_now)
    assert time.monotonic() - began < 1.9
    assert (result.outcome, result.cause) == (PollOutcome.FAILED, FailureReason.UNREACHABLE)


def test_the_times_of_a_poll_are_the_platforms_and_the_deadline_is_not() -> None:
    ticks = iter(range(1000))

    def ten_minutes_a_look() -> datetime:
        return datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=10 * next(ticks))

    with FaultyModbusServer() as server:
        (result,) = poll_devices(units(server.port, 1), 5, ten_minutes_a_look)
    assert result.outcome is PollOutcome.COMPLETE
    times = [result.began_at, *(reading.read_at for reading in result.points), result.ended_at]
    assert times == sorted(times)
    assert result.began_at < result.points[0].read_at < result.ended_at
    assert result.began_at.year == 2024


def test_cancelling_the_whole_reading_leaves_no_connection_behind() -> None:
    async def cancel_in_the_middle(server: FaultyModbusServer) -> None:
        reading = asyncio.create_task(read_devices(units(server.port, 1), 30, system_now))
        async with asyncio.timeout(10):
            while not server.requests:
                await asyncio.sleep(0.005)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(10):
            while server.open_connections:
                await asyncio.sleep(0.005)

    with FaultyModbusServer(then=faults.silent) as server:
        asyncio.run(cancel_in_the_middle(server))
    assert server.connections == 1
