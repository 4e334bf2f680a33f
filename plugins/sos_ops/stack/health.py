"""Whether the programs do their work, asked from outside: over their ports, as their users would."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sos_ops.settings import Settings

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for 127.0.0.1


@dataclass(frozen=True)
class AirflowHealth:
    """What Airflow says of itself. Times are aware; None where a part never beat."""

    database_is_healthy: bool
    scheduler_heartbeat: datetime | None
    dag_processor_heartbeat: datetime | None


def page_status(settings: Settings, timeout_s: float = 5.0) -> int | None:
    """The HTTP status of the page's `/health`; None when it does not answer in time."""
    try:
        with _OPENER.open(f"http://127.0.0.1:{settings.dashboard_port}/health", timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None


def airflow_url(settings: Settings) -> str:
    """Where the stack's own programs reach Airflow's API, without a trailing slash."""
    return f"http://{settings.airflow_host}:{settings.airflow_port}"


def airflow_health(settings: Settings, timeout_s: float = 5.0) -> AirflowHealth | None:
    """Airflow's own report; None when its API does not answer in time."""
    try:
        with _OPENER.open(f"{airflow_url(settings)}/api/v2/monitor/health", timeout=timeout_s) as answer:
            report: dict[str, dict[str, Any] | None] = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return AirflowHealth(
        database_is_healthy=(report.get("metadatabase") or {}).get("status") == "healthy",
        scheduler_heartbeat=_time((report.get("scheduler") or {}).get("latest_scheduler_heartbeat")),
        dag_processor_heartbeat=_time(
            (report.get("dag_processor") or {}).get("latest_dag_processor_heartbeat")
        ),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def port_accepts(port: int, timeout_s: float = 2.0) -> bool:
    """True when something on 127.0.0.1 takes a connection."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def program_health(settings: Settings, since: datetime) -> dict[str, bool]:
    """Whether each program that people or devices talk to does its work.

    Args:
        settings: the stack.
        since: Airflow's heartbeats older than this are those of an earlier start.
    """
    airflow = airflow_health(settings)
    return {
        "bms": port_accepts(settings.modbus_port),
        "airflow-api-server": airflow is not None and airflow.database_is_healthy,
        "airflow-scheduler": airflow is not None and _beats(airflow.scheduler_heartbeat, since),
        "airflow-dag-processor": airflow is not None and _beats(airflow.dag_processor_heartbeat, since),
        "dashboard": page_status(settings) == 200,
    }


def _beats(heartbeat: datetime | None, since: datetime) -> bool:
    return heartbeat is not None and heartbeat >= since
