"""Lines that are slow, gateways that want a pause, units that are dead: who waits for whom."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.clock import system_now
from sos_ops.modbus import gateway, line
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.modbus.reader import poll_devices
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, Exchange, Fault, FaultyModbusServer, Request, register_value

NO_PATIENT_MINUTE = datetime(2026, 11, 23, 19, 17, tzinfo=UTC)


def map_of(*addresses: int, **changes: object) -> ProtocolMap:
    points = [{"name": f"register_{a}", "address": a, "type": "u16"} for a in addresses]
    head = {"name": "plain", "version": 1, "description": "", "read_function": "input"}
    return ProtocolMap.model_validate({**head, "addressing": "zero_based", "points": points, **changes})


TWO_BLOCKS = map_of(100, 101, 200, 201)


def jobs(
    port: int,
    units: range | list[int],
    protocol_map: ProtocolMap = TWO_BLOCKS,
    troubled: set[int] = frozenset(),
) -> list[DeviceJob]:
    return [
        DeviceJob(DeviceAddress(f"unit_{u}", LOOPBACK, port, u), protocol_map, troubled=u in troubled)
        for u in units
    ]


def assert_every_value_is_its_own(results: list[PollResult]) -> None:
    for result in results:
        unit = int(result.device.removeprefix("unit_"))
        for reading in result.points:
            assert reading.value == register_value(unit, int(reading.point.removeprefix("register_")))


def for_units(units: set[int], fault: Fault) -> Callable[[Request], Fault]:
    return lambda request: fault if request.unit_id in units else faults.honest


def test_fifty_silent_units_among_twenty_healthy_ones_cost_them_no_value() -> None:
    silent = {u for u in range(1, 71) if u % 7 not in (0, 1)}
    with FaultyModbusServer(choose=for_units(silent, faults.silent)) as server:
        results = poll_devices(jobs(server.port, range(1, 71)), 6, system_now)
    healthy = [r for r in results if int(r.device.removeprefix("unit_")) not in silent]
    assert (len(silent), len(healthy)) == (50, 20)
    assert {r.outcome for r in healthy} == {PollOutcome.COMPLETE}
    assert {r.outcome for r in results if r not in healthy} == {PollOutcome.FAILED}
    assert server.most_requests_in_flight == 1
    assert_every_value_is_its_own(results)


def test_troubled_units_are_asked_last_and_their_silence_is_bounded() -> None:
    silent = set(range(1, 51))
    with FaultyModbusServer(choose=for_units(silent, faults.silent)) as server:
        began = time.monotonic()
        results = poll_devices(
            jobs(server.port, range(1, 56), troubled=silent), 17, lambda: NO_PATIENT_MINUTE
        )
        assert time.monotonic() - began < gateway._SECONDS_FOR_TROUBLED + 4
        asked = [request.unit_id for request in server.requests]
    assert asked[:10] == [51, 51, 52, 52, 53, 53, 54, 54, 55, 55]
    assert set(asked[10:]) <= silent
    assert len(asked[10:]) == len(set(asked[10:]))
    assert [r.outcome for r in results[50:]] == [PollOutcome.COMPLETE] * 5
    assert {r.cause for r in results[:50]} == {FailureReason.TIMEOUT}


def test_a_troubled_unit_that_answers_again_is_read_wholly_in_the_same_poll() -> None:
    with FaultyModbusServer() as server:
        results = poll_devices(jobs(server.port, range(1, 4), troubled={1}), 5, system_now)
        assert [request.unit_id for request in server.requests] == [2, 2, 3, 3, 1, 1]
    assert {r.outcome for r in results} == {PollOutcome.COMPLETE}
    assert_every_value_is_its_own(results)


def test_every_troubled_unit_is_asked_within_a_few_minutes() -> None:
    troubled = set(range(1, 41))
    asked: set[int] = set()
    for minute in range(40):
        at = NO_PATIENT_MINUTE + timedelta(minutes=minute)
        firsts = gateway._healthy_first(_polls(jobs(502, range(1, 41), troubled=troubled)), at)
        asked |= {poll.job.device.unit_id for poll in firsts[: 1 if at.minute % 5 == 0 else 4]}
    assert asked == troubled


def _polls(all_jobs: list[DeviceJob]) -> list[gateway.DevicePoll]:
    return [gateway.DevicePoll(job, [], system_now) for job in all_jobs]


def test_a_slow_line_loses_no_answer() -> None:
    with FaultyModbusServer(then=faults.late(1.3)) as server:
        results = poll_devices(jobs(server.port, range(1, 4)), 17, system_now)
    assert {r.outcome for r in results} == {PollOutcome.COMPLETE}
    assert server.connections == 1


def test_a_converter_still_busy_with_a_request_that_was_cut_off_does_not_make_its_device_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "PATIENT_S", 1.0)
    monkeypatch.setattr(line, "PATIENT_AGAIN_S", 2.0)
    one_at_a_time = asyncio.Lock()

    async def bus() -> None:
        async with one_at_a_time:
            await asyncio.sleep(0.9)

    async def converter(exchange: Exchange) -> None:
        await asyncio.shield(asyncio.create_task(bus()))  # goes on although the asker hung up
        await faults.honest(exchange)

    with FaultyModbusServer(then=converter) as server:
        one_block = jobs(server.port, [1], map_of(100))
        (cut_off,) = poll_devices(one_block, 0.1, system_now)
        (result,) = poll_devices(one_block, 10, system_now)
    assert (cut_off.outcome, result.outcome) == (PollOutcome.FAILED, PollOutcome.COMPLETE)
    assert_every_value_is_its_own([result])


def test_one_slow_unit_behind_a_fast_gateway_is_waited_for_after_the_others() -> None:
    with FaultyModbusServer(choose=for_units({1, 2}, faults.late(1.5))) as server:
        fast_first = jobs(server.port, [9, 1, 8, 7])
        results = poll_devices(fast_first, 17, system_now)
        order = [request.unit_id for request in server.requests]
    assert {r.outcome for r in results} == {PollOutcome.COMPLETE}
    assert order == [9, 9, 1, 8, 8, 7, 7, 1, 1]
    assert_every_value_is_its_own(results)


def test_a_device_that_answers_too_slowly_to_be_finished_says_so() -> None:
    many = map_of(*range(0, 2000, 100))
    with FaultyModbusServer(then=faults.late(0.2)) as server:
        (result,) = poll_devices(jobs(server.port, [1], many), 1.5, system_now)
    assert (result.outcome, result.cause, result.unfinished) == (
        PollOutcome.PARTIAL,
        FailureReason.DEADLINE,
        True,
    )


@pytest.mark.parametrize("fault", [faults.silent, faults.drip(1.0), faults.reset, faults.exception(2)])
def test_a_device_that_does_not_answer_is_not_unfinished(fault: Fault) -> None:
    with FaultyModbusServer(then=fault) as server:
        (result,) = poll_devices(jobs(server.port, [1]), 1.2, system_now)
    assert (result.outcome, result.unfinished) == (PollOutcome.FAILED, False)


def test_units_whose_turn_never_came_on_a_slow_line_are_unfinished() -> None:
    with FaultyModbusServer(then=faults.late(0.3)) as server:
        results = poll_devices(jobs(server.port, range(1, 9)), 1.2, system_now)
    assert results[0].points
    assert all(r.unfinished for r in results if r.outcome is not PollOutcome.COMPLETE)
    assert (
        results[-1].reason
        == f"the time of the poll was over before {LOOPBACK}:{server.port} unit 8 was asked"
    )


def test_the_pause_that_a_map_asks_for_is_kept_after_every_answer() -> None:
    answered: list[float] = []
    pauses: list[float] = []
    lock = threading.Lock()

    async def watched(exchange: Exchange) -> None:
        with lock:
            if answered:
                pauses.append(time.monotonic() - answered[-1])
        await faults.honest(exchange)
        with lock:
            answered.append(time.monotonic())

    patient = map_of(100, 200, 300, pause_between_requests_s="0.1")
    with FaultyModbusServer(then=watched) as server:
        results = poll_devices(jobs(server.port, [1, 2], patient), 10, system_now)
    assert {r.outcome for r in results} == {PollOutcome.COMPLETE}
    assert len(pauses) == 5
    assert min(pauses) >= 0.095


def test_a_pause_cannot_outlast_the_deadline() -> None:
    patient = map_of(100, 200, 300, pause_between_requests_s="10")
    with FaultyModbusServer() as server:
        began = time.monotonic()
        (result,) = poll_devices(jobs(server.port, [1], patient), 1.0, system_now)
        assert time.monotonic() - began < 2
    assert (result.outcome, result.unfinished, len(result.points)) == (PollOutcome.PARTIAL, True, 1)


def test_a_half_open_connection_costs_one_reconnect_and_no_unit_its_minute() -> None:
    def dead_after_three(request: Request) -> Fault:
        seen = sum(r.connection == 1 for r in server.requests)
        return faults.silent if request.connection == 1 and seen > 3 else faults.honest

    with FaultyModbusServer(choose=dead_after_three) as server:
        results = poll_devices(jobs(server.port, range(1, 5)), 8, system_now)
    assert {r.outcome for r in results} == {PollOutcome.COMPLETE}
    assert server.connections == 2
    assert_every_value_is_its_own(results)


def test_minutes_of_the_same_silence_read_the_same_whatever_time_was_left() -> None:
    with FaultyModbusServer(then=faults.silent) as server:
        reasons = {poll_devices(jobs(server.port, [1]), s, system_now)[0].reason for s in (0.5, 0.8, 1.1)}
    assert len(reasons) == 1


@pytest.mark.parametrize("seed", range(12))
def test_twenty_units_in_any_order_with_any_faults_never_have_a_value_misplaced(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    kinds: list[Fault] = [
        faults.honest,
        faults.in_pieces(3),
        faults.late(0.02),
        faults.exception(2),
        faults.exception(6),
        faults.reset,
        faults.hang_up,
        faults.wrong_unit,
        faults.wrong_function,
        faults.short_answer,
        faults.long_answer,
        faults.answered_twice,
        faults.next_transaction_id,
        faults.transaction_id_zero,
        faults.reset_in_the_middle,
    ]

    def any_fault(_: Request) -> Fault:
        return chance.choice(kinds) if chance.random() < 0.4 else faults.honest

    units = chance.sample(range(1, 248), 20)
    with FaultyModbusServer(choose=any_fault) as server:
        began = time.monotonic()
        results = poll_devices(jobs(server.port, units), 6, system_now)
        assert time.monotonic() - began < 8
    assert [r.device for r in results] == [f"unit_{u}" for u in units]
    assert server.most_requests_in_flight <= 2  # an abandoned one may still be at work in the server
    assert any(r.points for r in results)
    assert_every_value_is_its_own(results)
    for result in results:
        for block in result.raw:
            unit = int(result.device.removeprefix("unit_"))
            assert list(block.registers) == [
                register_value(unit, block.start + i) for i in range(len(block.registers))
            ]
