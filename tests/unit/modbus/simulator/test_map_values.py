"""What a simulated device shows of any map is plausible, moves slowly, and is the same for the same seed."""

from __future__ import annotations

import pytest

from sos_ops.modbus.decode import Quality, decode_point
from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.protocol_map import Point, ProtocolMap, bundled_map, bundled_map_names
from sos_ops.modbus.simulator.map_values import is_measured, text_of, value_of

MAPS = [bundled_map(name) for name in bundled_map_names()]


def shown(point: Point, seed: int, seconds: float) -> object:
    return decode_point(point, encode_point(point, value_of(point, seed, seconds)))


@pytest.mark.parametrize("protocol_map", MAPS, ids=lambda one: one.name)
@pytest.mark.parametrize("seconds", [0.0, 77.7, 3600.0])
def test_every_value_of_every_bundled_map_is_good(protocol_map: ProtocolMap, seconds: float) -> None:
    for point in protocol_map.points:
        decoded = decode_point(point, encode_point(point, value_of(point, 3, seconds)))
        assert decoded.quality is Quality.GOOD, point.name
        assert decoded.value is not None, point.name


@pytest.mark.parametrize("protocol_map", MAPS, ids=lambda one: one.name)
def test_the_same_seed_and_time_show_the_same_and_another_seed_another(protocol_map: ProtocolMap) -> None:
    first, again, other = ([shown(point, seed, 40.0) for point in protocol_map.points] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_measured_values_move_from_second_to_second_and_only_a_little() -> None:
    for point in bundled_map("keti_bank").points:
        values = [value_of(point, 3, second / 4) for second in range(40)]
        assert is_measured(point)
        assert len(set(values)) > 1, point.name
        assert max(values) - min(values) <= 40 * float(point.scale), point.name


def test_the_smallest_stays_below_the_largest() -> None:
    points = bundled_map("keti_bank").points_by_name
    for quantity in ("cell_voltage", "cell_temperature", "module_temperature", "humidity"):
        for second in range(0, 1000, 7):
            low, high = (value_of(points[f"{end}_{quantity}"], 3, second) for end in ("min", "max"))
            assert low < high, (quantity, second)


def test_nearly_all_flags_are_off() -> None:
    flags = [point for point in bundled_map("keti_testbed").points if "flag" in point.name]
    on = sum(value_of(flag, 3, 0.0) for flag in flags)
    assert len(flags) == 478
    assert 0 < on < 0.05 * len(flags)


def test_a_cell_shows_a_cells_voltage_and_a_gap_a_gaps() -> None:
    points = bundled_map("keti_testbed").points_by_name
    assert 3.6 < value_of(points["rack3_module12_cell7_voltage"], 3, 5.0) < 3.8
    assert 0.0 < value_of(points["rack1_cell_voltage_gap"], 3, 5.0) < 0.1


def test_text_is_cut_to_its_room() -> None:
    point = Point.model_validate({"name": "serial_number", "address": 0, "type": "string", "length": 4})
    assert text_of(point) == "SIM seri"
    assert decode_point(point, encode_point(point, text_of(point))).text == "SIM seri"
