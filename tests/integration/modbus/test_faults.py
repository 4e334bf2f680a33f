"""Every fault a device, converter or network can produce, against the reading of a device over real sockets."""

from __future__ import annotations

import asyncio
import time

import pytest

from sos_ops.clock import system_now
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import DeviceAddress, PollOutcome, PollResult
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.modbus.reader import read_device
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, Exchange, Fault, FaultyModbusServer, register_value

DEADLINE_S = 0.9
SLACK_S = 1.0
UNIT = 3


def map_of(*addresses: int, **changes: object) -> ProtocolMap:
    """A map with one u16 point per address, so that a value says which register it came from."""
    points = [{"name": f"register_{a}", "address": a, "type": "u16"} for a in addresses]
    head = {
        "name": "plain",
        "version": 1,
        "description": "",
        "read_function": "input",
        "addressing": "zero_based",
    }
    return ProtocolMap.model_validate({**head, "points": points, **changes})


ONE_BLOCK = map_of(100, 101, 102, 103)
TWO_BLOCKS = map_of(100, 101, 102, 103, 200, 201, 202, 203)


def read(port: int, protocol_map: ProtocolMap, deadline_s: float = DEADLINE_S) -> PollResult:
    """Read unit 3, holding the deadline to its word."""
    device = DeviceAddress("bms", LOOPBACK, port, UNIT)
    began = time.monotonic()
    result = asyncio.run(read_device(device, protocol_map, deadline_s, system_now))
    assert time.monotonic() - began < deadline_s + SLACK_S
    return result


def assert_every_value_is_its_own_registers(result: PollResult) -> None:
    for reading in result.points:
        address = int(reading.point.removeprefix("register_"))
        assert (reading.value, reading.quality) == (register_value(UNIT, address), Quality.GOOD)


UNUSABLE: list[tuple[Fault, FailureReason]] = [
    (faults.silent, FailureReason.TIMEOUT),
    (faults.late(5), FailureReason.TIMEOUT),
    (faults.truncated_answer, FailureReason.TIMEOUT),
    (faults.drip(0.2), FailureReason.TIMEOUT),
    (faults.drip(1.0), FailureReason.TIMEOUT),
    (faults.short_answer, FailureReason.SHORT_ANSWER),
    (faults.long_answer, FailureReason.LONG_ANSWER),
    (faults.wrong_function, FailureReason.WRONG_FUNCTION),
    (faults.wrong_unit, FailureReason.WRONG_UNIT),
    (faults.transaction_id_zero, FailureReason.WRONG_TRANSACTION),
    (faults.next_transaction_id, FailureReason.WRONG_TRANSACTION),
    (faults.wrong_protocol, FailureReason.WRONG_PROTOCOL),
    (faults.odd_byte_count, FailureReason.MALFORMED),
    (faults.byte_count_lies, FailureReason.MALFORMED),
    (faults.answered_twice, FailureReason.MALFORMED),
    (faults.garbage, FailureReason.WRONG_TRANSACTION),
    (faults.reset, FailureReason.CONNECTION_LOST),
    (faults.reset_in_the_middle, FailureReason.CONNECTION_LOST),
    (faults.hang_up, FailureReason.CONNECTION_LOST),
    (faults.exception(1), FailureReason.EXCEPTION_1),
    (faults.exception(2), FailureReason.EXCEPTION_2),
    (faults.exception(3), FailureReason.EXCEPTION_3),
    (faults.exception(4), FailureReason.EXCEPTION_4),
    (faults.exception(5), FailureReason.EXCEPTION_5),
    (faults.exception(6), FailureReason.EXCEPTION_6),
    (faults.exception(10), FailureReason.EXCEPTION_10),
    (faults.exception(11), FailureReason.EXCEPTION_11),
    (faults.exception(77), FailureReason.EXCEPTION_OTHER),
]
REFUSALS = {FailureReason.EXCEPTION_2, FailureReason.EXCEPTION_3, FailureReason.EXCEPTION_4}
"""The device says no to registers: they are searched for the bad one (test_bad_registers.py)."""
IDS = [f"{fault.__qualname__.split('.')[0]}-{i}" for i, (fault, _) in enumerate(UNUSABLE)]


WHOLE_BLOCK = [
    pytest.param(*one, id=id_) for one, id_ in zip(UNUSABLE, IDS, strict=True) if one[1] not in REFUSALS
]


