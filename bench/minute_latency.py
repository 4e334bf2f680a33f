"""From the minute mark to SoS stored, on the whole platform as `make up` runs it, beside a DAG of one empty task.

The platform runs with a `SOS_HOME` of its own on free ports; the empty DAG is a second bundle of that run only.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.figure import Figure, within_seconds
from bench.temporary_stack import temporary_settings
from sos_ops.errors import SosOpsError
from sos_ops.settings import Scenario, Settings
from sos_ops.stack.airflow_config import ADMIN
from sos_ops.stack.health import program_health
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import database_url, load_or_create
from sos_ops.stack.up import down
from sos_ops.store.connection import connect

EMPTY_DAG = "empty_minute"
MOST_S = 5.0
SETTLING_MINUTES = 2
START_DEADLINE_S = 300.0
STOP_DEADLINE_S = 200.0
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"

Notice = Callable[[str], None]
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for 127.0.0.1


def measure(notice: Notice, *, minutes: int = 6) -> list[Figure]:
    """Measures the row.

    Args:
        notice: is told how far it is.
        minutes: how many minutes count, after the first two, in which the platform is still warming up.
    """
    with temporary_settings(Scenario.NORMAL) as settings, _running_platform(settings, notice):
        first = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1 + SETTLING_MINUTES)
        until = first + timedelta(minutes=minutes - 1, seconds=45)
        notice(f"watching the minutes from {first:%H:%M} to {until:%H:%M} UTC")
        time.sleep((until - datetime.now(UTC)).total_seconds())
        ours = _stored_after(settings, first)
        beside = _empty_task_ended_after(settings, first)
    notice(f"ours {_listed(ours)}; empty task {_listed(beside)}")
    for what, seconds in (("minutes with SoS", ours), ("runs of the empty DAG", beside)):
        if len(seconds) < minutes / 2:
            raise SosOpsError(
                f"only {len(seconds)} {what} in {minutes} minutes: see the run's log, measure again"
            )
    return [
        within_seconds(
            f"minute mark to SoS stored, demo site (median of {len(ours)} minutes, slowest {max(ours):.1f} s)",
            statistics.median(ours),
            "a DAG of one empty task on the same Airflow, minute mark to its end",
            statistics.median(beside),
            most_s=MOST_S,
        )
    ]


@contextmanager
def _running_platform(settings: Settings, notice: Notice) -> Iterator[None]:
    log = settings.home / "up.log"
    began = datetime.now(UTC)
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [str(Path(sys.executable).with_name("sos-ops")), "up"],
            env=platform_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        notice("starting the platform")
        _wait_until_healthy(settings, process, began)
        yield
    finally:
        notice("ending the platform")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        down(settings)


def platform_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of `sos-ops up` with the empty DAG beside the platform's own, and no setting of the caller's."""
    bundles = [
        {"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}},
        {
            "name": "bench",
            "classpath": LOCAL_BUNDLE,
            "kwargs": {"path": str(Path(__file__).parent / "dags")},
        },
    ]
    kept = {name: value for name, value in environ.items() if not name.startswith(("SOS_", "AIRFLOW_"))}
    return {
        **kept,
        "SOS_HOME": str(settings.home),
        "SOS_DASHBOARD_PORT": str(settings.dashboard_port),
        "SOS_AIRFLOW_PORT": str(settings.airflow_port),
        "SOS_MODBUS_PORT": str(settings.modbus_port),
        "SOS_POSTGRES_PORT": str(settings.postgres_port),
        "SOS_SCENARIO": str(settings.scenario),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
    }


def _wait_until_healthy(settings: Settings, process: subprocess.Popen[bytes], began: datetime) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while not (layout(settings).secrets.exists() and all(program_health(settings, began).values())):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (settings.home / "up.log").read_text(errors="replace").splitlines()[-5:]
            raise SosOpsError(f"the platform did not start: {' | '.join(tail)}")
        time.sleep(1)


def _stored_after(settings: Settings, first: datetime) -> list[float]:
    """Seconds from each minute mark since `first` to its first decision, by the database's clock."""
    with connect(database_url(settings)) as connection:
        rows = connection.execute(
            "select minute, min(decided_at) from (select minute, decided_at from sos_ops.sos "
            "union all select minute, decided_at from sos_ops.sos_revision) as decision "
            "where minute >= %s group by minute order by minute",
            (first,),
        ).fetchall()
    return [(decided_at - minute).total_seconds() for minute, decided_at in rows]


def _empty_task_ended_after(settings: Settings, first: datetime) -> list[float]:
    """Seconds from each minute mark since `first` to the end of the empty DAG's task, by Airflow's API."""
    login = {"username": ADMIN, "password": load_or_create(settings).airflow_admin_password}
    token = str(_ask(settings, "/auth/token", login)["access_token"])
    path = f"/api/v2/dags/{EMPTY_DAG}/dagRuns/~/taskInstances?limit=100"
    return seconds_to_the_end(_ask(settings, path, token=token)["task_instances"], first)


def seconds_to_the_end(tasks: Sequence[Mapping[str, Any]], first: datetime) -> list[float]:
    """Seconds from each run's minute mark to its task's end, of the runs since `first` that succeeded."""
    ended = [
        (datetime.fromisoformat(task["run_after"]), datetime.fromisoformat(task["end_date"]))
        for task in tasks
        if task["state"] == "success"
    ]
    return [(end - mark).total_seconds() for mark, end in sorted(ended) if mark >= first]


def _ask(
    settings: Settings, path: str, body: dict[str, str] | None = None, *, token: str | None = None
) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.airflow_port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        },
    )
    with _OPENER.open(request, timeout=30) as answer:
        parsed: dict[str, Any] = json.load(answer)
    return parsed


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in seconds) + " s"
