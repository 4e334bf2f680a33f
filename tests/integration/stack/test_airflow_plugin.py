from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sos_ops.settings import Settings
from sos_ops.stack.airflow_config import airflow_environment, write_airflow_files
from sos_ops.stack.layout import layout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of an Airflow program of a stack."""
    settings = Settings(home=tmp_path, dashboard_port=18051, database_url=None)
    layout(settings).create()
    write_airflow_files(settings)
    own_database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}
    return {
        **os.environ,
        **airflow_environment(settings),
        **own_database,
        "SOS_DASHBOARD_PORT": "18051",
    }


def said_by(code: str, environment: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_loads_our_plugin_and_nothing_else_of_the_folder(environment: dict[str, str]) -> None:
    code = (
        "import json, sys; from airflow import plugins_manager;"
        "plugins, errors = plugins_manager._get_plugins();"
        "views = [view for plugin in plugins for view in plugin.external_views];"
        "print(json.dumps([errors, views, 'safety' in sys.modules, 'settings' in sys.modules]))"
    )
    errors, views, *strays = said_by(code, environment)
    assert errors == {}
    assert {"name": "SoS page", "href": "http://127.0.0.1:18051", "destination": "nav"} in views
    assert strays == [False, False]


def test_airflows_page_shows_the_form_of_a_modbus_connection(environment: dict[str, str]) -> None:
    """What `/ui/connections/hook_meta` answers, from which the page builds its forms."""
    code = (
        "import json;"
        "from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService as service;"
        "(form,) = [m for m in service.hook_meta_data() if m.connection_type == 'modbus'];"
        "print(json.dumps(form.model_dump(mode='json')))"
    )
    form = said_by(code, environment)
    assert (form["hook_name"], form["hook_class_name"]) == ("Modbus TCP", "sos_ops.hooks.modbus.ModbusHook")
    assert form["standard_fields"]["host"]["title"] == "Gateway host"
    assert all(form["standard_fields"][hidden]["hidden"] for hidden in ("login", "password", "url_schema"))
    fields = form["extra_fields"]
    assert list(fields) == ["unit_id", "protocol_map", "request_timeout", "pause_between_requests"]
    assert (fields["unit_id"]["value"], fields["unit_id"]["schema"]["maximum"]) == (1, 255)
    for optional in ("protocol_map", "request_timeout", "pause_between_requests"):
        assert fields[optional]["value"] is None
        assert "null" in fields[optional]["schema"]["type"]
        assert "Empty: " in fields[optional]["description"]


def test_airflow_builds_our_hook_for_such_a_connection(environment: dict[str, str]) -> None:
    code = (
        "import json; from airflow.sdk import BaseHook;"
        "hook = BaseHook.get_connection('bms_a').get_hook();"
        "print(json.dumps([type(hook).__name__, hook.device_address().port]))"
    )
    named = {"AIRFLOW_CONN_BMS_A": json.dumps({"conn_type": "modbus", "host": "10.0.0.5"})}
    assert said_by(code, {**environment, **named}) == ["ModbusHook", 502]
