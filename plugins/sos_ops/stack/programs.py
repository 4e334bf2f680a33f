"""The programs of the stack: what each runs, in which environment, and how long it may take to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sos_ops.settings import Settings
from sos_ops.stack.airflow_config import airflow_environment
from sos_ops.stack.layout import layout
from sos_ops.stack.processes import marks

POSTGRES = "postgres"
BMS = "bms"
API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"
DASHBOARD = "dashboard"
WATCHDOG = "watchdog"


@dataclass(frozen=True)
class Program:
    """One supervised program."""

    name: str
    title: str
    """What it is, to a person."""
    stop_order: int
    """Programs of a higher number end first; equal numbers end together."""
    arguments: tuple[str, ...] = ()
    """What follows the interpreter; empty for PostgreSQL, which is no Python program."""
    needs_database: bool = True
    needs_api: bool = False
    """Waits for Airflow's API: a task started before would time out on its first call."""
    stop_grace_s: int = 10
    stop_signal: str = "TERM"
    stop_whole_group: bool = True


def programs(settings: Settings) -> list[Program]:
    """The programs in the order they are started."""
    airflow = ("-m", "airflow")
    listed = [
        # INT is PostgreSQL's fast shutdown; its children are its own business.
        Program(
            POSTGRES,
            "PostgreSQL",
            10,
            needs_database=False,
            stop_grace_s=60,
            stop_signal="INT",
            stop_whole_group=False,
        ),
        Program(BMS, "simulated BMS", 20, ("-m", "sos_ops.modbus.simulator"), needs_database=False),
        Program(
            API_SERVER,
            "Airflow API and pages",
            20,
            (*airflow, "api-server", "--workers", "1"),
            stop_grace_s=5,  # it waits for open connections, which nobody needs any more
        ),
        # Ends first and by itself, so that a task that is almost done is finished and reported.
        Program(
            SCHEDULER,
            "Airflow scheduler",
            30,
            (*airflow, "scheduler", "--skip-serve-logs"),
            needs_api=True,
            stop_grace_s=20,
            stop_whole_group=False,
        ),
        Program(DAG_PROCESSOR, "Airflow DAG processor", 20, (*airflow, "dag-processor")),
        Program(DASHBOARD, "page", 20, ("-m", "gunicorn", *_gunicorn(settings), "dash_app.wsgi:server")),
        Program(WATCHDOG, "watchdog", 40, ("-m", "sos_ops.stack.watchdog"), needs_database=False),
    ]
    return [item for item in listed if item.name != POSTGRES or settings.uses_embedded_postgres]


def _gunicorn(settings: Settings) -> tuple[str, ...]:
    bind = f"--bind={settings.bind}:{settings.dashboard_port}"
    workers = ("--worker-class=gthread", "--workers=1", "--threads=8")
    # The control socket would be made outside SOS_HOME.
    return (bind, *workers, "--timeout=60", "--graceful-timeout=5", "--no-control-socket")


def program(settings: Settings, name: str) -> Program:
    """The program of this name."""
    return next(item for item in programs(settings) if item.name == name)


def program_command(item: Program) -> list[str]:
    """The command line of a Python program, by this interpreter."""
    return [sys.executable, *item.arguments]


def program_environment(
    settings: Settings, name: str | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of a program, or (without a name) of the supervisor above them all.

    Args:
        settings: the stack.
        name: the program.
        environ: the caller's environment, which is kept where nothing here says otherwise.
    """
    changed = {
        **marks(settings, name),
        **_explicit(settings),
        "HOME": str(layout(settings).user_home),
        # Names of processes shall not be written over the environment, by which they are found.
        "SPT_NOENV": "1",
        "PYTHONUNBUFFERED": "1",
        **_direct(settings, environ),
    }
    if name is not None and name.startswith("airflow-"):
        changed |= airflow_environment(settings, environ)
    return {**{key: value for key, value in environ.items() if not key.startswith("XDG_")}, **changed}


def _explicit(settings: Settings) -> dict[str, str]:
    dumped = settings.model_dump(mode="json", exclude_none=True)
    return {f"SOS_{name.upper()}": str(value) for name, value in dumped.items()}


def _direct(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    # Airflow's tasks reach its API by an HTTP client that honours proxies, even to 127.0.0.1.
    current = [part for key in ("no_proxy", "NO_PROXY") for part in environ.get(key, "").split(",") if part]
    hosts = ",".join(dict.fromkeys([*current, "127.0.0.1", "localhost", settings.airflow_host]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}
