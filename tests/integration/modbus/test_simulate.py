"""Any map is served as a device that has it, and misbehaves as it is asked to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason, ModbusReadError, ModbusWriteError, WriteOutcome
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction, bundled_map, bundled_map_names
from sos_ops.modbus.simulator.faults import parse_faults
from sos_ops.modbus.simulator.map_server import MapServer, Simulation, serve_map
from sos_ops.modbus.simulator.tcp_server import AddressInUseError

INPUT, HOLDING = ReadFunction.INPUT, ReadFunction.HOLDING
T = TypeVar("T")

EVERYTHING = ProtocolMap.model_validate(
    {
        "name": "everything",
        "version": 1,
        "description": "a point of every type, in both tables, with gaps and a denied register",
        "read_function": "holding",
        "addressing": "one_based",
        "max_gap": 4,
        "denied": [{"table": "holding", "address": 30, "why": "resets"}],
        "points": [
            {"name": "voltage", "address": 1, "type": "u16", "scale": 0.1, "unit": "V", "plausible": [0, 1000]},
            {"name": "energy", "address": 2, "type": "u32", "word_order": "low_first", "unit": "kWh"},
            {"name": "ratio", "address": 6, "type": "f32", "word_order": "high_first"},
            {"name": "total", "address": 8, "type": "f64", "word_order": "low_first"},
            {"name": "door", "address": 12, "type": "bit", "bit": 0},
            {"name": "fire", "address": 12, "type": "bit", "bit": 9},
            {"name": "faults", "address": 13, "type": "bits16", "flags": {"hot": 2}},
            {"name": "serial", "address": 14, "type": "string", "length": 8},
            {"name": "limit", "address": 29, "type": "u16", "unit": "A", "plausible": [0, 200]},
            {"name": "room", "address": 7, "type": "s16", "scale": 0.1, "unit": "°C", "function": "input",
             "not_implemented": [0x8000], "plausible": [-40, 90]},
        ],
        "writable_points": [
            {"name": "limit", "address": 41, "type": "u16", "scale": 0.01, "unit": "A", "minimum": 0,
             "maximum": 200, "readback": "limit", "readback_rounding": "down"},
        ],
    }
)  # fmt: skip


def ask(device: MapServer, scene: Callable[[StrictModbusClient], Awaitable[T]], timeout: float = 5.0) -> T:
    """What a scene over one connection comes to."""

    async def run() -> T:
        async with StrictModbusClient("127.0.0.1", device.port, request_timeout=timeout) as client:
            return await scene(client)

    return asyncio.run(run())


def values(device: MapServer, protocol_map: ProtocolMap) -> dict[str, object]:
    """Every point, decoded: its text, else its value, else its quality."""

    async def scene(client: StrictModbusClient) -> dict[str, object]:
        found: dict[str, object] = {}
        for block in plan_blocks(protocol_map):
            registers = await client.read_block(block.function, block.start, block.count)
            for point, judged in block.decode(registers):
                known = judged.text if judged.text is not None else judged.value
                found[point.name] = judged.quality if known is None else known
        return found

    return ask(device, scene)


@pytest.mark.parametrize("name", bundled_map_names())
def test_every_bundled_map_is_read_completely_and_every_value_is_good(name: str) -> None:
    protocol_map = bundled_map(name)
    with serve_map(protocol_map) as device:
        found = values(device, protocol_map)
    assert set(found) == set(protocol_map.points_by_name)
    assert not [value for value in found.values() if isinstance(value, Quality)]


def test_points_of_every_type_show_what_they_are_set_to() -> None:
    fixed = {"voltage": 712.3, "energy": 70_001.0, "ratio": 0.25, "total": -1e9, "fire": 1.0, "door": 0.0,
             "faults": 4.0, "room": -12.5}  # fmt: skip
    with serve_map(Simulation(EVERYTHING, values=fixed)) as device:
        found = values(device, EVERYTHING)
    assert {name: found[name] for name in fixed} == fixed
    assert found["serial"] == "SIM serial"


def test_the_same_seed_shows_the_same_registers() -> None:
    def shown(seed: int) -> list[dict[str, object]]:
        moment = iter(range(1000))
        with serve_map(Simulation(EVERYTHING, seed=seed, now=lambda: float(next(moment)) * 0)) as device:
            return [values(device, EVERYTHING) for _ in range(3)]

    assert shown(5) == shown(5)
    assert shown(5) != shown(6)


@pytest.mark.parametrize(
    ("function", "address", "count", "reason"),
    [
        (HOLDING, 29, 1, FailureReason.EXCEPTION_2),  # denied (30 in the map's own counting)
        (HOLDING, 27, 2, FailureReason.EXCEPTION_2),  # begins in front of the map's block
        (HOLDING, 40, 1, FailureReason.EXCEPTION_2),  # writable, but not a point to be read
        (INPUT, 7, 1, FailureReason.EXCEPTION_2),
        (INPUT, 65535, 1, FailureReason.EXCEPTION_2),
    ],
)
def test_what_the_map_does_not_have_is_refused(
    function: ReadFunction, address: int, count: int, reason: FailureReason
) -> None:
    with serve_map(EVERYTHING) as device, pytest.raises(ModbusReadError) as refused:
        ask(device, lambda client: client.read_block(function, address, count))
    assert refused.value.reason is reason


def test_another_unit_is_behind_no_gateway_of_ours() -> None:
    with serve_map(Simulation(EVERYTHING, unit_id=7)) as device:
        with pytest.raises(ModbusReadError) as refused:
            ask(device, lambda client: client.read_block(INPUT, 6, 1, unit_id=1))
        ask(device, lambda client: client.read_block(INPUT, 6, 1, unit_id=7))
    assert refused.value.reason is FailureReason.EXCEPTION_11


def test_a_written_value_is_shown_by_its_readback_and_told() -> None:
    with serve_map(EVERYTHING) as device:
        ask(device, lambda client: client.write_register(40, 5075))
        assert values(device, EVERYTHING)["limit"] == 50.0  # 50.75 A, cut off
        assert device.writes == [("limit", 50.75)]


@pytest.mark.parametrize(
    ("address", "raw", "reason"),
    [
        (40, 20_001, FailureReason.EXCEPTION_3),
        (41, 1, FailureReason.EXCEPTION_2),
        (0, 1, FailureReason.EXCEPTION_2),
    ],
)
def test_a_write_outside_the_limits_or_elsewhere_changes_nothing(
    address: int, raw: int, reason: FailureReason
) -> None:
    with serve_map(Simulation(EVERYTHING, values={"limit": 120.0})) as device:
        with pytest.raises(ModbusWriteError) as refused:
            ask(device, lambda client: client.write_register(address, raw))
        assert (refused.value.outcome, refused.value.reason) == (WriteOutcome.REFUSED, reason)
        assert values(device, EVERYTHING)["limit"] == 120.0
        assert device.writes == []


def test_firmware_without_a_range_check_takes_anything() -> None:
    with serve_map(Simulation(EVERYTHING, range_check=False)) as device:
        ask(device, lambda client: client.write_register(40, 50_000))
        assert device.writes == [("limit", 500.0)]


FAULTS = {
    "drop": FailureReason.TIMEOUT,
    "late:5": FailureReason.TIMEOUT,
    "drip:1": FailureReason.TIMEOUT,
    "reset": FailureReason.CONNECTION_LOST,
    "hang-up": FailureReason.CONNECTION_LOST,
    "wrong-tid": FailureReason.WRONG_TRANSACTION,
    "zero-tid": FailureReason.WRONG_TRANSACTION,
    "wrong-unit": FailureReason.WRONG_UNIT,
    "wrong-function": FailureReason.WRONG_FUNCTION,
    "short": FailureReason.SHORT_ANSWER,
    "long": FailureReason.LONG_ANSWER,
    "busy": FailureReason.EXCEPTION_6,
    "exception:4": FailureReason.EXCEPTION_4,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_what_the_strict_client_calls_it(fault: str) -> None:
    simulation = Simulation(bundled_map("keti_bank"), faults=parse_faults([fault]))
    with serve_map(simulation) as device, pytest.raises(ModbusReadError) as failed:
        ask(device, lambda client: client.read_block(INPUT, 0, 13), timeout=0.5)
    assert failed.value.reason is FAULTS[fault]


def test_a_late_answer_is_the_right_one() -> None:
    simulation = Simulation(bundled_map("keti_bank"), faults=parse_faults(["late:0.2"]))
    with serve_map(simulation) as device:
        began = time.monotonic()
        assert len(ask(device, lambda client: client.read_block(INPUT, 0, 13))) == 13
        assert time.monotonic() - began >= 0.2


def test_a_bad_register_spoils_what_touches_it_and_nothing_else() -> None:
    simulation = Simulation(EVERYTHING, faults=parse_faults(["exception:2@12"]))  # 11 on the wire

    async def scene(client: StrictModbusClient) -> list[object]:
        answers: list[object] = []
        for start, count in ((0, 11), (0, 12), (11, 1), (12, 1)):
            try:
                answers.append(len(await client.read_block(HOLDING, start, count)))
            except ModbusReadError as failure:
                answers.append(failure.reason)
        return answers

    with serve_map(simulation) as device:
        assert ask(device, scene) == [11, FailureReason.EXCEPTION_2, FailureReason.EXCEPTION_2, 1]


def test_probable_faults_hit_about_as_often_as_asked_and_the_same_requests_again() -> None:
    async def scene(client: StrictModbusClient) -> list[bool]:
        hits = []
        for _ in range(300):
            try:
                await client.read_block(INPUT, 0, 1)
                hits.append(False)
            except ModbusReadError:
                hits.append(True)
        return hits

    def hits(seed: int) -> list[bool]:
        simulation = Simulation(bundled_map("keti_bank"), seed=seed, faults=parse_faults(["busy:0.1"]))
        with serve_map(simulation) as device:
            return ask(device, scene)

    assert 10 <= sum(hits(1)) <= 60
    assert hits(1) == hits(1)
    assert hits(1) != hits(2)


def test_a_device_with_holes_refuses_a_block_over_a_gap_and_one_that_reindexes_fills_it() -> None:
    honest = {"values": {"ratio": 0.5}, "protocol_map": EVERYTHING}

    async def scene(client: StrictModbusClient) -> list[int]:
        return await client.read_block(
            HOLDING, 1, 6
        )  # energy at 1 and 2, nothing at 3 and 4, ratio at 5 and 6

    with serve_map(Simulation(**honest)) as device:
        plain = ask(device, scene)
    with (
        serve_map(Simulation(**honest, faults=parse_faults(["holes"]))) as device,
        pytest.raises(ModbusReadError) as refused,
    ):
        ask(device, scene)
    with serve_map(Simulation(**honest, faults=parse_faults(["reindex"]))) as device:
        moved = ask(device, scene)
    assert plain[2:4] == [0, 0]
    assert refused.value.reason is FailureReason.EXCEPTION_2
    assert moved[2:4] == plain[4:6]


def test_what_a_point_does_not_measure_reads_not_implemented() -> None:
    simulation = Simulation(EVERYTHING, faults=parse_faults(["not-implemented:room"]))
    with serve_map(simulation) as device:
        assert values(device, EVERYTHING)["room"] is Quality.NOT_IMPLEMENTED


def test_words_bytes_and_places_are_turned_as_asked() -> None:
    fixed = {"voltage": 466.0, "energy": float(0x12345678)}

    def registers(*faults: str) -> list[int]:
        with serve_map(Simulation(EVERYTHING, values=fixed, faults=parse_faults(faults))) as device:
            shift = 1 if "shift:1" in faults else 0
            return ask(device, lambda client: client.read_block(HOLDING, shift, 3))

    assert registers() == [0x1234, 0x5678, 0x1234]
    assert registers("word-swap") == [0x1234, 0x1234, 0x5678]
    assert registers("byte-swap") == [0x3412, 0x7856, 0x3412]
    assert registers("shift:1") == [0x1234, 0x5678, 0x1234]


def test_a_converter_with_one_connection_closes_the_second() -> None:
    simulation = Simulation(bundled_map("keti_bank"), faults=parse_faults(["one-connection"]))

    async def scene(first: StrictModbusClient) -> FailureReason | None:
        await first.read_block(INPUT, 0, 1)
        try:
            async with StrictModbusClient(first.host, first.port) as second:
                await second.read_block(INPUT, 0, 1)
        except ModbusReadError as failure:
            await first.read_block(INPUT, 0, 1)
            return failure.reason
        return None

    with serve_map(simulation) as device:
        assert ask(device, scene) is FailureReason.CONNECTION_LOST


def test_a_line_carries_one_request_at_a_time_whatever_the_connections_do() -> None:
    simulation = Simulation(bundled_map("keti_bank"), baud=9600, turnaround_s=0.1)

    async def scene(_: StrictModbusClient) -> float:
        clients = [StrictModbusClient("127.0.0.1", device.port) for _ in range(4)]
        began = time.monotonic()
        await asyncio.gather(*(client.read_block(INPUT, 0, 13) for client in clients))
        for client in clients:
            client.close()
        return time.monotonic() - began

    with serve_map(simulation) as device:
        # 46 characters of 11 bits at 9600 baud, and 0.1 s of thinking, four times.
        assert ask(device, scene) >= 4 * (46 * 11 / 9600 + 0.1)


def test_a_value_or_a_fault_of_a_point_that_is_not_there_is_refused_before_serving() -> None:
    for simulation, error in (
        (Simulation(EVERYTHING, values={"wind": 1.0}), UnknownNameError),
        (Simulation(EVERYTHING, values={"room": 1e6}), InvalidConfigurationError),
        (Simulation(EVERYTHING, faults=parse_faults(["stuck:wind"])), UnknownNameError),
        (Simulation(EVERYTHING, faults=parse_faults(["not-implemented:voltage"])), InvalidConfigurationError),
    ):
        with pytest.raises(error), serve_map(simulation):
            pass


def test_a_taken_port_is_said_in_one_line() -> None:
    with (
        serve_map(EVERYTHING) as device,
        pytest.raises(AddressInUseError, match=f"{device.port}.*--port"),
        serve_map(EVERYTHING, port=device.port),
    ):
        pass
