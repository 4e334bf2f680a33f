"""A real Modbus client sees the rack through the server exactly as it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from sos_ops.clock import Now
from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.protocol_map import Addressing, Point, PointType, ProtocolMap, WordOrder, bundled_map
from sos_ops.modbus.simulator import state_file
from sos_ops.modbus.simulator.rack import build_rack
from sos_ops.modbus.simulator.sensors import measure
from sos_ops.modbus.simulator.server import AddressInUseError, serve_rack
from sos_ops.settings import Scenario

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAP = bundled_map("keti_bank")
UNIT = 1
SEED = 3

Client = AsyncModbusTcpClient


class Clock:
    """A clock that shows what it is told to, and may move on each time it is looked at."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.moment = START
        self.step = timedelta(seconds=step_s)

    def now(self) -> datetime:
        self.moment += self.step
        return self.moment

    def go(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(
    folder: Path, now: Now, *, scenario: Scenario = Scenario.OVERHEAT, protocol_map: ProtocolMap = MAP
) -> AsyncIterator[int]:
    """A server that listens; gives its port. Ends it, and saves its rack, at the end."""
    listening, port = asyncio.Event(), free_port()
    serving = asyncio.create_task(
        serve_rack(
            host="127.0.0.1",
            port=port,
            unit_id=UNIT,
            protocol_map=protocol_map,
            scenario=scenario,
            now=now,
            state_dir=folder,
            seed=SEED,
            on_listening=listening.set,
        )
    )
    waiting = asyncio.create_task(listening.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    if serving.done():
        waiting.cancel()
        serving.result()
    try:
        yield port
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def read_all(client: Client) -> list[int]:
    answer = await client.read_input_registers(0, count=13, device_id=UNIT)
    assert not answer.isError(), answer
    return list(answer.registers)


def decoded(registers: list[int]) -> dict[str, float]:
    """The map's points by hand: signed 16 bits times scale."""
    signed = [register - 65536 if register >= 32768 else register for register in registers]
    return {point.name: float(Decimal(signed[point.address]) * point.scale) for point in MAP.points}


def measured(folder: Path) -> dict[str, float]:
    """What the saved rack measures."""
    saved = state_file.load(folder)
    assert saved is not None
    return measure(build_rack(saved.seed), saved.state)


@pytest.mark.parametrize("age_s", [0, 230, 1500])
def test_every_point_reads_as_the_rack_measures_it(tmp_path: Path, age_s: int) -> None:
    async def scene() -> list[int]:
        clock = Clock()
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            clock.go(age_s)
            return await read_all(client)

    values, expected = decoded(asyncio.run(scene())), measured(tmp_path)
    assert set(values) == set(expected)
    for point in MAP.points:
        assert abs(values[point.name] - expected[point.name]) <= float(point.scale) / 2 + 1e-9, point.name


def test_a_negative_current_reads_as_negative(tmp_path: Path) -> None:
    async def scene() -> list[int]:
        clock = Clock()
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            clock.go(1500)
            return await read_all(client)

    values = decoded(asyncio.run(scene()))
    assert values["current"] < -10
    assert values["power"] < -5


REFUSED: list[tuple[str, int, Callable[[Client], Awaitable[ModbusPDU]]]] = [
    ("another unit", 11, lambda c: c.read_input_registers(0, count=13, device_id=2)),
    ("another unit's coils", 11, lambda c: c.read_coils(0, count=8, device_id=7)),
    ("unit 0", 11, lambda c: c.read_input_registers(0, count=1, device_id=0)),
    ("the address after the last", 2, lambda c: c.read_input_registers(13, device_id=UNIT)),
    ("a range that leaves the map", 2, lambda c: c.read_input_registers(5, count=20, device_id=UNIT)),
    ("the last address there is", 2, lambda c: c.read_input_registers(65535, count=1, device_id=UNIT)),
    ("past the last address there is", 2, lambda c: c.read_input_registers(65535, count=2, device_id=UNIT)),
    ("holding registers", 1, lambda c: c.read_holding_registers(0, count=13, device_id=UNIT)),
    ("coils", 1, lambda c: c.read_coils(0, count=8, device_id=UNIT)),
    ("discrete inputs", 1, lambda c: c.read_discrete_inputs(0, count=8, device_id=UNIT)),
    ("writing a register", 1, lambda c: c.write_register(0, 1, device_id=UNIT)),
    ("writing registers", 1, lambda c: c.write_registers(0, [1, 2], device_id=UNIT)),
    ("writing a coil", 1, lambda c: c.write_coil(0, True, device_id=UNIT)),
    ("mask write", 1, lambda c: c.mask_write_register(address=0, device_id=UNIT)),
]


@pytest.mark.parametrize(("_what", "code", "ask"), REFUSED, ids=[what for what, _, _ in REFUSED])
def test_what_the_rack_does_not_have_is_refused_with_its_exception(
    tmp_path: Path, _what: str, code: int, ask: Callable[[Client], Awaitable[ModbusPDU]]
) -> None:
    async def scene() -> tuple[ModbusPDU, list[int], list[int]]:
        clock = Clock()
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            before = await read_all(client)
            refused = await ask(client)
            return refused, before, await read_all(client)

    refused, before, after = asyncio.run(scene())
    assert refused.isError()
    assert refused.exception_code == code
    assert after == before


def test_all_registers_of_an_answer_are_of_one_moment_while_the_clock_races(tmp_path: Path) -> None:
    async def ask_often(port: int) -> list[dict[str, float]]:
        async with connected(port) as client:
            return [decoded(await read_all(client)) for _ in range(40)]

    async def scene() -> list[dict[str, float]]:
        clock = Clock(step_s=37)
        async with served(tmp_path, clock.now) as port:
            series = await asyncio.gather(*(ask_often(port) for _ in range(4)))
        return [values for one in series for values in one]

    answers = asyncio.run(scene())
    assert max(abs(a["current"]) for a in answers) > 50
    for values in answers:
        # Each of the three is rounded to 0.1: kW within 0.05 + 0.05 V * I + 0.05 A * V, all in thousandths.
        expected = values["voltage"] * values["current"] / 1000
        assert abs(values["power"] - expected) <= 0.05 + (0.05 * abs(values["current"]) + 0.05 * 800) / 1000


def test_a_clock_that_leaps_ahead_at_every_look_shows_an_incident_every_hour(tmp_path: Path) -> None:
    async def scene() -> list[float]:
        clock = Clock()
        temperatures = []
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            for _ in range(350):
                clock.go(24)
                temperatures.append(decoded(await read_all(client))["max_cell_temperature"])
        return temperatures

    temperatures = asyncio.run(scene())
    hot = [value >= 50 for value in temperatures]
    incidents = sum(1 for before, after in zip([False, *hot], hot, strict=False) if after and not before)
    assert incidents in (2, 3)
    assert max(temperatures) <= 55.5
    saved = state_file.load(tmp_path)
    assert saved is not None
    assert saved.state.age_s >= 350 * 24


def test_a_clock_set_back_is_served_through(tmp_path: Path) -> None:
    async def scene() -> tuple[list[int], list[int], list[int]]:
        clock = Clock()
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            clock.go(300)
            before = await read_all(client)
            clock.go(-7200)
            back = await read_all(client)
            clock.go(600)
            return before, back, await read_all(client)

    before, back, after = asyncio.run(scene())
    assert back == before
    assert decoded(after)["max_cell_temperature"] < decoded(before)["max_cell_temperature"] - 3


def test_a_restarted_server_goes_on_with_the_rack_and_its_incident(tmp_path: Path) -> None:
    clock = Clock()

    async def read_after(seconds: float) -> dict[str, float]:
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            clock.go(seconds)
            return decoded(await read_all(client))

    first = asyncio.run(read_after(120))
    second = asyncio.run(read_after(90))
    assert 40 < first["max_cell_temperature"] < 46
    assert 49 < second["max_cell_temperature"] < 53
    assert second["soc"] < first["soc"]


def test_a_second_server_on_the_port_is_refused_and_leaves_the_first_ones_rack_alone(tmp_path: Path) -> None:
    clock = Clock()

    async def scene() -> None:
        async with served(tmp_path, clock.now) as port, connected(port) as client:
            clock.go(100)
            await read_all(client)
            file = tmp_path / state_file.FILE_NAME
            before = file.read_bytes()
            with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port}.*SOS_MODBUS_PORT"):
                await serve_rack(
                    host="127.0.0.1",
                    port=port,
                    unit_id=UNIT,
                    protocol_map=MAP,
                    scenario=Scenario.NORMAL,
                    now=clock.now,
                    state_dir=tmp_path,
                )
            assert file.read_bytes() == before
            await read_all(client)

    asyncio.run(scene())


def test_a_rack_that_cannot_be_saved_is_served_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "bms"
    in_the_way.write_text("a file where the folder should be")

    async def scene() -> list[int]:
        clock = Clock()
        async with served(in_the_way, clock.now) as port, connected(port) as client:
            return await read_all(client)

    assert len(asyncio.run(scene())) == 13
    assert sum("cannot save the rack" in message for message in caplog.messages) == 1


def test_another_map_is_served_where_it_says(tmp_path: Path) -> None:
    """One based addresses, and a point of two registers with the low one first."""
    wide = Point(
        name="voltage",
        address=101,
        type=PointType.S32,
        word_order=WordOrder.LOW_FIRST,
        scale=Decimal("0.001"),
    )
    moved = MAP.model_copy(update={"addressing": Addressing.ONE_BASED, "points": (wide,)})

    async def scene() -> tuple[list[int], bool]:
        clock = Clock()
        async with served(tmp_path, clock.now, protocol_map=moved) as port, connected(port) as client:
            answer = await client.read_input_registers(100, count=2, device_id=UNIT)
            beyond = await client.read_input_registers(101, count=2, device_id=UNIT)
            return list(answer.registers), beyond.isError()

    (low, high), beyond_is_refused = asyncio.run(scene())
    assert (high * 65536 + low) / 1000 == pytest.approx(measured(tmp_path)["voltage"], abs=0.001)
    assert beyond_is_refused


def test_a_map_with_a_point_no_rack_measures_is_refused_at_the_start(tmp_path: Path) -> None:
    wind = MAP.points[0].model_copy(update={"name": "wind_speed", "address": 40})
    windy = MAP.model_copy(update={"points": (*MAP.points, wind)})

    async def scene() -> None:
        async with served(tmp_path, Clock().now, protocol_map=windy):
            pass

    with pytest.raises(InvalidConfigurationError, match="wind_speed"):
        asyncio.run(scene())


def test_the_saved_rack_is_the_one_that_was_served(tmp_path: Path) -> None:
    clock = Clock()

    async def scene() -> None:
        async with served(tmp_path, clock.now):
            clock.go(77)

    asyncio.run(scene())
    saved = state_file.load(tmp_path)
    assert saved is not None
    assert saved.state.age_s == 77
    assert saved.seen_at == clock.moment
