from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from sos_ops.stack.airflow_config import WORKERS
from sos_ops.stack.databases import ensure_embedded_databases
from sos_ops.stack.secrets import airflow_database_url
from sos_ops.stack.watchdog import tasks_are_stuck

from .conftest import Server

COLUMNS = {"state": "text", "queued_dttm": "timestamptz", "start_date": "timestamptz", "pid": "int"}


@pytest.fixture(scope="module")
def table(server: Server) -> str:
    """Airflow's table of task instances, as far as the watchdog reads it."""
    ensure_embedded_databases(server.settings)
    url = airflow_database_url(server.settings, {}).replace("+psycopg2", "")
    with psycopg.connect(url, autocommit=True) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"create table task_instance ({columns})".encode())
    return url


def fill(url: str, *rows: tuple[str, int | None, int | None, int | None]) -> None:
    """Rows of state, seconds since it was queued, seconds since it was started, process."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate task_instance")
        for state, queued, started, pid in rows:
            connection.execute(
                "insert into task_instance values"
                " (%s, now() - make_interval(secs => %s), now() - make_interval(secs => %s), %s)",
                (state, queued, started, pid),
            )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([("success", 61, 60, 9)], False),
        ([("queued", 10, None, None), ("success", 90, 89, 9)], False),
        ([("queued", 40, None, None), ("success", 41, 40, 9)], False),
        ([("queued", 40, None, None), ("success", 100, 99, 9)], True),
        # The run timed out: its task was skipped, which also gives it a start, but never a process.
        ([("skipped", 100, 45, None), ("queued", 10, None, None)], True),
        ([("skipped", 100, 45, None), ("running", 600, 599, 9)], True),
        ([("queued", 40, None, None), *[("running", 600, 599, 9)] * WORKERS], False),
        ([("skipped", None, 45, None)], False),
    ],
)
def test_tasks_are_stuck_when_they_are_queued_and_none_starts(
    server: Server, table: str, rows: list[tuple[str, int | None, int | None, int | None]], expected: bool
) -> None:
    fill(table, *rows)
    assert tasks_are_stuck(server.settings) is expected


def test_airflows_table_has_the_columns_that_are_read() -> None:
    code = "from airflow.models.taskinstance import TaskInstance as T; print(*T.__table__.columns.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(COLUMNS) <= set(done.stdout.split())
