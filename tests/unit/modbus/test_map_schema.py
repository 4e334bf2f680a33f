"""The JSON schema for editors: current, true of every map, and false of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sos_ops.modbus.map_schema import SCHEMA_FILE, map_schema, schema_text
from sos_ops.modbus.narrow_yaml import parse_yaml, read_yaml
from sos_ops.modbus.protocol_map import MAPS_DIR, bundled_map_names

VALIDATOR = jsonschema.Draft202012Validator(map_schema())

GOOD = """\
name: rack
version: 1
description: a rack
read_function: holding
addressing: zero_based
denied:
  - {table: holding, address: 99, why: it resets}
points:
  - {name: soc, address: 0, type: u16, unit: A}
  - {name: energy, address: 1, type: u32, word_order: low_first}
  - {name: label, address: 9, type: string, length: 4}
  - {name: running, address: 5, type: bit, bit: 0}
groups:
  - {name: cell, address: 20, count: 2, stride: 2, points: [{name: v, address: 0, type: bits16, flags: {hot: 1}}]}
writable_points:
  - {name: limit, address: 7, type: u16, unit: A, minimum: 0, maximum: 1, readback: soc}
"""


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(map_schema())


def test_the_schema_beside_the_maps_is_the_one_of_the_language() -> None:
    """When this fails: python -m sos_ops.modbus.map_schema."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("name", bundled_map_names())
def test_every_bundled_map_names_the_schema_and_keeps_it(name: str) -> None:
    path = MAPS_DIR / f"{name}.yaml"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE.name}"
    assert problems(read_yaml(path)) == []


def problems(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_a_good_map_keeps_the_schema() -> None:
    assert problems(parse_yaml(GOOD)) == []


@pytest.mark.parametrize(
    "change",
    [
        ("version: 1", "version: one"),
        ("name: rack", "name: My rack"),
        ("addressing: zero_based\n", ""),
        ("read_function: holding", "read_function: coil"),
        ("type: u16, unit: A}", "type: u17}"),
        ("type: u16, unit: A}", "type: u16, sclae: 2}"),
        ("type: u16, unit: A}", "type: u16, scale: x}"),
        ("type: u16, unit: A}", "type: u16, scale: true}"),
        ("address: 0", "address: 010"),
        ("address: 0", "address: 70000"),
        (", word_order: low_first", ""),
        ("type: u16, unit: A}", "type: u16, word_order: low_first}"),
        (", length: 4", ""),
        ("length: 4", "length: 4, scale: 2"),
        (", bit: 0", ""),
        ("bit: 0", "bit: 16"),
        ("bit: 0", "bit: 0, flags: {hot: 1}"),
        ("flags: {hot: 1}", "flags: {hot: x}"),
        ("flags: {hot: 1}", "flags: {Hot: 1}"),
        (", why: it resets", ""),
        ("count: 2", "count: 0"),
        (", maximum: 1", ""),
        ("maximum: 1", "maximum: 1, allowed: [1]"),
        (", readback: soc", ""),
        ("points:\n", "point:\n"),
    ],
)
def test_a_wrong_map_does_not_keep_the_schema(change: tuple[str, str]) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    assert problems(parse_yaml(text)) != []


def test_every_field_is_described() -> None:
    def undescribed(schema: dict[str, Any], where: str) -> list[str]:
        fields = schema.get("properties", {})
        return [f"{where}.{name}" for name, field in fields.items() if "description" not in field]

    schema = map_schema()
    missing = undescribed(schema, "map")
    for name, part in schema["$defs"].items():
        missing += undescribed(part, name)
    assert missing == []


def test_the_package_carries_the_schema_and_the_maps() -> None:
    pyproject = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"modbus/maps/*.yaml", "modbus/maps/*.json"' in pyproject
