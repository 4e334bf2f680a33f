"""What is said of a map file that is wrong: one line with file, group, point, field and reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.protocol_map import ProtocolMap
from tests.support.map_files import GOOD, GROUPS, HEAD, load


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("type: u16", "type: u17"), "point soc: type: Input should be 's16', 'u16'"),
        (("type: u16", "type: u16, scale: 0"), "point soc: scale 0 makes every value the same"),
        (("type: u16", "type: u16, scale: .nan"), "point soc: scale: Input should be a finite number"),
        (("type: u16", "type: u16, offset: .inf"), "point soc: offset: Input should be a finite number"),
        (("type: u16", "type: u16, scale: true"), "point soc: scale: true and false are no numbers"),
        (("type: u16", "type: u16, scale: 1e999999999"), "point soc: scale: Input should be a finite number"),
        (
            ("type: u16", "type: u16, scale: 1e-300"),
            "point soc: scale: Decimal input should have no more than 30",
        ),
        (("type: u16", "type: u16, sclae: 2"), "point soc: sclae: is no field here: did you mean scale?"),
        (
            ("address: 0", "adress: 0"),
            r"point soc: adress: is no field here: did you mean address\? \(and 1 more\)",
        ),
        (("type: u16", "type: u16, wibble: 2"), "point soc: wibble: is no field here$"),
        (("points:", "point:"), "point: is no field here: did you mean points"),
        (("points:", "max_gaps: 3\npoints:"), "max_gaps: is no field here: did you mean max_gap"),
        (("address: 0", "address: 010"), "point soc: address: must be a whole number, decimal or 0x"),
        (("address: 0", "address: 1:30"), "point soc: address: must be a whole number"),
        (("address: 0", "address: true"), "point soc: address: must be a whole number"),
        (("address: 0", "address: '0'"), "point soc: address: must be a whole number"),
        (("address: 0", "address: 0.0"), "point soc: address: must be a whole number"),
        (("address: 0", "address: -1"), "point soc: address: Input should be greater than or equal to 0"),
        (("address: 0", "address: " + "9" * 5000), "point soc: address: must be a whole number"),
        (
            ("type: u16", "type: u16, not_implemented: [0x10000]"),
            "point soc: not_implemented value 65536 does not fit u16",
        ),
        (("type: u16", "type: u16, plausible: [5, 5]"), r"point soc: plausible must be \[lowest, highest\]"),
        (("type: u16", "type: u16, plausible: [9, 5]"), r"point soc: plausible must be \[lowest, highest\]"),
        (("type: u16", "type: u16, plausible: 5"), "point soc: plausible: must be a list"),
        (
            ("type: u16", "type: u16, danger: up"),
            "point soc: danger: Input should be 'high', 'low' or 'both'",
        ),
        (("type: u16", "type: u16, word_order: high_first"), "point soc: word_order means nothing for u16"),
        ((", word_order: low_first", ""), "point energy: u32 has 2 registers: say word_order"),
        (("type: u16", "type: string"), "point soc: string: say its length"),
        (
            ("type: u16", "type: string, length: 126"),
            "point soc: length: Input should be less than or equal to 125",
        ),
        (("type: u16", "type: string, length: 0"), "point soc: length: Input should be greater"),
        (("type: u16", "type: string, length: 1, scale: 2"), "point soc: scale means nothing for string"),
        (
            ("type: u16", "type: string, length: 1, not_implemented: [0]"),
            "point soc: not_implemented means nothing for string",
        ),
        (("type: u16", "type: u16, length: 2"), "point soc: length means nothing for u16"),
        (("type: u16", "type: bit"), "point soc: bit: say its bit"),
        (("type: u16", "type: bit, bit: 16"), "point soc: bit: Input should be less than or equal to 15"),
        (("type: u16", "type: u16, bit: 3"), "point soc: bit means nothing for u16"),
        (("type: u16", "type: bits16, plausible: [0, 1]"), "point soc: plausible means nothing for bits16"),
        (("type: u16", "type: u16, flags: {hot: 0}"), "point soc: flags mean nothing for u16"),
        (
            ("type: u16", "type: bits16, flags: {hot: 16}"),
            "point soc: flags: hot is bit 16, but bits16 ends at 15",
        ),
        (
            ("type: u16", "type: bits16, flags: {hot: 1, warm: 1}"),
            "point soc: flags: bit 1 is both hot and warm",
        ),
        (
            ("type: u16", "type: bits16, flags: {Hot: 1}"),
            "point soc: flags.Hot: 'Hot': a name has up to 63 of",
        ),
        (("type: u16", "type: bits16, flags: [hot]"), "point soc: flags: must be fields"),
        (("address: 1", "address: 0"), "point energy: holding register 0 belongs to soc already"),
        (("address: 0", "address: 2"), "point energy: holding register 2 belongs to soc already"),
        (("name: energy", "name: soc"), "point soc: the name is used twice"),
        (("address: 1", "address: 65535"), "point energy: address 65535 is outside zero_based registers"),
        (("zero_based", "one_based"), "point soc: address 0 is outside one_based registers"),
        (("addressing: zero_based\n", ""), "addressing: is missing"),
        (
            ("read_function: holding", "read_function: coil"),
            "read_function: Input should be 'input' or 'holding'",
        ),
        (
            ("points:", "denied: [{table: holding, address: 2, why: it bites}]\npoints:"),
            r"point energy: holding register 2 is denied \(it bites\)",
        ),
        (
            ("points:", "unreadable: [{table: holding, address: 0, count: 9}]\npoints:"),
            r"point soc: holding register 0 is unreadable \(and 1 more\)",
        ),
        (
            ("points:", "denied: [{table: holding, address: 2}]\npoints:"),
            "denied range number 1: why: is missing",
        ),
        (("points:", "denied: [{address: 2, why: x}]\npoints:"), "denied range number 1: table: is missing"),
        (("points:", "denied: [99]\npoints:"), "denied range number 1: must be fields"),
        (
            ("points:", "denied: [{table: input, address: 65535, count: 2, why: x}]\npoints:"),
            "denied: input registers 65535 to 65536 are outside zero_based ones",
        ),
        (
            ("points:", "denied: [{table: input, address: 0, count: 70000, why: x}]\npoints:"),
            "denied range number 1: count: Input should be less",
        ),
        (
            ("points:", "max_registers_per_request: 126\npoints:"),
            "max_registers_per_request: Input should be less",
        ),
        (
            ("points:", "max_registers_per_request: 1\npoints:"),
            "point energy: u32 is wider than max_registers_per_request",
        ),
        (
            ("points:", "pause_between_requests_s: -1\npoints:"),
            "pause_between_requests_s: Input should be greater",
        ),
        (
            ("points:", "pause_between_requests_s: 11\npoints:"),
            "pause_between_requests_s: Input should be less",
        ),
        (("version: 1", "version: 0"), "version: Input should be greater"),
        (
            ("version: 1", "version: 1\nversion: 2"),
            "is not valid YAML: line 1, column 1: 'version' is given twice",
        ),
        (
            ("name: soc, address: 0", "name: soc, address: 0, address: 5"),
            "is not valid YAML: line 7, column 5: 'address' is given twice",
        ),
        (("description: a rack", "description: [a]"), "description: must be text"),
        (("description: a rack", 'description: "\\e[31m"'), "description: has control characters"),
        (("name: soc, ", ""), "point number 1: name: is missing"),
        (
            ("name: soc", "name: State of charge"),
            "point State of charge: name: 'State of charge': a name has up to 63",
        ),
        (("name: soc", 'name: "soc\\n"'), "a name has up to 63"),
        ((GOOD, "just words"), "is no protocol map"),
        ((GOOD, ""), "is no protocol map"),
        ((GOOD, HEAD + "points: []"), "has no points: give it points, groups or both"),
        ((GOOD, HEAD), "has no points"),
        ((GOOD, HEAD + "points: soc"), "points: must be a list"),
        ((GOOD, HEAD + "points: [3]"), "point number 1: must be fields, like {name: soc, address: 0}"),
        ((GOOD, HEAD + "points: [~, a, {}]"), r"point number 1: must be fields.* \(and 4 more\)"),
        ((GOOD, GOOD + "1: 2\n"), "1: Keys should be strings"),
        ((GOOD, "name: [unclosed"), "is not valid YAML: "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_file_point_field_and_reason(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    assert_refused(tmp_path, text, reason)


def assert_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        load(tmp_path, text)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'rack.yaml'}: ")
    assert re.search(rf": {reason}" if reason[0].isalnum() else reason, message), message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("scale: 0.001", "scale: 0"), "group rack: group module: group cell: point voltage: scale 0 makes"),
        (("type: u64", "type: u65"), "group rack: point energy: type: Input should be"),
        (("stride: 50", "stirde: 50"), "group rack: stirde: is no field here: did you mean stride"),
        (("    stride: 50\n", ""), "group rack: count 2 needs a stride"),
        (("stride: 50", "stride: 32"), "group rack: stride 32 is smaller than the 34 registers it holds"),
        (("stride: 2", "stride: 0"), "group rack: group module: group cell: stride: Input should be greater"),
        (
            ("stride: 8", "stride: 7"),
            "group rack: group module: stride 7 is smaller than the 8 registers it holds",
        ),
        (("count: 2", "count: 0"), "group rack: count: Input should be greater than or equal to 1"),
        (("count: 2", "count: 1000000000"), "group rack: count: Input should be less than or equal to 65536"),
        (("count: 2", "count: 60000"), "840001 points with the groups written out: 20000 are the most"),
        (
            ("count: 2", "count: 1400"),
            r"point rack1310_soc: address: Input should be less than or equal to 65536 \(and 1273 more\)",
        ),
        (
            ("name: cell", "name: " + "c" * 60),
            "point rack1_module1_c+0_voltage: name: .* a name has up to 63",
        ),
        (
            ("name: energy, address: 1", "name: energy, address: 11"),
            "point rack1_module1_cell0_voltage: input register 111 belongs to rack1_energy already",
        ),
        (("address: 100", "address: 0"), "point rack1_soc: holding register 0 belongs to soc already"),
        (
            (
                "points:\n              - {name: voltage, address: 0, type: u16, scale: 0.001}",
                "points: []",
            ),
            "group rack: group module: group cell: has neither points nor groups",
        ),
        (("name: module", "name: 5"), "group rack: group 5: name: must be text"),
    ],
)
def test_a_wrong_group_is_named_down_to_the_point(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    text = GROUPS.replace("u32, word", "u64, word").replace(*change, 1)
    assert text != GROUPS
    assert_refused(tmp_path, text, reason)


def test_a_group_of_nothing_is_refused(tmp_path: Path) -> None:
    assert_refused(
        tmp_path,
        HEAD + "groups:\n  - {name: rack, address: 0, count: 1}\n",
        "group rack: has neither points nor groups",
    )


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("{name: a, address: 5, type: bit, bit: 1}\n  - {name: b, address: 5, type: bit, bit: 2}", None),
        ("{name: a, address: 5, type: bits16}\n  - {name: b, address: 5, type: bit, bit: 2}", None),
        (
            "{name: a, address: 5, type: bit, bit: 1}\n"
            "  - {name: b, address: 4, type: bits32, word_order: high_first}",
            None,
        ),
        (
            "{name: a, address: 5, type: bit, bit: 1}\n  - {name: b, address: 5, type: bit, bit: 1}",
            "point b: bit 1 of register 5 belongs to a already",
        ),
        (
            "{name: a, address: 5, type: bits16}\n  - {name: b, address: 5, type: bits16}",
            "point b: holding register 5 belongs to a already",
        ),
        (
            "{name: a, address: 5, type: bit, bit: 1}\n  - {name: b, address: 5, type: u16}",
            "point b: holding register 5 belongs to a already",
        ),
        (
            "{name: a, address: 5, type: u16}\n  - {name: b, address: 5, type: u16, read_function: input}",
            None,
        ),
    ],
)
def test_only_bits_share_a_register_and_the_two_tables_are_apart(
    tmp_path: Path, points: str, reason: str | None
) -> None:
    text = HEAD + f"points:\n  - {points}\n"
    if reason is None:
        assert len(load(tmp_path, text).points) == 2
    else:
        assert_refused(tmp_path, text, reason)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["u16", "string", "bit", "bits32", "input", "holding", "low_first", 0, 1, 65535, 10**9]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


def bits_of(document: Any) -> list[tuple[Any, Any]]:
    """Every place of a document: what it lies in, and its key there."""
    if isinstance(document, dict):
        keys: list[Any] = list(document)
    elif isinstance(document, list):
        keys = list(range(len(document)))
    else:
        return []
    return [(document, key) for key in keys] + [bit for key in keys for bit in bits_of(document[key])]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), times=st.integers(1, 3))
def test_whatever_a_person_types_into_a_map_it_loads_or_is_refused_in_one_line(
    tmp_path: Path, data: st.DataObject, times: int
) -> None:
    document = yaml.safe_load(GROUPS + "denied: [{table: input, address: 9, why: x}]\n")
    for _ in range(times):
        where, key = data.draw(st.sampled_from(bits_of(document)))
        if data.draw(st.booleans()):
            where[key] = data.draw(ANYTHING)
        elif isinstance(where, dict):
            where[data.draw(st.sampled_from(["bit", "length", "flags", "scale", "points", "x"]))] = data.draw(
                ANYTHING
            )
    loaded, refusal = load_or_refuse(tmp_path, yaml.safe_dump(document, allow_unicode=True))
    assert refusal.isprintable()
    assert loaded is None or ProtocolMap.from_content(loaded.content()) == loaded


def load_or_refuse(tmp_path: Path, text: str) -> tuple[ProtocolMap | None, str]:
    try:
        return load(tmp_path, text), ""
    except InvalidConfigurationError as error:
        return None, str(error)


def test_a_map_of_20_000_points_loads_and_one_more_is_refused(tmp_path: Path) -> None:
    text = (
        HEAD
        + "groups:\n  - {name: cell, address: 0, count: 20000, stride: 1, points: [{name: v, address: 0, type: u16}]}\n"
    )
    assert len(load(tmp_path, text).points) == 20_000
    assert_refused(tmp_path, text.replace("20000", "20001"), "20001 points with the groups written out")


def test_a_thousand_denials_of_everything_else_take_no_time_to_tell(tmp_path: Path) -> None:
    denied = "denied:\n" + "  - {table: input, address: 0, count: 65536, why: x}\n" * 1000
    assert len(load(tmp_path, GOOD + denied).points) == 2
    assert_refused(
        tmp_path, GOOD + denied.replace("input", "holding"), "point soc: holding register 0 is denied"
    )
