"""Protocol maps: what a file may say, and what is said of a wrong one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.protocol_map import (
    Danger,
    PointType,
    ReadFunction,
    bundled_map,
    bundled_map_names,
    load_map,
)

HEAD = """\
name: rack
version: 1
description: a rack
read_function: holding
addressing: zero_based
"""
GOOD = (
    HEAD
    + """\
points:
  - {name: soc, address: 0, type: u16}
  - {name: energy, address: 1, type: u32, word_order: low_first}
"""
)


def load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text(text, encoding="utf-8")
    load_map(path)


def test_a_good_file_is_a_map(tmp_path: Path) -> None:
    path = tmp_path / "rack.yaml"
    path.write_text(GOOD, encoding="utf-8")
    rack = load_map(path)
    assert (rack.name, rack.version, rack.read_function) == ("rack", 1, ReadFunction.HOLDING)
    assert rack.max_registers_per_request == 125
    assert rack.point("energy").registers == 2
    assert rack.point("soc").danger is Danger.BOTH


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("type: u16", "type: u17"), "point soc: type: Input should be 's16', 'u16'"),
        (("type: u16", "type: u16, scale: 0"), "point soc: scale 0 makes every value the same"),
        (("type: u16", "type: u16, scale: .nan"), "point soc: scale: Input should be a finite number"),
        (("type: u16", "type: u16, offset: .inf"), "point soc: offset: Input should be a finite number"),
        (("type: u16", "type: u16, sclae: 2"), "point soc: sclae: is no field of a protocol map"),
        (
            ("type: u16", "type: u16, not_implemented: [0x10000]"),
            "point soc: not_implemented value 65536 does not fit",
        ),
        (("type: u16", "type: u16, plausible: [5, 5]"), r"point soc: plausible must be \[lowest, highest\]"),
        (
            ("type: u16", "type: u16, danger: up"),
            "point soc: danger: Input should be 'high', 'low' or 'both'",
        ),
        (("type: u16", "type: u16, word_order: high_first"), "point soc: word_order means nothing for u16"),
        ((", word_order: low_first", ""), "point energy: u32 has 2 registers: say word_order"),
        (("address: 1", "address: 0"), "point energy: register 0 belongs to soc already"),
        (("address: 0", "address: 2"), "point energy: register 2 belongs to soc already"),
        (("name: energy", "name: soc"), "point soc: the name is used twice"),
        (("address: 1", "address: 65535"), "point energy: address 65535 is outside zero_based registers"),
        (("zero_based", "one_based"), "point soc: address 0 is outside one_based registers"),
        (("addressing: zero_based\n", ""), "addressing: Field required"),
        (("points:", "denied_registers: [2]\npoints:"), "point energy: register 2 is denied"),
        (
            ("points:", "max_registers_per_request: 126\npoints:"),
            "max_registers_per_request: Input should be less",
        ),
        (
            ("points:", "max_registers_per_request: 1\npoints:"),
            "point energy: u32 is wider than max_registers",
        ),
        (("version: 1", "version: 0"), "version: Input should be greater"),
        (("version: 1", "version: 1\nversion: 2"), "is not valid YAML: 'version' is given twice"),
        (
            ("name: soc, address: 0", "name: soc, address: 0, address: 5"),
            "is not valid YAML: 'address' is given twice",
        ),
        (("name: soc, ", ""), "point number 1: name: Field required"),
        (("name: soc", "name: State of charge"), "point State of charge: name: String should match pattern"),
        ((GOOD, "just words"), "is no protocol map"),
        ((GOOD, ""), "is no protocol map"),
        ((GOOD, HEAD + "points: []"), "points: Tuple should have at least 1 item"),
        ((GOOD, HEAD + "points: soc"), "points: Input should be a valid tuple"),
        ((GOOD, HEAD + "points: [3]"), "point number 1: Input should be a valid dictionary"),
        ((GOOD, "name: [unclosed"), "is not valid YAML: "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_file_point_and_reason(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    with pytest.raises(InvalidConfigurationError, match=reason) as raised:
        load(tmp_path, text)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'rack.yaml'}: ")
    assert "\n" not in message


def test_a_file_that_is_not_there_or_not_text_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="cannot be read: No such file"):
        load_map(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidConfigurationError, match="is not UTF-8 text"):
        load_map(tmp_path / "binary.yaml")


def test_every_bundled_map_loads_and_bears_its_files_name() -> None:
    assert "keti_bank" in bundled_map_names()
    assert [bundled_map(name).name for name in bundled_map_names()] == bundled_map_names()


def test_an_unknown_map_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no protocol map 'nope'; there are: .*keti_bank"):
        bundled_map("nope")


def test_the_keti_bank_is_registers_0_to_12_of_function_4_as_the_bms_has_them() -> None:
    bank = bundled_map("keti_bank")
    assert bank.read_function.code == 4
    assert [bank.wire_address(point.address) for point in bank.points] == list(range(13))
    assert {point.type for point in bank.points} == {PointType.S16}
    assert [point.scale for point in bank.points] == [Decimal("0.1")] * 5 + [Decimal("0.001")] * 2 + [
        Decimal("0.1")
    ] * 6
    assert all(point.not_implemented_patterns == {0x8000} for point in bank.points)
    assert bank.denied_registers == (99,)
    assert " ".join(point.name for point in bank.points) == (
        "soc soh voltage current power max_cell_voltage min_cell_voltage max_cell_temperature min_cell_temperature"
        " max_module_temperature min_module_temperature max_humidity min_humidity"
    )


def test_a_map_knows_its_points_by_name_only() -> None:
    with pytest.raises(UnknownNameError, match="protocol map keti_bank has no point speed"):
        bundled_map("keti_bank").point("speed")
