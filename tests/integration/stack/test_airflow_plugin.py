from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sos_ops.settings import Settings
from sos_ops.stack.airflow_config import airflow_environment, write_airflow_files
from sos_ops.stack.layout import layout


def test_airflow_loads_our_plugin_and_nothing_else_of_the_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dashboard_port=18051, database_url=None)
    layout(settings).create()
    write_airflow_files(settings)
    own_database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}
    environment = {
        **os.environ,
        **airflow_environment(settings),
        **own_database,
        "SOS_DASHBOARD_PORT": "18051",
    }
    code = (
        "import json, sys; from airflow import plugins_manager;"
        "plugins, errors = plugins_manager._get_plugins();"
        "views = [view for plugin in plugins for view in plugin.external_views];"
        "print(json.dumps([errors, views, 'safety' in sys.modules, 'settings' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    errors, views, *strays = json.loads(done.stdout.splitlines()[-1])
    assert errors == {}
    assert {"name": "SoS page", "href": "http://127.0.0.1:18051", "destination": "nav"} in views
    assert strays == [False, False]
