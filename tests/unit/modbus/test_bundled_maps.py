"""The maps that come with the platform, against the facts they were written from."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sos_ops.errors import UnknownNameError
from sos_ops.modbus.decode import Quality, decode_point, flag_names
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import (
    Danger,
    PointType,
    ReadFunction,
    RegisterRange,
    bundled_map,
    bundled_map_names,
)

BANK_POINTS = (
    "soc soh voltage current power max_cell_voltage min_cell_voltage max_cell_temperature min_cell_temperature"
    " max_module_temperature min_module_temperature max_humidity min_humidity"
)
RACK_SCALES = "0.1 0.1 0.1 0.1 0.001 1 0.001 1 0.001 0.001 0.1 1 0.1 1 0.1 0.1 1 0.1 1 0.1 1 0.1 1"
"""As the consortium's collector multiplies the 23 registers of a rack."""
PCS_SCALES = "0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.01 0.1 1 0.1 1 1 1 1 1 0.01 0.1"


def test_every_bundled_map_loads_and_bears_its_files_name() -> None:
    assert bundled_map_names() == ["demo_rack", "fenecon_home", "keti_bank", "keti_testbed"]
    assert [bundled_map(name).name for name in bundled_map_names()] == bundled_map_names()


def test_an_unknown_map_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no protocol map 'nope'; there are: .*keti_bank"):
        bundled_map("nope")


def test_the_keti_bank_is_registers_0_to_12_of_function_4_as_the_bms_has_them() -> None:
    bank = bundled_map("keti_bank")
    assert bank.read_function.code == 4
    assert [bank.registers_of(point) for point in bank.points] == [
        RegisterRange(ReadFunction.INPUT, address, 1) for address in range(13)
    ]
    assert {point.type for point in bank.points} == {PointType.S16}
    assert [point.scale for point in bank.points] == [Decimal("0.1")] * 5 + [Decimal("0.001")] * 2 + [
        Decimal("0.1")
    ] * 6
    assert all(point.not_implemented_patterns == {0x8000} for point in bank.points)
    assert " ".join(point.name for point in bank.points) == BANK_POINTS


def test_the_demo_rack_shows_what_the_keti_bank_shows_and_a_limit_that_exists_nowhere_else() -> None:
    demo = bundled_map("demo_rack")
    assert demo.points[:13] == bundled_map("keti_bank").points
    assert [point.name for point in demo.points[13:]] == ["current_limit"]
    assert [(b.function, b.start, b.count) for b in plan_blocks(demo)] == [
        (ReadFunction.INPUT, 0, 13),
        (ReadFunction.HOLDING, 140, 1),
    ]
    assert all(writable.demo_only for writable in demo.writable_points)


@pytest.mark.parametrize("name", sorted({*bundled_map_names()} - {"demo_rack"}))
def test_only_the_demo_may_be_written(name: str) -> None:
    assert bundled_map(name).writable_points == ()


@pytest.mark.parametrize("name", ["demo_rack", "keti_bank", "keti_testbed"])
def test_the_register_that_resets_the_controller_is_denied_and_the_reading_of_its_number_is_not(
    name: str,
) -> None:
    keti = bundled_map(name)
    assert keti.denied_ranges == (RegisterRange(ReadFunction.HOLDING, 99, 1),)
    assert "resets the BMS controller" in keti.denied[0].why
    assert keti.forbidden.first_in(RegisterRange(ReadFunction.INPUT, 0, 65_536)) is None


def test_the_keti_testbed_has_every_register_the_collector_reads_and_no_other() -> None:
    testbed = bundled_map("keti_testbed")
    spans = ((0, 219), (1000, 1477), (2000, 2053), (3000, 3005), (5000, 6835))
    assert sorted(point.address for point in testbed.points) == [
        address for first, last in spans for address in range(first, last + 1)
    ]
    assert {point.function for point in testbed.points} == {ReadFunction.INPUT}
    assert testbed.points[:13] == bundled_map("keti_bank").points


