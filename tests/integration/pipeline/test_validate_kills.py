"""A validation that dies at any statement leaves nothing half decided, and the next one ends as if it had not died."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from sos_ops.pipeline.validate import validate_new
from sos_ops.store.checks import change_checks
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, at, furnish, offer

DYING_RUN = """
import os, signal, sys
import psycopg
from sos_ops.pipeline.validate import validate_new
from sos_ops.store.connection import connect

left = int(sys.argv[2])

def dying(original):
    def call(self, *args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args, **kwargs)
    return call

psycopg.Connection.execute = dying(psycopg.Connection.execute)
psycopg.Connection.commit = dying(psycopg.Connection.commit)
psycopg.Cursor.executemany = dying(psycopg.Cursor.executemany)
validate_new(lambda: connect(sys.argv[1]))
print(int(sys.argv[2]) - left)
"""


@pytest.fixture
def waiting(database: Database) -> Database:
    """Results of two partners that wait for validation: good, doubtful, bad, and a second value."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE})
    furnish(database, {"soh": TEMPERATURE}, partner="chonnam")
    with database.connect() as connection:
        change_checks(connection, "over_temp", plausible_low=-20.0, plausible_high=90.0)
    database.set_clock(at(5))
    offer(
        database,
        "keti",
        [(at(n), "over_temp", value) for n, value in enumerate((30.0, -250.0, 120.0), start=2)],
    )
    offer(database, "keti", [(at(2), "over_temp", 31.0)])
    offer(database, "chonnam", [(at(3), "soh", 30.0)])
    return database


def what_stands(database: Database) -> list[list[tuple[Any, ...]]]:
    return [
        database.rows(
            "select tag_id, ts, value, state, marks, reason from sos_ops.result order by tag_id, ts"
        ),
        database.rows("select kind, count, sentence from sos_ops.finding order by kind, tag_id, sentence"),
        database.rows("select accepted, marked, set_aside, undecided, failures from sos_ops.validation_run"),
        database.rows("select value, counted_at is null from sos_ops.result_set_aside"),
    ]


def test_a_validation_killed_at_any_statement_leaves_nothing_half_decided(
    cluster: Cluster, waiting: Database
) -> None:
    untouched = what_stands(waiting)
    with cluster.fresh_database(like=waiting) as undisturbed:
        ran = subprocess.run(
            [sys.executable, "-c", DYING_RUN, undisturbed.url, "1000"],
            check=True,
            capture_output=True,
            text=True,
        )
        expected, statements = what_stands(undisturbed), int(ran.stdout.split()[-1])
    assert expected != untouched
    assert statements >= 15
    for point in range(5, statements + 1, 4):
        with cluster.fresh_database(like=waiting) as struck:
            died = subprocess.run([sys.executable, "-c", DYING_RUN, struck.url, str(point)], check=False)
            assert died.returncode == -signal.SIGKILL
            assert what_stands(struck) == untouched, f"killed before statement {point} of {statements}"
            validate_new(struck.connect)
            assert what_stands(struck) == expected, f"killed before statement {point} of {statements}"
