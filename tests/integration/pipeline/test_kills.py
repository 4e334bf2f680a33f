"""A scoring process that dies at any statement leaves, after the next run, no duplicate and no gap."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from sos_ops.errors import DatabaseUnavailableError
from sos_ops.pipeline.score import close_minutes
from tests.support.database import Cluster, Database
from tests.support.plant import (
    TEMPERATURE,
    at,
    furnish,
    make_set,
    offer,
    run_live,
    scores_and_sos,
    validate,
)

KILL_POINTS = 14
RUN_AT = at(90, 10)


@pytest.fixture
def behind(database: Database) -> Database:
    """A platform with an hour and more to close, minutes to revise, and results that came late."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE, "soh": TEMPERATURE})
    make_set(database, "over_temp")
    make_set(database, "over_temp", "soh")
    for minute in (1, 2, 3):
        run_live(database, at(minute, 10))
    database.set_clock(at(4))
    offer(database, "keti", [(at(minute), "over_temp", 46.0) for minute in (1, 2, 3, 4)])
    database.set_clock(at(90))
    offer(database, "keti", [(at(minute), "soh", 51.0) for minute in range(20, 91, 2)])
    run_live(database, at(4, 10))
    database.set_clock(at(5))
    offer(database, "keti", [(at(3), "soh", 48.0)])
    database.set_clock(RUN_AT)
    validate(database)
    return database


def revisions(database: Database) -> list[tuple[Any, ...]]:
    return database.rows(
        "select 'set', minute, set_id, value, upper, known::int, null from sos_ops.sos_revision union all "
        "select 'tag', minute, tag_id, value, score, null, missing from sos_ops.tag_score_revision order by 1, 2, 3, 4"
    )


@contextmanager
def at_each_statement(
    monkeypatch: pytest.MonkeyPatch, strike: Callable[[Any, int], None]
) -> Iterator[list[int]]:
    """Calls `strike(connection, n)` before the n-th statement of any connection; gives the count."""
    counted = [0]

    def counting(original: Callable[..., Any], connection_of: Callable[[Any], Any]) -> Callable[..., Any]:
        def counted_call(self: Any, *args: Any, **kwargs: Any) -> Any:
            counted[0] += 1
            strike(connection_of(self), counted[0])
            return original(self, *args, **kwargs)

        return counted_call

    with monkeypatch.context() as patch:
        connection, cursor = psycopg.Connection, psycopg.Cursor
        patch.setattr(connection, "execute", counting(connection.execute, lambda self: self))
        patch.setattr(connection, "commit", counting(connection.commit, lambda self: self))
        patch.setattr(cursor, "copy", counting(cursor.copy, lambda self: self.connection))
        yield counted


def test_losing_the_session_before_any_statement_leaves_no_duplicate_and_no_gap(
    cluster: Cluster, behind: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def live(database: Database) -> None:
        with database.connect() as connection:
            list(close_minutes(connection))

    with cluster.fresh_database(like=behind) as undisturbed:
        with at_each_statement(monkeypatch, lambda _connection, _n: None) as counted:
            live(undisturbed)
        expected, expected_revisions = scores_and_sos(undisturbed), revisions(undisturbed)
    statements = counted[0]
    assert statements > 3 * KILL_POINTS
    assert {row[0] for row in expected[1]} == {at(minute) for minute in range(1, 91)}
    assert expected_revisions

    for point in sorted({1 + round(k * (statements - 1) / (KILL_POINTS - 1)) for k in range(KILL_POINTS)}):

        def strike(connection: Any, n: int, its_point: int = point) -> None:
            if n == its_point:
                terminate(connection.info.backend_pid, behind.url)

        with cluster.fresh_database(like=behind) as struck:
            with at_each_statement(monkeypatch, strike), suppress(DatabaseUnavailableError):
                live(struck)
                assert point == statements, "only after the last statement nothing is left to fail"
            live(struck)
            assert scores_and_sos(struck) == expected, f"struck before statement {point} of {statements}"
            assert revisions(struck) == expected_revisions, f"struck before statement {point} of {statements}"


def terminate(backend_pid: int, url: str) -> None:
    """Ends a session of the server, as the death of its client would, and waits until it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select pg_terminate_backend(%s, 10000)", (backend_pid,)).fetchone()
    assert row == (True,)


DYING_RUN = """
import os, signal, sys
import psycopg
from sos_ops.pipeline.score import close_minutes
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
psycopg.Cursor.copy = dying(psycopg.Cursor.copy)
with connect(sys.argv[1]) as connection:
    list(close_minutes(connection))
"""


def test_a_run_that_is_killed_leaves_no_duplicate_and_no_gap(cluster: Cluster, behind: Database) -> None:
    with cluster.fresh_database(like=behind) as undisturbed:
        run_live(undisturbed, RUN_AT)
        expected, expected_revisions = scores_and_sos(undisturbed), revisions(undisturbed)
    for statement in (18, 45):
        with cluster.fresh_database(like=behind) as struck:
            died = subprocess.run([sys.executable, "-c", DYING_RUN, struck.url, str(statement)], check=False)
            assert died.returncode == -signal.SIGKILL
            run_live(struck, RUN_AT)
            assert scores_and_sos(struck) == expected
            assert revisions(struck) == expected_revisions
