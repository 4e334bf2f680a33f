"""Partners' logins: taken on, kept small, given a new password, ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.pipeline.partner_health import end_long_partner_sessions
from sos_ops.settings import SQL_DIR
from sos_ops.store.catalogue import add_partner, add_tag, partner_names, retire_partner, what_retires_with
from sos_ops.store.logins import end_login, end_long_sessions, end_sessions, give_login, loose_ends
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set

NOW = at(30)


@pytest.fixture
def plant(database: Database) -> Database:
    """Partners `keti` and `suresoft` with a tag each, and sets of them."""
    database.set_clock(NOW)
    furnish(database, {"over_temp": TEMPERATURE})
    furnish(database, {"usad": TEMPERATURE}, partner="suresoft")
    for tags in (["over_temp"], ["usad"], ["over_temp", "usad"]):
        make_set(database, *tags)
    return database


def login(database: Database, name: str = "keti") -> str:
    with database.connect() as connection:
        return give_login(connection, name, database.url)


def test_a_partner_has_three_connections_and_no_more(plant: Database) -> None:
    url = login(plant)
    sessions = [psycopg.connect(url) for _ in range(3)]
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        psycopg.connect(url).close()
    for session in sessions:
        session.close()


def test_a_session_begins_with_its_door_in_sight_and_its_timeouts_set(plant: Database) -> None:
    with psycopg.connect(login(plant)) as session:
        settings = {
            name: session.execute("select current_setting(%s)", (name,)).fetchone()
            for name in (
                "search_path", "TimeZone", "statement_timeout", "idle_in_transaction_session_timeout",
                "transaction_timeout", "temp_file_limit", "log_min_error_statement",
            )
        }  # fmt: skip
    assert {name: row[0] for name, row in settings.items() if row} == {
        "search_path": "keti",
        "TimeZone": "UTC",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "transaction_timeout": "5min",
        "temp_file_limit": "256MB",
        "log_min_error_statement": "panic",
    }


def test_a_new_password_ends_the_old_one_and_what_the_partner_had_set_for_itself(plant: Database) -> None:
    old = login(plant)
    with psycopg.connect(old, autocommit=True) as session:
        session.execute("alter role current_user set statement_timeout = 0")
        session.execute(
            f"alter role current_user in database {session.info.dbname} set statement_timeout = 0".encode()
        )
    new = login(plant)
    assert urlsplit(new).password != urlsplit(old).password
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(old).close()
    with psycopg.connect(new) as session:
        assert session.execute("show statement_timeout").fetchone() == ("30s",)


def test_the_password_is_kept_nowhere(plant: Database) -> None:
    password = urlsplit(login(plant)).password
    assert password is not None
    kept = plant.value("select rolpassword from pg_authid where rolname = 'partner_keti'")
    assert kept.startswith("SCRAM-SHA-256$")
    assert password not in kept


def test_nobody_unknown_or_retired_gets_a_login(plant: Database) -> None:
    with plant.connect() as connection:
        retire_partner(connection, "keti")
    for name in ("keti", "nobody", "x" * 10_000, "a'; drop role sos; --"):
        with pytest.raises(UnknownNameError, match="no partner"), plant.connect() as connection:
            give_login(connection, name, plant.url)


def test_a_role_of_that_name_that_may_more_is_not_taken_for_a_partners(plant: Database) -> None:
    with plant.connect() as connection:
        add_partner(connection, "chief")
    plant.run("create role partner_chief login createrole in role pg_read_all_data")
    try:
        with pytest.raises(SosOpsError, match=r"createrole, member of pg_read_all_data.*another name"):
            login(plant, "chief")
    finally:
        plant.run("drop role partner_chief")


def test_retiring_a_partner_ends_its_login_its_sessions_its_tags_and_their_sets_only(plant: Database) -> None:
    url = login(plant)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("insert into keti values (%s, 'over_temp', 41)", (NOW,))
        with plant.connect() as connection:
            assert what_retires_with(connection, "keti") == (["over_temp"], [1, 3])
            assert retire_partner(connection, "keti") == 1
            end_login(connection, "keti")
        with plant.connect() as connection:
            assert end_sessions(connection, "keti") == 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|password"):
        psycopg.connect(url).close()
    assert plant.rows('select "SET_ID" from keti.tag_combination_map') == [(2,)]
    assert plant.rows('select "TAG" from keti.tag_list') == [("usad",)]
    assert plant.value("select count(*) from sos_ops.result") == 1
    with plant.connect() as connection:
        assert partner_names(connection) == ["suresoft"]


def test_a_retired_partner_takes_no_tags_and_can_be_brought_back(plant: Database) -> None:
    with plant.connect() as connection:
        retire_partner(connection, "keti")
    with pytest.raises(SosOpsError, match="no partner named 'keti'"), plant.connect() as connection:
        add_tag(connection, "soh", partner="keti", limits=TEMPERATURE)
    with plant.connect() as connection:
        add_partner(connection, "keti")
        add_tag(connection, "soh", partner="keti", limits=TEMPERATURE)
    with psycopg.connect(login(plant), autocommit=True) as session:
        session.execute("insert into keti values (%s, 'soh', 41)", (NOW,))
    assert plant.value("select count(*) from sos_ops.result") == 1


def test_a_session_whose_transaction_is_too_old_is_ended_and_no_other(plant: Database) -> None:
    with psycopg.connect(login(plant)) as slow, psycopg.connect(login(plant, "suresoft")) as idle:
        idle.autocommit = True
        slow.execute("set statement_timeout = 0")
        slow.execute("set idle_in_transaction_session_timeout = 0")
        idle.execute("select 1")
        assert end_long_partner_sessions(plant.connect).startswith("0 sessions")
        older_than(plant, "partner_keti", 0.2)
        with plant.connect() as connection:
            assert end_long_sessions(connection, longest_s=0.2) == 1
        with pytest.raises(psycopg.OperationalError):
            slow.execute("select 1")
        idle.execute("select 1")
        slow.close()


def older_than(database: Database, role: str, seconds: float) -> None:
    """Returns when the role's transaction is so old."""
    query = "select clock_timestamp() - xact_start > make_interval(secs => %s) from pg_stat_activity where usename = %s"
    deadline = time.monotonic() + 30
    while not database.value(query, seconds, role):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def platform_without_superuser(database: Database, *, owns_database: bool) -> Iterator[Database]:
    """The same database as a platform's login sees it that is no superuser; what is in it belongs to it."""
    name = urlsplit(database.url).path.lstrip("/")
    database.run("create role modest login createrole password 'modest'")
    try:
        if owns_database:
            database.run(f"alter database {name} owner to modest")
        # What a migration by that login would have made.
        database.run(
            "do $$ declare r record; begin "
            "for r in select oid::regnamespace as n from pg_namespace "
            "where nspname in ('sos_ops', 'keti', 'mine') loop "
            "execute format('alter schema %%s owner to modest', r.n); end loop; "
            "for r in select c.oid::regclass as n, c.relkind from pg_class as c "
            "where c.relnamespace::regnamespace::text in ('sos_ops', 'keti', 'mine') "
            "and c.relkind in ('r', 'p', 'v') loop "
            "execute format('alter %%s %%s owner to modest', case r.relkind when 'v' then 'view' else 'table' end, "
            "r.n); "
            "end loop; "
            "for r in select p.oid::regprocedure as n from pg_proc as p where p.pronamespace::regnamespace::text "
            "= 'sos_ops' loop execute format('alter function %%s owner to modest', r.n); end loop; end $$"
        )
        url = urlsplit(database.url)
        yield Database(url._replace(netloc=f"modest:modest@{url.hostname}:{url.port}").geturl())
    finally:
        if owns_database:
            database.run(f"alter database {name} owner to sos")
        database.run("reassign owned by modest to sos")
        database.run("drop owned by modest cascade")
        database.run("drop role modest")


