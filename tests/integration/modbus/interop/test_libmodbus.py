"""Our client and reader against a server of libmodbus, the C library many devices and gateways are built with."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sos_ops.clock import system_now
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import FailureReason, ModbusReadError, ModbusWriteError, WriteOutcome
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome
from sos_ops.modbus.probe import probe_device
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction
from sos_ops.modbus.reader import poll_devices
from tests.integration.modbus.interop.libmodbus_server import COUNT, FIRST, INSTALL, libmodbus

pytestmark = pytest.mark.skipif(libmodbus() is None, reason=f"libmodbus is not installed: {INSTALL}")

INPUT, HOLDING = ReadFunction.INPUT, ReadFunction.HOLDING
DEADLINE_S = 20.0

MAP = ProtocolMap.model_validate(
    {
        "name": "libmodbus",
        "version": 1,
        "description": "every register of the server, from both tables",
        "read_function": "input",
        "addressing": "zero_based",
        "points": [
            {"name": f"{table}_{address}", "address": address, "type": "u16", "function": table}
            for table in ("input", "holding")
            for address in range(FIRST, FIRST + COUNT)
        ],
    }
)


@contextmanager
def running_libmodbus() -> Iterator[int]:
    """A server in a process of its own; its port."""
    module = "tests.integration.modbus.interop.libmodbus_server"
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def test_every_register_of_both_tables_is_read_under_its_own_name() -> None:
    with running_libmodbus() as port:
        job = DeviceJob(DeviceAddress("c", "127.0.0.1", port), MAP)
        (result,) = poll_devices([job], DEADLINE_S, system_now)
    assert result.outcome is PollOutcome.COMPLETE, result.reason
    expected = {f"input_{a}": 1000.0 + a for a in range(FIRST, FIRST + COUNT)}
    expected |= {f"holding_{a}": 2000.0 + a for a in range(FIRST, FIRST + COUNT)}
    assert {reading.point: reading.value for reading in result.points} == expected


def test_the_probe_finds_nothing_wrong() -> None:
    with running_libmodbus() as port:
        report = probe_device(DeviceAddress("c", "127.0.0.1", port), MAP, samples=2, pause_s=0.0)
    assert report.exit_code == 0, report.findings


@pytest.mark.parametrize(("address", "count"), [(FIRST - 1, 1), (FIRST + COUNT - 1, 2), (0, 125)])
def test_registers_that_are_not_there_are_an_exception_and_the_connection_goes_on(
    address: int, count: int
) -> None:
    async def scene(port: int) -> tuple[FailureReason, list[int]]:
        async with StrictModbusClient("127.0.0.1", port) as client:
            with pytest.raises(ModbusReadError) as refused:
                await client.read_block(INPUT, address, count)
            return refused.value.reason, await client.read_block(HOLDING, FIRST, 2)

    with running_libmodbus() as port:
        reason, after = asyncio.run(scene(port))
    assert reason is FailureReason.EXCEPTION_2
    assert after == [2000 + FIRST, 2001 + FIRST]


def test_a_register_is_written_once_and_reads_back() -> None:
    async def scene(port: int) -> tuple[list[int], ModbusWriteError]:
        async with StrictModbusClient("127.0.0.1", port) as client:
            await client.write_register(FIRST + 5, 4321)
            with pytest.raises(ModbusWriteError) as refused:
                await client.write_register(FIRST + COUNT, 1)
            return await client.read_block(HOLDING, FIRST + 4, 3), refused.value

    with running_libmodbus() as port:
        registers, refused = asyncio.run(scene(port))
    assert registers == [2004 + FIRST, 4321, 2006 + FIRST]
    assert (refused.outcome, refused.reason) == (WriteOutcome.REFUSED, FailureReason.EXCEPTION_2)
