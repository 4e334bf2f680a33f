"""What Airflow's provider registry reads of this distribution: the connection type `modbus`.

Airflow finds it through the entry point group `apache_airflow_provider` of `pyproject.toml`, in every
process it starts. So it imports nothing.
"""

from __future__ import annotations

from typing import Any

_FIELDS: dict[str, dict[str, Any]] = {
    "unit_id": {
        "label": "Unit id",
        "description": "The Modbus unit behind the gateway, 0 to 255.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 255, "default": 1},
    },
    "protocol_map": {
        "label": "Protocol map",
        "description": "What the device's registers mean: a map of the platform (sos-ops modbus maps), "
        "or the path of a file. Empty: whoever reads names it.",
        "schema": {"type": ["string", "null"]},
    },
    "request_timeout": {
        "label": "Request timeout (s)",
        "description": "How long one answer may take, 0.1 to 60 s. Empty: as the line's pace allows, at most 5 s.",
        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 60},
    },
    "pause_between_requests": {
        "label": "Pause between requests (s)",
        "description": "How long the line rests after an answer, 0 to 10 s. Empty: as the protocol map says.",
        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 10},
    },
}


def get_provider_info() -> dict[str, Any]:
    """The connection type, its form and its hook, as Airflow's `provider_info.schema.json` wants them."""
    return {
        "package-name": "sos-ops",
        "name": "State of Safety",
        "description": "Reads battery management systems over Modbus TCP for the State of Safety platform.",
        "connection-types": [
            {
                "connection-type": "modbus",
                "hook-class-name": "sos_ops.hooks.modbus.ModbusHook",
                "hook-name": "Modbus TCP",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "password"],
                    "relabeling": {"host": "Gateway host", "port": "TCP port"},
                    "placeholders": {"host": "10.0.0.5", "port": "502"},
                },
                "conn-fields": _FIELDS,
            }
        ],
    }
