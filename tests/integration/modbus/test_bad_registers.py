"""Registers that a device refuses inside a block: found, left out, checked and restored, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction, RegisterRange
from sos_ops.modbus.quarantine import Quarantined, next_check
from sos_ops.modbus.reader import read_devices
from sos_ops.modbus.search import MOST_REQUESTS, MOST_REQUESTS_IN_VAIN
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, Fault, FaultyModbusServer, Request, register_value

UNIT = 3
START = datetime(2026, 11, 23, 19, 17, 2, tzinfo=UTC)


def map_of(*addresses: int, **changes: object) -> ProtocolMap:
    points = [{"name": f"register_{a}", "address": a, "type": "u16"} for a in addresses]
    head = {"name": "plain", "version": 1, "description": "", "read_function": "input"}
    return ProtocolMap.model_validate({**head, "addressing": "zero_based", "points": points, **changes})


def touching(bad: Collection[int], fault: Fault) -> Callable[[Request], Fault]:
    """A device that has everything but these registers, and refuses a block that touches one."""

    def choose(request: Request) -> Fault:
        asked = range(request.address, request.address + request.count)
        return fault if any(register in asked for register in bad) else faults.honest

    return choose


def poll(
    server: FaultyModbusServer,
    protocol_map: ProtocolMap,
    quarantined: tuple[Quarantined, ...] = (),
    at: datetime = START,
) -> PollResult:
    server.requests.clear()
    job = DeviceJob(DeviceAddress("bms", LOOPBACK, server.port, UNIT), protocol_map, quarantined)
    (result,) = asyncio.run(read_devices([job], 10, lambda: at))
    for reading in result.points:
        address = int(reading.point.removeprefix("register_"))
        assert (reading.value, reading.quality) == (register_value(UNIT, address), Quality.GOOD)
    for block in result.raw:
        held = [register_value(UNIT, block.start + i) for i in range(len(block.registers))]
        assert list(block.registers) == held
    assert len({reading.point for reading in result.points}) == len(result.points)
    return result


def known_from(result: PollResult) -> tuple[Quarantined, ...]:
    """What the platform remembers of a poll: it stores what was found, under the time it was found at."""
    return tuple(
        Quarantined(
            c.range.function, c.range.start, c.range.count, c.points, c.reason, c.at, next_check(c.at, 0)
        )
        for c in result.quarantine
        if c.kind == "found"
    )


def names(result: PollResult) -> set[str]:
    return {reading.point for reading in result.points}


THIRTEEN = map_of(*range(13))


@pytest.mark.parametrize("code", [2, 3, 4])
@pytest.mark.parametrize("bad", range(13))
def test_a_bad_register_inside_a_block_costs_only_itself(bad: int, code: int) -> None:
    with FaultyModbusServer(choose=touching([bad], faults.exception(code))) as server:
        result = poll(server, THIRTEEN)
        assert names(result) == {f"register_{a}" for a in range(13) if a != bad}
        assert len(server.requests) <= 1 + 2 * 4 + 1
        assert server.connections == 1
    (change,) = result.quarantine
    assert (change.kind, change.points, change.reason) == ("found", (f"register_{bad}",), f"exception {code}")
    assert change.range == RegisterRange(ReadFunction.INPUT, bad, 1)
    assert (result.outcome, result.cause) == (PollOutcome.PARTIAL, FailureReason.QUARANTINE)
    assert result.reason == (
        f"1 of 13 points in quarantine: register_{bad} (exception {code} since 2026-11-23 19:17 UTC)"
    )


def test_what_is_in_quarantine_is_not_asked_until_its_check_and_every_minute_reads_the_same() -> None:
    with FaultyModbusServer(choose=touching([5], faults.exception(2))) as server:
        first = poll(server, THIRTEEN)
        known = known_from(first)
        for minute in range(1, 10):
            result = poll(server, THIRTEEN, known, START + timedelta(minutes=minute))
            assert [(r.address, r.count) for r in server.requests] == [(0, 5), (6, 7)]
            assert (result.reason, result.quarantine) == (first.reason, ())
            assert names(result) == names(first)
            assert result.outcome is PollOutcome.PARTIAL


def test_a_check_asks_once_and_confirms_what_is_still_bad() -> None:
    with FaultyModbusServer(choose=touching([5], faults.exception(2))) as server:
        known = known_from(poll(server, THIRTEEN))
        result = poll(server, THIRTEEN, known, START + timedelta(minutes=10))
        assert [(r.address, r.count) for r in server.requests] == [(0, 5), (6, 7), (5, 1)]
    assert [(c.kind, c.points) for c in result.quarantine] == [("confirmed", ("register_5",))]
    assert result.outcome is PollOutcome.PARTIAL


def test_what_answers_its_check_is_restored_and_read_in_the_same_poll() -> None:
    with FaultyModbusServer(choose=touching([5], faults.exception(2))) as server:
        known = known_from(poll(server, THIRTEEN))
    with FaultyModbusServer() as server:
        result = poll(server, THIRTEEN, known, START + timedelta(minutes=10))
    assert [(c.kind, c.points) for c in result.quarantine] == [("restored", ("register_5",))]
    assert (result.outcome, result.reason, len(result.points)) == (PollOutcome.COMPLETE, None, 13)


def test_checks_are_ten_minutes_apart_at_first_and_never_more_than_six_hours() -> None:
    after = [next_check(START, checks) - START for checks in range(9)]
    assert after[:6] == [timedelta(minutes=10 * 2**n) for n in range(6)]
    assert after[6:] == [timedelta(hours=6)] * 3
    assert next_check(START, 10**6) == START + timedelta(hours=6)


def test_a_gap_that_cannot_be_read_across_is_remembered_and_the_points_stay_complete() -> None:
    with_a_hole = map_of(0, 1, 2, 3, 8, 9, 10)
    with FaultyModbusServer(choose=touching([5], faults.exception(2))) as server:
        first = poll(server, with_a_hole)
        assert (first.outcome, len(first.points)) == (PollOutcome.COMPLETE, 7)
        (change,) = first.quarantine
        assert (change.kind, change.points) == ("found", ())
        assert change.range == RegisterRange(ReadFunction.INPUT, 4, 4)
        second = poll(server, with_a_hole, known_from(first), START + timedelta(minutes=1))
        assert [(r.address, r.count) for r in server.requests] == [(0, 4), (8, 3)]
        assert (second.outcome, second.quarantine) == (PollOutcome.COMPLETE, ())
        third = poll(server, with_a_hole, known_from(first), START + timedelta(minutes=10))
        assert [(r.address, r.count) for r in server.requests] == [(0, 4), (8, 3), (3, 6)]
        assert [c.kind for c in third.quarantine] == ["confirmed"]
    with FaultyModbusServer() as server:
        fourth = poll(server, with_a_hole, known_from(first), START + timedelta(minutes=10))
    assert [c.kind for c in fourth.quarantine] == ["restored"]


def test_a_device_that_takes_only_short_requests_is_read_in_pieces_and_blamed_for_nothing() -> None:
    def no_more_than_four(request: Request) -> Fault:
        return faults.honest if request.count <= 4 else faults.exception(3)

    with FaultyModbusServer(choose=no_more_than_four) as server:
        result = poll(server, THIRTEEN)
    assert (result.outcome, len(result.points), result.quarantine) == (PollOutcome.COMPLETE, 13, ())


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_device_that_refuses_everything_is_out_of_order_and_its_registers_are_not_bad(code: int) -> None:
    with FaultyModbusServer(then=faults.exception(code)) as server:
        result = poll(server, map_of(*range(13), *range(100, 120)))
        assert len(server.requests) <= 2 + MOST_REQUESTS_IN_VAIN
    assert (result.outcome, result.quarantine) == (PollOutcome.FAILED, ())
    assert result.cause is FailureReason(f"exception_{code}")


def test_many_bad_registers_are_found_over_a_few_polls_each_of_them_bounded() -> None:
    every_third = set(range(0, 99, 3))
    everything = map_of(*range(99))
    known: tuple[Quarantined, ...] = ()
    with FaultyModbusServer(choose=touching(every_third, faults.exception(2))) as server:
        for minute in range(12):
            result = poll(server, everything, known, START + timedelta(seconds=minute))
            assert len(server.requests) <= 99 + MOST_REQUESTS
            known += known_from(result)
            if len(result.points) == 66:
                break
    assert {e.start for e in known} == every_third
    assert names(result) == {f"register_{a}" for a in range(99) if a not in every_third}
    assert result.reason is not None
    assert result.reason.startswith("33 of 99 points in quarantine: ")
    assert result.reason.endswith(" and 30 more")


@pytest.mark.parametrize("fault", [faults.silent, faults.reset, faults.exception(6), faults.exception(11)])
def test_silence_and_busy_are_no_reason_to_suspect_a_register(fault: Fault) -> None:
    def bad_block(request: Request) -> Fault:
        return fault if request.address == 100 else faults.honest

    with FaultyModbusServer(choose=bad_block) as server:
        result = poll(server, map_of(*range(13), *range(100, 110)))
    assert (result.outcome, result.quarantine) == (PollOutcome.PARTIAL, ())
    assert [r.address for r in server.requests] in ([0, 100, 100], [0, 100])


def test_points_that_share_a_register_go_into_quarantine_and_come_back_together() -> None:
    points = [
        {"name": "register_0", "address": 0, "type": "u16"},
        {"name": "over_temperature", "address": 1, "type": "bit", "bit": 0},
        {"name": "over_voltage", "address": 1, "type": "bit", "bit": 5},
        {"name": "register_2", "address": 2, "type": "u16"},
    ]
    flags = map_of(points=points)
    with FaultyModbusServer(choose=touching([1], faults.exception(2))) as server:
        result = poll(server, flags)
    (change,) = result.quarantine
    assert set(change.points) == {"over_temperature", "over_voltage"}
    assert names(result) == {"register_0", "register_2"}


def test_a_register_that_turns_bad_in_the_middle_of_a_wide_point_costs_that_point() -> None:
    points = [
        {"name": "register_0", "address": 0, "type": "u16"},
        {"name": "energy", "address": 1, "type": "u64", "word_order": "high_first"},
        {"name": "register_5", "address": 5, "type": "u16"},
    ]
    with FaultyModbusServer(choose=touching([3], faults.exception(2))) as server:
        result = poll(server, map_of(points=points))
    assert names(result) == {"register_0", "register_5"}
    assert [c.range for c in result.quarantine] == [RegisterRange(ReadFunction.INPUT, 1, 4)]


def test_what_a_newer_map_has_elsewhere_is_taken_out_of_quarantine() -> None:
    stale = Quarantined(
        ReadFunction.INPUT, 50, 1, ("register_5",), "exception 2", START, START + timedelta(hours=6)
    )
    with FaultyModbusServer() as server:
        result = poll(server, THIRTEEN, (stale,))
    assert [(c.kind, c.range.start) for c in result.quarantine] == [("restored", 50)]
    assert (result.outcome, len(result.points)) == (PollOutcome.COMPLETE, 13)


def test_a_device_with_everything_in_quarantine_is_asked_for_everything() -> None:
    known = tuple(
        Quarantined(
            ReadFunction.INPUT, a, 1, (f"register_{a}",), "exception 2", START, START + timedelta(hours=6)
        )
        for a in range(13)
    )
    with FaultyModbusServer() as server:
        result = poll(server, THIRTEEN, known)
        assert len(server.requests) == 1
    assert {c.kind for c in result.quarantine} == {"restored"}
    assert (result.outcome, len(result.points)) == (PollOutcome.COMPLETE, 13)


def test_a_register_that_answers_its_second_question_is_not_bad() -> None:
    asked_alone = 0

    def refused_once_alone(request: Request) -> Fault:
        nonlocal asked_alone
        if request.address <= 5 < request.address + request.count:
            asked_alone += request.count == 1
            return faults.honest if asked_alone == 2 else faults.exception(4)
        return faults.honest

    with FaultyModbusServer(choose=refused_once_alone) as server:
        result = poll(server, THIRTEEN)
    assert (result.outcome, len(result.points), result.quarantine) == (PollOutcome.COMPLETE, 13, ())


@pytest.mark.parametrize(
    "fault", [faults.silent, faults.reset, faults.wrong_unit, faults.transaction_id_zero]
)
def test_a_fault_in_the_middle_of_a_search_never_puts_a_value_under_another_name(fault: Fault) -> None:
    """Of a device whose register 5 is bad and whose every later answer goes wrong in its turn, one poll each."""
    for turn in range(1, 9):
        seen = 0

        def choose(request: Request, turn: int = turn) -> Fault:
            nonlocal seen
            seen += 1
            if seen == turn:
                return fault
            return touching([5], faults.exception(2))(request)

        with FaultyModbusServer(choose=choose) as server:
            result = poll(server, THIRTEEN)
        assert all(c.points == ("register_5",) for c in result.quarantine)
