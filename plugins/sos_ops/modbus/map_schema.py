"""The JSON schema of protocol map files: what an editor checks and completes while one is written.

It knows fields, types, ranges and which type needs which field. What lies between points (overlaps, names
used twice, denied registers, readbacks) only loading the map tells.

The schema is kept beside the maps: `python -m sos_ops.modbus.map_schema` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sos_ops.modbus.map_file import MapFile
from sos_ops.modbus.point import PointType
from sos_ops.modbus.protocol_map import MAPS_DIR

SCHEMA_FILE: Path = MAPS_DIR / "protocol-map.schema.json"


def map_schema() -> dict[str, Any]:
    """The schema, as JSON would have it (draft 2020-12)."""
    schema = MapFile.model_json_schema()
    point = schema["$defs"]["FilePoint"]
    point["allOf"] = _what_types_need()
    point["properties"]["flags"]["propertyNames"] = {"pattern": point["properties"]["name"]["pattern"]}
    schema["$defs"]["WritablePoint"]["oneOf"] = [
        {"required": ["minimum", "maximum"]},
        {"required": ["allowed"]},
    ]
    schema["anyOf"] = [{"required": ["points"]}, {"required": ["groups"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(map_schema(), indent=2, ensure_ascii=False) + "\n"


def _what_types_need() -> list[dict[str, Any]]:
    wide = [kind.value for kind in PointType if kind.registers > 1]
    unscaled = [kind.value for kind in PointType if not kind.is_number]
    return [
        _needed_only_for(wide, "word_order"),
        _needed_only_for([PointType.STRING.value], "length"),
        _needed_only_for([PointType.BIT.value], "bit"),
        {
            "if": _of_type([kind.value for kind in PointType if not kind.is_bitfield]),
            "then": _without("flags"),
        },
        {
            "if": _of_type(unscaled),
            "then": {"allOf": [_without(field) for field in ("scale", "offset", "plausible")]},
        },
    ]


def _needed_only_for(kinds: list[str], field: str) -> dict[str, Any]:
    return {"if": _of_type(kinds), "then": {"required": [field]}, "else": _without(field)}


def _of_type(kinds: list[str]) -> dict[str, Any]:
    return {"properties": {"type": {"enum": kinds}}, "required": ["type"]}


def _without(field: str) -> dict[str, Any]:
    return {"not": {"required": [field]}}


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