@pytest.mark.parametrize(("fault", "cause"), UNUSABLE, ids=IDS)
def test_a_device_that_always_answers_so_gives_no_value_but_its_reason_in_time(
    fault: Fault, cause: FailureReason
) -> None:
    with FaultyModbusServer(then=fault) as server:
        result = read(server.port, ONE_BLOCK)
    assert (result.outcome, result.cause, result.points) == (PollOutcome.FAILED, cause, ())
    assert result.reason is not None
    assert f"{LOOPBACK}:{server.port}" in result.reason
    assert "\n" not in result.reason


@pytest.mark.parametrize(("fault", "cause"), WHOLE_BLOCK)
def test_a_fault_in_one_block_neither_shifts_nor_spoils_the_other(fault: Fault, cause: FailureReason) -> None:
    def bad_for_the_second_block(request: faults.Request) -> Fault:
        return fault if request.address == 200 else faults.honest

    def bad_for_the_first_block(request: faults.Request) -> Fault:
        return fault if request.address == 100 else faults.honest

    first_is_bad = cause is not FailureReason.EXCEPTION_1  # which stands for all blocks, should it come first
    bad = bad_for_the_first_block if first_is_bad else bad_for_the_second_block
    with FaultyModbusServer(choose=bad) as server:
        result = read(server.port, TWO_BLOCKS, deadline_s=2.0)
    assert_every_value_is_its_own_registers(result)
    good = 200 if first_is_bad else 100
    assert [reading.point for reading in result.points] == [f"register_{a}" for a in range(good, good + 4)]
    assert (result.outcome, result.cause) == (PollOutcome.PARTIAL, cause)
    assert result.reason is not None
    assert result.reason.startswith("1 of 2 blocks not read: ")


@pytest.mark.parametrize(("fault", "cause"), WHOLE_BLOCK)
def test_one_fault_is_cured_by_one_repeat_where_a_repeat_can_help(fault: Fault, cause: FailureReason) -> None:
    with FaultyModbusServer(script=[fault]) as server:
        result = read(server.port, TWO_BLOCKS, deadline_s=2.0)
    assert_every_value_is_its_own_registers(result)
    final = cause.is_exception and not cause.is_busy
    asked = [100] if cause is FailureReason.EXCEPTION_1 else [100, 200] if final else [100, 100, 200]
    assert result.outcome is PollOutcome.COMPLETE or final
    assert [request.address for request in server.requests] == asked


def test_an_illegal_function_is_said_once_and_the_blocks_of_the_other_function_are_read() -> None:
    points = [
        {"name": f"register_{a}", "address": a, "type": "u16", "function": function}
        for function, addresses in (("input", (100, 200, 300)), ("holding", (400, 500)))
        for a in addresses
    ]

    def no_input_registers(request: faults.Request) -> Fault:
        return faults.exception(1) if request.function_code == 4 else faults.honest

    with FaultyModbusServer(choose=no_input_registers) as server:
        result = read(server.port, map_of(points=points))
    assert [(r.function_code, r.address) for r in server.requests] == [(4, 100), (3, 400), (3, 500)]
    assert server.connections == 1
    assert_every_value_is_its_own_registers(result)
    assert len(result.points) == 2
    assert result.reason == (
        f"3 of 5 blocks not read: {LOOPBACK}:{server.port} unit 3 answered exception 1 (illegal function)"
    )


def test_an_answer_in_many_pieces_is_put_together() -> None:
    with FaultyModbusServer(then=faults.in_pieces(1)) as server:
        result = read(server.port, TWO_BLOCKS, deadline_s=5)
    assert result.outcome is PollOutcome.COMPLETE
    assert_every_value_is_its_own_registers(result)


def test_a_half_open_connection_is_replaced_within_the_same_minute() -> None:
    def dead_on_the_first_connection(request: faults.Request) -> Fault:
        return faults.silent if request.connection == 1 else faults.honest

    with FaultyModbusServer(choose=dead_on_the_first_connection) as server:
        result = read(server.port, TWO_BLOCKS)
    assert (result.outcome, server.connections) == (PollOutcome.COMPLETE, 2)
    assert_every_value_is_its_own_registers(result)


