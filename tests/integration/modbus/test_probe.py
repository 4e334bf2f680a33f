"""The probe finds and names what is wrong with a device or its map, and finds nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.probe import Finding, ProbeReport, Severity, probe_device
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map
from sos_ops.modbus.simulator.faults import parse_faults
from sos_ops.modbus.simulator.map_server import MapServer, Simulation, serve_map
from tests.support.faulty_modbus import FaultyModbusServer, Request, honest, refusing_port, silent
from tests.support.faulty_modbus import exception as answers_exception

KETI = bundled_map("keti_bank")
GAPPED = ProtocolMap.model_validate(
    {
        "name": "gapped",
        "version": 1,
        "description": "wide points and gaps",
        "read_function": "holding",
        "addressing": "one_based",
        "max_gap": 4,
        "denied": [{"table": "holding", "address": 12, "why": "resets"}],
        "points": [
            {"name": "voltage", "address": 1, "type": "u32", "word_order": "high_first", "scale": 0.001,
             "unit": "V", "plausible": [0, 1500]},
            {"name": "current", "address": 3, "type": "f32", "word_order": "high_first", "unit": "A",
             "plausible": [-500, 500]},
            {"name": "soc", "address": 7, "type": "u16", "scale": 0.1, "unit": "%", "plausible": [0, 100]},
            {"name": "min_cell_voltage", "address": 8, "type": "u16", "scale": 0.001, "unit": "V", "plausible": [2, 5]},
            {"name": "max_cell_voltage", "address": 9, "type": "u16", "scale": 0.001, "unit": "V", "plausible": [2, 5]},
            {"name": "energy", "address": 10, "type": "u32", "word_order": "high_first", "unit": "kWh"},
            {"name": "min_cell_temperature", "address": 13, "type": "s16", "scale": 0.1, "unit": "°C",
             "plausible": [-40, 90]},
            {"name": "max_cell_temperature", "address": 15, "type": "s16", "scale": 0.1, "unit": "°C",
             "plausible": [-40, 90]},
            {"name": "cells", "address": 16, "type": "u16", "plausible": [1, 400]},
        ],
    }
)  # fmt: skip
"""Blocks on the wire: 0 to 10 with a gap at 4 and 5, 12 to 15 with a gap at 13."""


def probe(device: MapServer, protocol_map: ProtocolMap, samples: int = 3, **other: object) -> ProbeReport:
    address = DeviceAddress("bms", "127.0.0.1", device.port)
    arguments = {"pause_s": 0.0, "request_timeout_s": 1.0, **other}
    return probe_device(address, protocol_map, samples=samples, **arguments)  # type: ignore[arg-type]


def probe_with(
    *faults: str, protocol_map: ProtocolMap = GAPPED, device_map: ProtocolMap | None = None, samples: int = 3
) -> ProbeReport:
    """A probe of a device with `device_map` (default: the same) that has these faults."""
    simulation = Simulation(device_map or protocol_map, seed=2, faults=parse_faults(faults))
    with serve_map(simulation) as device:
        return probe(device, protocol_map, samples)


def found(report: ProbeReport, kind: str) -> Finding:
    """The one finding of a kind."""
    (finding,) = [finding for finding in report.findings if finding.kind == kind]
    return finding


def kinds(report: ProbeReport) -> set[str]:
    return {finding.kind for finding in report.findings if finding.severity is Severity.WRONG}


@pytest.mark.parametrize("name", ["keti_bank", "keti_testbed", "fenecon_home", "demo_rack"])
def test_a_device_that_is_as_its_map_says_is_well(name: str) -> None:
    report = probe_with(protocol_map=bundled_map(name), samples=2)
    assert report.exit_code == 0
    assert kinds(report) == set()
    assert all(len(series.registers) == 2 for series in report.points)
    assert report.plan_seconds is not None


def test_gaps_and_wide_points_alone_are_nothing_wrong() -> None:
    report = probe_with()
    assert report.findings == ()
    assert report.exit_code == 0


def test_swapped_words_are_named_with_the_order_to_write() -> None:
    report = probe_with("word-swap")
    finding = found(report, "word_order")
    assert set(finding.points) == {"voltage", "current", "energy"}
    assert "word_order: low_first" in finding.text
    assert report.exit_code == 1
    assert kinds(report) <= {"word_order", "implausible", "not_finite"}


def test_swapped_bytes_are_named() -> None:
    finding = found(probe_with("byte-swap", protocol_map=KETI), "byte_order")
    assert "byte_order: low_first" in finding.text


@pytest.mark.parametrize(("shift", "cure"), [(1, "raise every address by 1"), (-1, "addressing: one_based")])
def test_addresses_off_by_one_are_named_with_the_cure(shift: int, cure: str) -> None:
    padded = KETI.model_copy(
        update={
            "points": tuple(point.model_copy(update={"address": point.address + 1}) for point in KETI.points)
        }
    )
    finding = found(probe_with(f"shift:{shift}", protocol_map=padded), "shifted")
    assert "off by one" in finding.text
    assert cure in finding.text


def test_a_one_based_map_of_a_zero_based_manual_is_told_to_count_from_zero() -> None:
    finding = found(probe_with("shift:1"), "shifted")
    assert "addressing: zero_based" in finding.text


def test_a_device_that_reindexes_over_gaps_is_told_to_be_read_without_them() -> None:
    report = probe_with("reindex")
    findings = [finding for finding in report.findings if finding.kind == "reindexed"]
    assert findings
    assert all("max_gap: 0" in finding.text for finding in findings)
    assert "soc" in {name for finding in findings for name in finding.points}
    assert report.exit_code == 1


def test_with_max_gap_zero_the_same_device_is_well() -> None:
    report = probe_with("reindex", protocol_map=GAPPED.model_copy(update={"max_gap": 0}), device_map=GAPPED)
    assert kinds(report) == set()


def test_a_device_with_holes_is_read_point_by_point_and_told_to_be_read_without_gaps() -> None:
    report = probe_with("holes")
    findings = [finding for finding in report.findings if finding.kind == "block_refused"]
    assert len(findings) == 2
    assert all("max_gap: 0" in finding.text for finding in findings)
    assert all(series.registers for series in report.points)


def test_a_bad_register_is_named_and_its_neighbours_are_read_singly() -> None:
    report = probe_with("exception:2@9")
    finding = found(report, "refused")
    assert finding.points == ("max_cell_voltage",)
    assert "register 9: answered exception 2 (illegal data address)" in finding.text
    assert {series.point.name for series in report.points if not series.registers} == {"max_cell_voltage"}


def test_a_device_that_answers_fewer_registers_at_once_is_asked_for_fewer() -> None:
    def choose(request: Request) -> object:
        return answers_exception(3) if request.count > 8 else honest

    def value_of(unit_id: int, address: int) -> int:
        return [550, 970, 7500, 200, 150, 3710, 3690, 270, 250, 270, 250, 480, 440][address]

    with FaultyModbusServer(choose=choose, value_of=value_of) as server:  # type: ignore[arg-type]
        report = probe(server, KETI)  # type: ignore[arg-type]
    assert "max_registers_per_request smaller than 13" in found(report, "block_refused").text


def test_a_stuck_value_among_moving_ones_is_named() -> None:
    report = probe_with("stuck:max_module_temperature", protocol_map=KETI, samples=1)
    assert "stuck" not in {finding.kind for finding in report.findings}
    with serve_map(Simulation(KETI, faults=parse_faults(["stuck:max_module_temperature"]))) as device:
        report = probe(device, KETI, samples=25, pause_s=0.02)
    assert found(report, "stuck").points == ("max_module_temperature",)


def test_a_frozen_copy_is_said_to_stand_still() -> None:
    with serve_map(Simulation(KETI, faults=parse_faults(["stuck"]))) as device:
        report = probe(device, KETI, pause_s=0.1)
    assert "frozen" in found(report, "nothing_moved").text


def test_nothing_has_to_move_in_no_time() -> None:
    assert probe_with("stuck", protocol_map=KETI, samples=2).findings == ()


def test_off_by_one_is_not_taken_for_another_word_order_too() -> None:
    assert {"word_order", "byte_order"}.isdisjoint(kinds(probe_with("shift:1")))


def test_swapped_bytes_are_not_taken_for_a_reindexing_device_too() -> None:
    found_kinds = kinds(probe_with("byte-swap"))
    assert "byte_order" in found_kinds
    assert {"reindexed", "block_differs", "shifted"}.isdisjoint(found_kinds)


def test_not_implemented_and_implausible_values_are_named_with_what_is_plausible() -> None:
    simulation = Simulation(
        KETI, values={"max_cell_temperature": 500.0}, faults=parse_faults(["not-implemented:soh"])
    )
    with serve_map(simulation) as device:
        report = probe(device, KETI)
    assert "500 °C in 3 of 3 samples; plausible is -40 to 120" in found(report, "implausible").text
    assert found(report, "not_implemented").points == ("soh",)
    assert found(report, "not_implemented").severity is Severity.LOOK


def test_an_unknown_not_implemented_value_is_guessed() -> None:
    bare = KETI.model_copy(
        update={
            "points": tuple(
                p.model_copy(update={"not_implemented": (), "plausible": None}) for p in KETI.points
            )
        }
    )
    with serve_map(Simulation(bare, values={"soc": -3276.8})) as device:
        report = probe(device, bare)
    assert "not_implemented: [0x8000]" in found(report, "looks_not_implemented").text


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("wrong-tid:0.3", "wrong_transaction", "transaction ids"),
        ("zero-tid:0.3", "wrong_transaction", "transaction ids"),
        ("wrong-unit:0.3", "wrong_unit", "unit id"),
        ("wrong-function:0.3", "wrong_function", "read_function"),
        ("short:0.3", "short_answer", "max_registers_per_request"),
        ("reset:0.3", "connection_lost", "one connection only"),
        ("busy:0.3", "exception_6", "pause_between_requests_s"),
    ],
)
def test_a_converters_habits_are_named_with_what_to_do(fault: str, kind: str, says: str) -> None:
    report = probe_with(fault, protocol_map=KETI, samples=8)
    assert says in found(report, kind).text
    assert report.exit_code == 1


def test_a_refused_connection_cannot_be_reached() -> None:
    with refusing_port() as port:
        report = probe_device(DeviceAddress("bms", "127.0.0.1", port), KETI)
    assert report.exit_code == 2
    assert report.unreachable is not None
    assert "refused" in report.unreachable


def test_a_silent_unit_cannot_be_reached_and_is_left_alone_soon() -> None:
    with FaultyModbusServer(then=silent) as server:
        report = probe(server, bundled_map("keti_testbed"), request_timeout_s=0.2)  # type: ignore[arg-type]
        assert len(server.requests) == 3
    assert report.exit_code == 2
    assert report.unreachable is not None
    assert "did not answer" in report.unreachable


def test_a_unit_that_its_gateway_does_not_know_cannot_be_reached() -> None:
    with serve_map(Simulation(KETI, unit_id=9)) as device:
        report = probe(device, KETI)
    assert report.exit_code == 2


def test_a_device_that_falls_silent_is_said_to_have_been_cut_short() -> None:
    with FaultyModbusServer(script=[honest, honest, honest], then=silent) as server:
        report = probe(server, GAPPED, request_timeout_s=0.2)  # type: ignore[arg-type]
    assert "silent" in found(report, "cut_short").text
    assert report.exit_code == 1


def test_denied_registers_are_never_asked_for_and_nothing_outside_the_plan_is() -> None:
    with FaultyModbusServer() as server:
        probe(server, GAPPED)  # type: ignore[arg-type]
        asked = {
            address for one in server.requests for address in range(one.address, one.address + one.count)
        }
        functions = {request.function_code for request in server.requests}
        assert server.most_requests_in_flight == 1
        assert server.most_connections_at_once == 1
    assert 11 not in asked
    assert asked <= set(range(16))
    assert functions == {3}


def test_the_plan_is_measured_at_the_devices_own_pace() -> None:
    with serve_map(Simulation(KETI, faults=parse_faults(["late:0.05"]))) as device:
        report = probe(device, KETI, samples=1)
    assert report.request_seconds[0] >= 0.05
    assert report.plan_seconds is not None
    assert report.plan_seconds >= 0.05
