"""Airflow's menu gets an entry for the page."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from sos_ops.settings import get_settings


class SosOpsPlugin(AirflowPlugin):
    """Puts the page beside Airflow's own in its menu."""

    name = "sos_ops"
    external_views = [  # noqa: RUF012  # Airflow's way
        {
            "name": "SoS page",
            "href": f"http://127.0.0.1:{get_settings().dashboard_port}",
            "destination": "nav",
        }
    ]
