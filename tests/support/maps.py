"""A map of a few points, for tests that need one of their own."""

from __future__ import annotations

from typing import Any

from sos_ops.modbus.protocol_map import ProtocolMap


def small_map(name: str = "small", version: int = 1, scale: str = "0.1", **fields: Any) -> ProtocolMap:
    """Four limit points at input registers 5 to 8 as in `keti_bank`, the temperatures with this scale."""
    points = [
        {"name": "max_cell_voltage", "address": 5, "type": "s16", "scale": "0.001", "unit": "V"},
        {"name": "min_cell_voltage", "address": 6, "type": "s16", "scale": "0.001", "unit": "V"},
        {"name": "max_cell_temperature", "address": 7, "type": "s16", "scale": scale, "unit": "°C"},
        {"name": "min_cell_temperature", "address": 8, "type": "s16", "scale": scale, "unit": "°C"},
    ]
    return ProtocolMap.model_validate(
        {
            "name": name,
            "version": version,
            "description": "the limit points",
            "read_function": "input",
            "addressing": "zero_based",
            "points": points,
            **fields,
        }
    )
