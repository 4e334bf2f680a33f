"""The strict client by itself: what it does with its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from unittest.mock import Mock

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.answer import ReadRequest, UnacceptableAnswerError, judge_answer
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.link import Link, frame_of
from sos_ops.modbus.protocol_map import ReadFunction
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, register_value


def held(address: int, count: int, unit: int = 1) -> list[int]:
    return [register_value(unit, address + i) for i in range(count)]


def with_client(server: FaultyModbusServer, use: Callable[[StrictModbusClient], Awaitable[None]]) -> None:
    async def connect_and_use() -> None:
        async with StrictModbusClient(
            LOOPBACK, server.port, 1, connect_timeout=2, request_timeout=0.3
        ) as client:
            await use(client)

    asyncio.run(connect_and_use())


def test_it_reads_one_register_and_the_most_the_protocol_allows() -> None:
    async def use(client: StrictModbusClient) -> None:
        assert await client.read_block(ReadFunction.INPUT, 0, 1) == held(0, 1)
        assert await client.read_block(ReadFunction.HOLDING, 65535 - 124, 125) == held(65535 - 124, 125)

    with FaultyModbusServer() as server:
        with_client(server, use)
    assert [request.function_code for request in server.requests] == [4, 3]
    assert server.connections == 1


@pytest.mark.parametrize(("address", "count"), [(0, 0), (0, 126), (-1, 1), (65535, 2)])
def test_what_no_request_can_ask_for_is_refused_before_it_is_sent(address: int, count: int) -> None:
    async def use(client: StrictModbusClient) -> None:
        with pytest.raises(InvalidConfigurationError, match="cannot be asked for"):
            await client.read_block(ReadFunction.INPUT, address, count)

    with FaultyModbusServer() as server:
        with_client(server, use)
    assert server.requests == []


def test_register_200_is_never_given_the_late_value_of_register_100() -> None:
    async def use(client: StrictModbusClient) -> None:
        with pytest.raises(ModbusReadError) as first:
            await client.read_block(ReadFunction.INPUT, 100, 1)
        assert first.value.reason is FailureReason.TIMEOUT
        with pytest.raises(ModbusReadError) as second:
            await client.read_block(ReadFunction.INPUT, 200, 1)
        assert second.value.reason is FailureReason.WRONG_TRANSACTION
        assert await client.read_block(ReadFunction.INPUT, 200, 1) == held(200, 1)

    late_as_zero = faults.answers_for_register(100, transaction_id=0)
    with FaultyModbusServer(script=[faults.silent, late_as_zero]) as server:
        with_client(server, use)
    assert server.connections == 3


def test_bytes_that_arrive_between_two_requests_cost_the_connection_not_the_value() -> None:
    async def use(client: StrictModbusClient) -> None:
        assert await client.read_block(ReadFunction.INPUT, 100, 2) == held(100, 2)
        await until(lambda: not client.connected)
        assert await client.read_block(ReadFunction.INPUT, 200, 2) == held(200, 2)

    async def again_a_moment_later(exchange: faults.Exchange) -> None:
        await faults.honest(exchange)
        await asyncio.sleep(0.05)
        await faults.honest(exchange)

    with FaultyModbusServer(script=[again_a_moment_later]) as server:
        with_client(server, use)
    assert server.connections == 2


def test_a_connection_closed_by_the_device_between_two_requests_is_opened_again_unnoticed() -> None:
    async def use(client: StrictModbusClient) -> None:
        assert await client.read_block(ReadFunction.INPUT, 100, 2) == held(100, 2)
        await until(lambda: not client.connected)
        assert await client.read_block(ReadFunction.INPUT, 200, 2) == held(200, 2)

    async def answer_and_hang_up(exchange: faults.Exchange) -> None:
        await faults.honest(exchange)
        exchange.hang_up()

    with FaultyModbusServer(script=[answer_and_hang_up]) as server:
        with_client(server, use)


def test_a_cancelled_read_closes_the_connection_and_leaves_nothing_to_the_next() -> None:
    async def use(client: StrictModbusClient) -> None:
        reading = asyncio.create_task(client.read_block(ReadFunction.INPUT, 100, 2, request_timeout=30))
        await until(lambda: len(server.requests) == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not client.connected
        assert await client.read_block(ReadFunction.INPUT, 200, 2) == held(200, 2)

    with FaultyModbusServer(script=[faults.late(0.2)]) as server:
        with_client(server, use)
    assert [request.connection for request in server.requests] == [1, 2]


def test_reads_asked_for_at_once_go_out_one_after_the_other() -> None:
    async def use(client: StrictModbusClient) -> None:
        addresses = range(0, 400, 50)
        answers = await asyncio.gather(*(client.read_block(ReadFunction.INPUT, a, 3) for a in addresses))
        assert answers == [held(a, 3) for a in addresses]

    with FaultyModbusServer(then=faults.late(0.01)) as server:
        with_client(server, use)
    assert (server.most_requests_in_flight, server.connections) == (1, 1)


def test_a_reset_is_noticed_at_once_and_not_only_at_the_timeout() -> None:
    async def use(client: StrictModbusClient) -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModbusReadError) as raised:
            await client.read_block(ReadFunction.INPUT, 0, 1, request_timeout=30)
        assert raised.value.reason is FailureReason.CONNECTION_LOST
        assert asyncio.get_running_loop().time() - began < 5

    with FaultyModbusServer(then=faults.reset) as server:
        with_client(server, use)


def test_a_name_with_several_addresses_that_all_refuse_is_a_refusal() -> None:
    async def connect(port: int) -> None:
        async with StrictModbusClient("localhost", port):
            pass

    with faults.refusing_port() as port, pytest.raises(ModbusReadError) as raised:
        asyncio.run(connect(port))
    assert raised.value.reason is FailureReason.REFUSED


def test_an_unknown_host_name_says_so() -> None:
    async def connect() -> None:
        async with StrictModbusClient("no-such-gateway.invalid", 502, connect_timeout=20):
            pass

    with pytest.raises(ModbusReadError, match=r"host name no-such-gateway.invalid is not known") as raised:
        asyncio.run(connect())
    assert raised.value.reason is FailureReason.UNREACHABLE


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example"])
def test_a_host_name_that_cannot_be_looked_up_at_all_is_not_known(name: str) -> None:
    async def connect() -> None:
        async with StrictModbusClient(name, 502, connect_timeout=20):
            pass

    with pytest.raises(ModbusReadError, match=f"host name {name} is not known") as raised:
        asyncio.run(connect())
    assert raised.value.reason is FailureReason.UNREACHABLE


def test_bytes_right_behind_an_exception_answer_make_it_unbelievable_too() -> None:
    async def exchange() -> None:
        link = Link()
        link.connection_made(Mock(spec=asyncio.Transport))
        request = ReadRequest(7, 1, 4, 100, 2)
        asked = asyncio.create_task(link.exchange(frame_of(request), partial(judge_answer, request), 5))
        await asyncio.sleep(0)
        link.data_received(bytes.fromhex("000700000003018402"))
        link.data_received(b"\x00")
        with pytest.raises(UnacceptableAnswerError) as raised:
            await asked
        assert raised.value.reason is FailureReason.MALFORMED

    asyncio.run(exchange())


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