def test_the_keti_racks_are_scaled_as_the_collector_scales_them() -> None:
    testbed = bundled_map("keti_testbed")
    at = {point.address: point for point in testbed.points}
    for rack in range(9):
        own = [at[13 + 23 * rack + place] for place in range(23)]
        assert " ".join(str(point.scale) for point in own) == RACK_SCALES
        assert {point.type for point in own} == {PointType.S16}
        assert all(point.name.startswith(f"rack{rack + 1}_") for point in own)
        named = [point.name for point in own if point.name.endswith("_position")]
        assert [name.removesuffix("_position") for name in named] == [
            own[place].name for place in (4, 6, 10, 12, 15, 17, 19, 21)
        ]


def test_the_keti_flags_are_one_register_each_and_a_flag_that_is_neither_0_nor_1_is_marked() -> None:
    testbed = bundled_map("keti_testbed")
    assert testbed.point("bank_flag1_state").address == 1000
    assert testbed.point("bank_flag46_state").address == 1045
    assert testbed.point("rack1_flag1_state").address == 1046
    assert testbed.point("rack9_flag48_state").address == 1477
    flag = testbed.point("rack5_flag20_state")
    assert [decode_point(flag, [raw]).quality for raw in (0, 1, 2)] == [
        Quality.GOOD,
        Quality.GOOD,
        Quality.IMPLAUSIBLE_DANGEROUS,
    ]


def test_the_keti_pcs_is_scaled_as_far_as_its_scales_are_known() -> None:
    testbed = bundled_map("keti_testbed")
    at = {point.address: point for point in testbed.points}
    assert [at[2000 + place].name for place in range(54)] == [f"pcs{n}_value" for n in range(1, 55)]
    assert " ".join(str(at[2000 + place].scale) for place in range(54)) == PCS_SCALES + 33 * " 1"


def test_the_keti_cells_are_tenths_of_a_millivolt_unsigned_in_racks_modules_and_cells() -> None:
    testbed = bundled_map("keti_testbed")
    for name, address in (
        ("rack1_module1_cell1_voltage", 5000),
        ("rack1_module1_cell12_voltage", 5011),
        ("rack1_module2_cell1_voltage", 5012),
        ("rack2_module1_cell1_voltage", 5204),
        ("rack9_module17_cell12_voltage", 6835),
    ):
        assert testbed.point(name).address == address
    # 4.0864 V does not fit a signed register.
    assert decode_point(testbed.point("rack3_module12_cell7_voltage"), [40_864]).value == 4.0864


@pytest.mark.parametrize("name", bundled_map_names())
def test_danger_lies_where_a_point_is_read_to_see_it(name: str) -> None:
    for point in bundled_map(name).points:
        own = point.name.rsplit("rack", 1)[-1]
        if point.plausible is None or point.name.startswith("cells_per"):
            continue
        if "max_" in own or own.endswith("_gap") or own.endswith("_limit"):
            assert point.danger is Danger.HIGH, point.name
        elif "min_" in own or own.endswith("soh"):
            assert point.danger is Danger.LOW, point.name
        else:
            assert point.danger is Danger.BOTH, point.name


def test_every_name_with_a_unit_of_its_own_has_it() -> None:
    units = {"voltage": "V", "current": "A", "temperature": "°C", "humidity": "%", "soc": "%", "soh": "%"}
    for name in bundled_map_names():
        for point in bundled_map(name).points:
            last = point.name.rsplit("_", 1)[-1]
            if point.type.is_number and last in units:
                assert point.unit == units[last], point.name


def test_the_fenecon_home_is_one_request_of_function_3() -> None:
    home = bundled_map("fenecon_home")
    assert [(b.function.code, b.start, b.count) for b in plan_blocks(home)] == [(3, 500, 29)]
    assert sorted(point.address for point in home.points) == list(range(500, 529))
    assert home.denied_ranges == (RegisterRange(ReadFunction.HOLDING, 44_000, 1),)
    assert decode_point(home.point("current"), [0xFFF6]).value == -1.0
    assert decode_point(home.point("max_cell_voltage"), [3650]).value == 3.65
    assert flag_names(home.point("level2_alarms"), float(1 << 4 | 1 << 14)) == [
        "over_temperature",
        "hardware_failed",
    ]