def test_the_second_broken_connection_is_not_forgiven() -> None:
    with FaultyModbusServer(script=[faults.reset, faults.honest, faults.reset]) as server:
        result = read(server.port, TWO_BLOCKS)
    assert (result.outcome, result.cause) == (PollOutcome.PARTIAL, FailureReason.CONNECTION_LOST)
    assert_every_value_is_its_own_registers(result)


def test_a_device_silent_on_two_blocks_in_a_row_is_given_up() -> None:
    many = map_of(*range(0, 1000, 100))
    with FaultyModbusServer(then=faults.silent) as server:
        result = read(server.port, many, deadline_s=1.5)
    assert result.cause is FailureReason.TIMEOUT
    assert [request.address for request in server.requests] == [0, 0, 100]


def test_a_drip_of_one_byte_a_second_cannot_outlast_the_deadline_however_many_blocks_there_are() -> None:
    many = map_of(*range(0, 3000, 100))
    with FaultyModbusServer(then=faults.drip(1.0)) as server:
        result = read(server.port, many, deadline_s=1.2)
    assert (result.outcome, result.points) == (PollOutcome.FAILED, ())


def test_what_was_read_before_the_deadline_is_kept() -> None:
    many = map_of(*range(0, 3000, 100))
    with FaultyModbusServer(then=faults.late(0.15)) as server:
        result = read(server.port, many, deadline_s=0.8)
    assert (result.outcome, result.cause) == (PollOutcome.PARTIAL, FailureReason.DEADLINE)
    assert 1 <= len(result.points) <= 5
    assert_every_value_is_its_own_registers(result)


@pytest.mark.parametrize("with_its_old_transaction_id", [True, False])
def test_a_late_answer_is_never_the_value_of_the_register_asked_next(
    with_its_old_transaction_id: bool,
) -> None:
    async def block_100_as_the_answer_for_block_200(exchange: Exchange) -> None:
        asked_before = [request for request in exchange.server.requests if request.address == 100]
        transaction_id = asked_before[-1].transaction_id if with_its_old_transaction_id else 0
        late = exchange.altered_answer(registers=exchange.registers(100), transaction_id=transaction_id)
        await exchange.send(late)

    def gateway_that_queues(request: faults.Request) -> Fault:
        return faults.silent if request.address == 100 else block_100_as_the_answer_for_block_200

    with FaultyModbusServer(choose=gateway_that_queues) as server:
        result = read(server.port, TWO_BLOCKS)
    assert [request.address for request in server.requests] == [100, 100, 200]
    assert (result.outcome, result.points) == (PollOutcome.FAILED, ())


def test_transaction_ids_do_not_begin_again_on_a_new_connection() -> None:
    with FaultyModbusServer(script=[faults.reset, faults.honest, faults.reset]) as server:
        read(server.port, TWO_BLOCKS)
    ids = [request.transaction_id for request in server.requests]
    assert len(server.requests) == 3
    assert len(set(ids)) == 3
    assert server.requests[-1].connection == 2


def test_a_refused_connection_says_so() -> None:
    with faults.refusing_port() as port:
        result = read(port, TWO_BLOCKS)
        assert result.reason == f"connection refused by {LOOPBACK}:{port}"
    assert (result.outcome, result.cause) == (PollOutcome.FAILED, FailureReason.REFUSED)


def test_a_host_that_gives_no_sign_says_so_in_time() -> None:
    with faults.blackholed_port() as port:
        result = read(port, TWO_BLOCKS)
    assert (result.outcome, result.cause) == (PollOutcome.FAILED, FailureReason.UNREACHABLE)
    assert result.reason == f"no connection to {LOOPBACK}:{port}: no sign of life"


def test_minutes_of_the_same_fault_read_the_same() -> None:
    for fault, _ in UNUSABLE[5:]:
        with FaultyModbusServer(then=fault) as server:
            first, second = read(server.port, ONE_BLOCK), read(server.port, ONE_BLOCK)
        assert first.reason == second.reason


def test_holding_registers_are_asked_with_function_3_and_one_based_addresses_are_one_lower_on_the_wire() -> (
    None
):
    with FaultyModbusServer() as server:
        result = read(server.port, map_of(101, 102, read_function="holding", addressing="one_based"))
    assert [(r.function_code, r.address, r.count, r.unit_id) for r in server.requests] == [(3, 100, 2, UNIT)]
    assert [reading.value for reading in result.points] == [
        register_value(UNIT, 100),
        register_value(UNIT, 101),
    ]
