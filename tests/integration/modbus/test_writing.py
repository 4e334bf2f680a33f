"""Writing one register: sent at most once, and believed only when the device confirmed exactly that."""

from __future__ import annotations

import asyncio
import time

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusWriteError, WriteOutcome
from sos_ops.modbus.protocol_map import ReadFunction
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, Fault, FaultyModbusServer, register_value

UNIT, ADDRESS, VALUE = 3, 21, 5500
TIMEOUT_S = 0.3


async def write(port: int, address: int = ADDRESS, value: int = VALUE) -> None:
    async with StrictModbusClient(
        LOOPBACK, port, UNIT, connect_timeout=2, request_timeout=TIMEOUT_S
    ) as client:
        await client.write_register(address, value)


def test_a_confirmed_write_went_out_once_and_as_it_was_meant() -> None:
    with FaultyModbusServer() as server:
        asyncio.run(write(server.port))
    (request,) = server.requests
    assert (request.function_code, request.unit_id, request.address) == (6, UNIT, ADDRESS)
    assert request.count == VALUE


@pytest.mark.parametrize("value", [0, 65535])
def test_the_whole_range_of_a_register_can_be_written(value: int) -> None:
    with FaultyModbusServer(then=faults.in_pieces(1)) as server:
        asyncio.run(write(server.port, 65535, value))
    assert [(r.address, r.count) for r in server.requests] == [(65535, value)]


UNKNOWN: list[tuple[Fault, FailureReason]] = [
    (faults.silent, FailureReason.TIMEOUT),
    (faults.late(5), FailureReason.TIMEOUT),
    (faults.drip(0.2), FailureReason.TIMEOUT),
    (faults.reset, FailureReason.CONNECTION_LOST),
    (faults.reset_in_the_middle, FailureReason.CONNECTION_LOST),
    (faults.hang_up, FailureReason.CONNECTION_LOST),
    (faults.transaction_id_zero, FailureReason.WRONG_TRANSACTION),
    (faults.next_transaction_id, FailureReason.WRONG_TRANSACTION),
    (faults.wrong_protocol, FailureReason.WRONG_PROTOCOL),
    (faults.wrong_unit, FailureReason.WRONG_UNIT),
    (faults.wrong_function, FailureReason.WRONG_FUNCTION),
    (faults.answered_twice, FailureReason.MALFORMED),
    (faults.garbage, FailureReason.WRONG_TRANSACTION),
    (faults.echo_of(1, 0), FailureReason.WRONG_ECHO),
    (faults.echo_of(0, -1), FailureReason.WRONG_ECHO),
    (faults.exception(4), FailureReason.EXCEPTION_4),
    (faults.exception(5), FailureReason.EXCEPTION_5),
    (faults.exception(11), FailureReason.EXCEPTION_11),
    (faults.exception(77), FailureReason.EXCEPTION_OTHER),
]


@pytest.mark.parametrize(("fault", "reason"), UNKNOWN, ids=[f"{i}-{r}" for i, (_, r) in enumerate(UNKNOWN)])
def test_a_write_without_its_confirmation_is_unknown_and_never_sent_again(
    fault: Fault, reason: FailureReason
) -> None:
    began = time.monotonic()
    with FaultyModbusServer(then=fault) as server:
        with pytest.raises(ModbusWriteError) as raised:
            asyncio.run(write(server.port))
        assert len(server.requests) == 1
    assert (raised.value.outcome, raised.value.reason) == (WriteOutcome.UNKNOWN, reason)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("code", [1, 2, 3, 6, 10])
def test_a_device_that_says_no_has_refused(code: int) -> None:
    with FaultyModbusServer(then=faults.exception(code)) as server:
        with pytest.raises(ModbusWriteError, match=f"answered exception {code} ") as raised:
            asyncio.run(write(server.port))
        assert (len(server.requests), server.connections) == (1, 1)
    assert raised.value.outcome is WriteOutcome.REFUSED


def test_without_a_connection_nothing_was_sent() -> None:
    async def connect_and_write(port: int) -> None:
        await StrictModbusClient(LOOPBACK, port, UNIT, connect_timeout=1).write_register(ADDRESS, VALUE)

    with faults.refusing_port() as port, pytest.raises(ModbusWriteError) as raised:
        asyncio.run(connect_and_write(port))
    assert (raised.value.outcome, raised.value.reason) == (WriteOutcome.NOT_SENT, FailureReason.REFUSED)


@pytest.mark.parametrize(("address", "value"), [(-1, 0), (65536, 0), (0, -1), (0, 65536)])
def test_what_cannot_be_written_is_refused_before_it_is_sent(address: int, value: int) -> None:
    with FaultyModbusServer() as server:
        with pytest.raises(InvalidConfigurationError):
            asyncio.run(write(server.port, address, value))
        assert server.requests == []


def test_the_late_confirmation_of_one_write_is_none_of_the_next() -> None:
    async def two_writes(port: int) -> None:
        async with StrictModbusClient(LOOPBACK, port, UNIT, request_timeout=TIMEOUT_S) as client:
            with pytest.raises(ModbusWriteError):
                await client.write_register(ADDRESS, 1)
            with pytest.raises(ModbusWriteError) as second:
                await client.write_register(ADDRESS, 1)
            assert second.value.reason is FailureReason.WRONG_TRANSACTION

    async def with_the_first_ones_id(exchange: faults.Exchange) -> None:
        first = exchange.server.requests[0]
        await exchange.send(exchange.altered_answer(transaction_id=first.transaction_id))

    with FaultyModbusServer(script=[faults.silent, with_the_first_ones_id]) as server:
        asyncio.run(two_writes(server.port))
        assert len(server.requests) == 2


def test_a_write_and_reads_share_the_line_one_at_a_time() -> None:
    async def mixed(port: int) -> None:
        async with StrictModbusClient(LOOPBACK, port, UNIT, request_timeout=5) as client:
            reads = [client.read_block(ReadFunction.INPUT, a, 2) for a in range(0, 50, 10)]
            *answers, _ = await asyncio.gather(*reads, client.write_register(ADDRESS, VALUE))
            assert answers == [
                [register_value(UNIT, a), register_value(UNIT, a + 1)] for a in range(0, 50, 10)
            ]

    with FaultyModbusServer(then=faults.late(0.01)) as server:
        asyncio.run(mixed(server.port))
        assert (server.most_requests_in_flight, server.connections) == (1, 1)
