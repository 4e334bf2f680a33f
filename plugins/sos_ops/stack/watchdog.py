"""Restarts programs that live but no longer work: the scheduler above all, which is known to hang.

The supervisor sees only whether a process lives. This program asks each what its users would, every few
seconds, and has the supervisor restart what has not worked for a minute and a half.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg

from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings, get_settings
from sos_ops.stack.airflow_config import workers
from sos_ops.stack.health import airflow_health, page_status
from sos_ops.stack.programs import API_SERVER, DAG_PROCESSOR, DASHBOARD, SCHEDULER
from sos_ops.stack.pruning import PRUNE_EVERY, prune_airflow
from sos_ops.stack.secrets import airflow_database_url
from sos_ops.stack.supervision import program_states, restart_program

PATIENCE = timedelta(seconds=90)
LOOK_EVERY_S = 10.0
FIRST_PRUNE_S = 3600.0

log = logging.getLogger(__name__)


def failing_programs(settings: Settings, now: datetime) -> set[str]:
    """The programs that do not work at this moment, as far as that can be told.

    A late heartbeat counts only while Airflow's database is there: without it, no restart would help.
    """
    failing = set()
    if page_status(settings) is None:
        failing.add(DASHBOARD)
    airflow = airflow_health(settings)
    if airflow is None:
        return failing | {API_SERVER}
    if airflow.database_is_healthy:
        if _late(airflow.scheduler_heartbeat, now) or tasks_are_stuck(settings):
            failing.add(SCHEDULER)
        if _late(airflow.dag_processor_heartbeat, now):
            failing.add(DAG_PROCESSOR)
    return failing


def _late(heartbeat: datetime | None, now: datetime) -> bool:
    return heartbeat is None or now - heartbeat > timedelta(seconds=30)


STUCK = """
select exists (select from task_instance
                where queued_dttm between now() - interval '150 s' and now() - interval '30 s' and pid is null)
   and not exists (select from task_instance where start_date > now() - interval '75 s' and pid is not null)
   and (select count(*) from task_instance where state = 'running') < %s
"""
"""A task was queued, no worker took it (and gave it a process), none took another, and not all are busy."""


def tasks_are_stuck(settings: Settings) -> bool:
    """True when tasks are queued but not started, though a worker should be free.

    A worker that is killed while it waits holds the queue's lock, and blocks all others for ever. The scheduler's
    heart beats on, and the tasks leave the queue when their run times out: only that none starts tells it.
    """
    scheme, _, rest = airflow_database_url(settings).partition("://")
    if not scheme.startswith("postgres"):
        return False
    try:
        with psycopg.connect(f"postgresql://{rest}", connect_timeout=5) as connection:
            row = connection.execute(STUCK, (_workers(settings),)).fetchone()
    except psycopg.Error:
        return False
    return bool(row and row[0])


def _workers(settings: Settings) -> int:
    return int(os.environ.get("AIRFLOW__CORE__PARALLELISM") or workers(settings))


class Watchdog:
    """Remembers since when each program has been failing."""

    def __init__(
        self,
        look: Callable[[datetime], set[str]],
        uptimes: Callable[[], dict[str, timedelta]],
        restart: Callable[[str], None],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._look = look
        self._uptimes = uptimes
        self._restart = restart
        self._patience = patience
        self._since: dict[str, datetime] = {}

    def turn(self, now: datetime) -> list[str]:
        """Looks once.

        Args:
            now: the machine's time, UTC.

        Returns:
            The programs it had restarted: those that run, and fail for as long as the patience lasts.
        """
        failing = self._look(now)
        self._since = {name: self._since.get(name, now) for name in failing}
        uptimes = self._uptimes()
        due = [
            name
            for name, since in sorted(self._since.items())
            if now - since >= self._patience and uptimes.get(name, timedelta()) >= self._patience
        ]
        for name in due:
            self._restart(name)
            del self._since[name]
        return due


def _uptimes(settings: Settings) -> dict[str, timedelta]:
    return {
        state.name: timedelta(seconds=state.uptime_s)
        for state in program_states(settings)
        if state.state == "RUNNING"
    }


def _prune_daily(settings: Settings) -> None:
    # Not at the start: then the machine is busy, and a fresh platform has nothing old.
    time.sleep(FIRST_PRUNE_S)
    while True:
        try:
            prune_airflow(settings, datetime.now(UTC))
        except (OSError, SosOpsError, subprocess.TimeoutExpired) as error:
            log.warning("Airflow's old records stay for now: %s", error)
        time.sleep(PRUNE_EVERY.total_seconds())


def main() -> None:
    """Watches until it is ended."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    settings = get_settings()
    watchdog = Watchdog(
        look=lambda now: failing_programs(settings, now),
        uptimes=lambda: _uptimes(settings),
        restart=lambda name: restart_program(settings, name),
    )
    threading.Thread(target=_prune_daily, args=(settings,), name="prune", daemon=True).start()
    while True:
        try:
            for name in watchdog.turn(datetime.now(UTC)):
                log.warning("%s did not work for %.0f s: restarted", name, PATIENCE.total_seconds())
        except SosOpsError as error:
            log.warning("%s", error)
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
