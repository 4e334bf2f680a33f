"""1,000 answers gone wrong over real TCP."""

from __future__ import annotations

import asyncio
import random

from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import ModbusReadError
from sos_ops.modbus.protocol_map import ReadFunction
from tests.support.faulty_modbus import LOOPBACK, Exchange, FaultyModbusServer, register_value
from tests.support.mutation import MUTATIONS, differs_only_in_registers, in_chunks

FRAMES = 1000


def test_a_thousand_mutated_answers_over_tcp_yield_the_right_registers_or_an_error() -> None:
    chance = random.Random(42)  # noqa: S311
    before = [b"\x00\x01\x00\x00\x00\x05\x01\x04\x02\x00\x07"]

    async def mutated(exchange: Exchange) -> None:
        frame = exchange.honest_answer()
        stream = frame
        while stream == frame or differs_only_in_registers(stream, frame):
            stream = chance.choice(MUTATIONS)(chance, frame, before[0])
        before[0] = frame
        for chunk in in_chunks(chance, stream):
            await exchange.send(chunk)
        exchange.hang_up()

    async def read_all(port: int) -> int:
        refused = 0
        client = StrictModbusClient(LOOPBACK, port, connect_timeout=5, request_timeout=5)
        for _ in range(FRAMES):
            address, count, unit = chance.randrange(1000), chance.randrange(1, 20), chance.randrange(1, 248)
            try:
                answer = await client.read_block(ReadFunction.INPUT, address, count, unit_id=unit)
            except ModbusReadError:
                refused += 1
            else:
                assert answer == [register_value(unit, address + i) for i in range(count)]
        client.close()
        return refused

    with FaultyModbusServer(then=mutated) as server:
        refused = asyncio.run(read_all(server.port))
    assert refused > FRAMES / 2