def forget_roles(database: Database, *names: str) -> None:
    """Roles that other tests left on the server: a login that is no superuser may only change those it made."""
    for name in names:
        if database.value("select count(*) from pg_roles where rolname = %s", f"partner_{name}"):
            database.run(f"drop owned by partner_{name}")
            database.run(f"drop role partner_{name}")


def test_a_platform_whose_login_is_no_superuser_takes_partners_on_and_tells_what_it_cannot_close(
    plant: Database,
) -> None:
    with platform_without_superuser(plant, owns_database=True) as modest:
        with modest.connect() as connection:
            add_partner(connection, "modestly")
            add_tag(connection, "soh", partner="modestly", limits=TEMPERATURE)
        for _ in range(2):
            url = login(modest, "modestly")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("insert into modestly values (%s, 'soh', 41)", (NOW,))
            for statement in (
                "create temp table new (n int)",
                "select * from modestly",
                "create table new (n int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())
        plant.run("grant execute on function pg_advisory_lock(bigint) to public")
        with modest.connect() as connection:
            assert any("advisory" in line for line in loose_ends(connection, "modestly"))
        forget_roles(plant, "modestly")


def test_a_login_that_could_make_tables_in_anothers_database_is_refused_with_what_to_do(
    plant: Database,
) -> None:
    with platform_without_superuser(plant, owns_database=False) as modest:
        with modest.connect() as connection:
            add_partner(connection, "modestly")
        with pytest.raises(
            SosOpsError, match=r"revoke create, temporary on database|CREATEROLE and its database"
        ):
            login(modest, "modestly")
        assert plant.value("select count(*) from pg_roles where rolname = 'partner_modestly'") == 0


def test_other_databases_that_a_login_may_connect_to_are_told(plant: Database) -> None:
    login(plant)
    name = urlsplit(plant.url).path.lstrip("/") + "_other"
    with psycopg.connect(plant.url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    try:
        with plant.connect() as connection:
            (line,) = loose_ends(connection, "keti")
        assert name in line
    finally:
        with psycopg.connect(plant.url, autocommit=True) as connection:
            connection.execute(f"drop database {name}".encode())


@contextmanager
def database_of_before(database: Database, revision: str) -> Iterator[Database]:
    """An empty database brought to the schema before that migration."""
    url = urlsplit(database.url)
    name = url.path.lstrip("/") + "_before"
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    try:
        before = Database(url._replace(path=f"/{name}").geturl())
        for file in migrations():
            if file.stem < revision:
                apply(before, file)
        yield before
    finally:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def migrations() -> list[Path]:
    return sorted((SQL_DIR / "migrations").glob("*.sql"))


def apply(database: Database, file: Path) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(file.read_bytes())


def test_a_partner_of_before_keeps_its_login_and_gets_what_is_new(database: Database) -> None:
    with database_of_before(database, "0010") as before:
        before.run("select sos_ops.add_partner('elder')")
        before.run("select sos_ops.add_tag('soh', 'elder', 40, 50)")
        before.run("create role partner_elder login password 'elder'")
        before.run("grant usage on schema keti to partner_elder")
        before.run("grant insert on keti.elder to partner_elder")
        for file in migrations():
            if file.stem >= "0010":
                apply(before, file)
        url = urlsplit(before.url)
        login_url = url._replace(netloc=f"partner_elder:elder@{url.hostname}:{url.port}").geturl()
        with psycopg.connect(login_url, autocommit=True) as session:
            session.execute("insert into keti.elder values (now(), 'soh', 41, 45)")
            assert session.execute('select "VALUE", "WARNING_REQUEST" from mine.result').fetchall() == [
                (41.0, 45.0)
            ]
            for statement in (
                "create temp table new (n int)",
                "select pg_advisory_lock(1)",
                "select sos_ops.now()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())
        assert before.value("select count(*) from sos_ops.warning_ask") == 1
        assert before.value("select why from sos_ops.tag_limits") == "no reason was given"
        forget_roles(before, "elder")
