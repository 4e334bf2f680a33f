"""Airflow 3.3 for one machine: where it lives, its tuning, its login and its way to the database."""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sos_ops.errors import SosOpsError
from sos_ops.settings import CHECKOUT, Settings
from sos_ops.stack.health import airflow_url
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import (
    AIRFLOW_URL_VARIABLE,
    airflow_database_url,
    database_url,
    load_or_create,
)

ADMIN = "admin"
CONNECTION_VARIABLE = "AIRFLOW_CONN_SOS_POSTGRES"

TUNED = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
    "AIRFLOW__API__WORKERS": "1",
    # Each hop from task to task waits for the scheduler's loop, which sleeps this long when nothing happened.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    # A worker is held this long after its task ended.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A killed task is noticed within a minute; a task outlives a restart of the API server (about 15 s).
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "10",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "5",
    # The API's first answers after its start take longer than the default of 5 s.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "20",
}
"""Settings that a variable of the same name in the caller's environment overrides."""

WORKERS = 5
"""Tasks side by side: a step of the minute, the slow lane, both of housekeeping, and one of history or one's own."""


def workers(settings: Settings) -> int:
    """How many tasks run side by side unless `AIRFLOW__CORE__PARALLELISM` says otherwise.

    A shared bus holds a worker for most of the minute, and shall not keep the minute's own steps waiting.
    LocalExecutor forks all its workers at the start; Airflow's default of 32 costs 1.3 GiB.
    """
    return WORKERS + len(settings.buses)


def airflow_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Every variable that Airflow and its command line need to work on this stack.

    Args:
        settings: where the stack lives and listens.
        environ: the caller's environment, whose `AIRFLOW__...` settings win, where they cannot lead the stack
            out of `SOS_HOME` or the checkout.
    """
    secrets, folders = load_or_create(settings), layout(settings)
    default = {
        **TUNED,
        "AIRFLOW__CORE__PARALLELISM": str(workers(settings)),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(workers(settings)),
        **_metadata_database(settings, environ),
        "AIRFLOW__CORE__FERNET_KEY": secrets.airflow_fernet_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.airflow_jwt_secret,
        "AIRFLOW__API__SECRET_KEY": secrets.airflow_api_secret_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(settings)),
        CONNECTION_VARIABLE: postgres_connection(database_url(settings)),
    }
    fixed = {
        "AIRFLOW_HOME": str(folders.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folders.airflow / "logs"),
        "AIRFLOW__API__HOST": settings.bind,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{settings.airflow_port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow_url(settings)}/execution/",
    }
    return {**default, **{key: environ[key] for key in default if environ.get(key)}, **fixed}


def _metadata_database(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    if environ.get(AIRFLOW_URL_VARIABLE):
        return {}
    # Airflow expands `$NAME` in the values of its variables.
    url = airflow_database_url(settings, environ).replace("$", "%24")
    # Airflow would choose asyncpg, which knows no libpq parameters such as sslmode.
    asynchronous = url.replace("postgresql+psycopg2://", "postgresql+psycopg://", 1)
    return {AIRFLOW_URL_VARIABLE: url, f"{AIRFLOW_URL_VARIABLE}_ASYNC": asynchronous}


def postgres_connection(url: str) -> str:
    """A libpq URL as the JSON of an Airflow connection: nothing in it is quoted or expanded."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    named = {
        "conn_type": "postgres",
        "host": parts.pop("host", "127.0.0.1"),
        "port": int(parts.pop("port", "5432")),
        "login": parts.pop("user", ""),
        "password": parts.pop("password", ""),
        "schema": parts.pop("dbname", ""),
    }
    return json.dumps({**named, "extra": parts} if parts else named)


def _password_file(settings: Settings) -> Path:
    return layout(settings).airflow / "passwords.json"


def write_airflow_files(settings: Settings) -> None:
    """Writes what Airflow reads from files: its settings, the login, the hook that loads heavy libraries once."""
    folders = layout(settings)
    _write(_password_file(settings), json.dumps({ADMIN: load_or_create(settings).airflow_admin_password}))
    config = folders.airflow / "config"
    config.mkdir(mode=0o700, exist_ok=True)
    _write(config / "airflow_local_settings.py", "import sos_ops.stack.preload  # noqa: F401\n")
    _write(folders.airflow / "airflow.cfg", _configuration_file(airflow_environment(settings)))


def _configuration_file(environment: Mapping[str, str]) -> str:
    """The same settings as a file, so that a bare `AIRFLOW_HOME=... airflow` works on this stack and no other."""
    parser = configparser.RawConfigParser()
    for name, value in environment.items():
        prefix, section, key = (*name.split("__", 2), "", "")[:3]
        if prefix == "AIRFLOW" and key:
            if not parser.has_section(section.lower()):
                parser.add_section(section.lower())
            # Airflow interpolates its file.
            parser.set(section.lower(), key.lower(), value.replace("%", "%%"))
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def migrate_airflow(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Brings Airflow's metadata to the installed version, if it is not there yet (the command takes 8 s).

    Args:
        settings: where.
        environment: the environment of the stack's Airflow programs.

    Returns:
        True when the migration had to run.

    Raises:
        SosOpsError: it failed.
    """
    stamp = layout(settings).airflow / "migrated.json"
    url = environment[AIRFLOW_URL_VARIABLE]
    if stamp.exists() and stamp.read_text() == _migrated_state(url):
        return False
    log = layout(settings).log_of("airflow-db-migrate")
    with log.open("w") as output:
        done = subprocess.run(  # our own interpreter
            [sys.executable, "-m", "airflow", "db", "migrate"],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=layout(settings).run,
        )
    if done.returncode != 0:
        raise SosOpsError(f"Airflow's database could not be prepared: see {log}")
    _write(stamp, _migrated_state(url))
    return True


def _migrated_state(url: str) -> str:
    # The revision is asked of the database itself: a server restored or replaced must be migrated again.
    state = {"airflow": version("apache-airflow"), "database": _digest(url), "revision": _revision(url)}
    return json.dumps(state)


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _revision(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("postgres"):
        return os.urandom(8).hex()  # no way to ask: migrate at every start
    try:
        with psycopg.connect(f"postgresql://{rest}", connect_timeout=5) as connection:
            row = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.Error:
        return None
    return str(row[0]) if row else None
