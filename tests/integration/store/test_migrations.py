"""Migrations bring any database to this version's schema, once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from sos_ops.store.migrate import migrate
from tests.support.database import Database


def test_a_migrated_database_has_nothing_left_to_migrate(database: Database) -> None:
    assert migrate(database.url) == []


def test_a_fresh_platform_shows_the_machines_time(database: Database) -> None:
    assert abs(database.value("select extract(epoch from sos_ops.now() - clock_timestamp())")) < 1


def test_the_server_is_postgresql_18(database: Database) -> None:
    assert database.value("show server_version").startswith("18.")


def test_sessions_that_make_a_days_partitions_at_the_same_moment_do_not_collide(database: Database) -> None:
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.url) as first:
        first.execute("select sos_ops.ensure_days('2026-03-01', '2026-03-02')")
        second = pool.submit(database.value, "select sos_ops.ensure_days('2026-03-01', '2026-03-03')")
        wait_until_it_waits(database)
        first.commit()
        assert second.result(timeout=30) == 4
    assert database.value("select count(*) from pg_inherits where inhparent = 'sos_ops.sos'::regclass") == 3


def wait_until_it_waits(database: Database) -> None:
    """Returns as soon as a session of this database waits for an advisory lock."""
    deadline = time.monotonic() + 30
    query = (
        "select count(*) from pg_locks where locktype = 'advisory' and not granted "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    while database.value(query) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
