"""A partner's own relation, written by the partner's own login."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from sos_ops.errors import SosOpsError
from sos_ops.store.catalogue import add_partner
from sos_ops.store.logins import give_login
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, at, furnish

NOW = at(30)
INSERT = 'insert into keti ("TIMESTAMP", "TAG", "VALUE") values (%s, %s, %s)'

Connection = psycopg.Connection[tuple[Any, ...]]


def furnished(database: Database) -> Database:
    """Two partners with a tag each; the platform's clock shows half past midnight."""
    database.set_clock(NOW)
    furnish(database, {"over_temp": TEMPERATURE})
    furnish(database, {"usad": TEMPERATURE}, partner="suresoft")
    return database


@contextmanager
def session_of_keti(database: Database) -> Iterator[Connection]:
    """A session of partner `keti`, by the URL it was given."""
    with database.connect() as connection:
        url = give_login(connection, "keti", database.url)
    with psycopg.connect(url, autocommit=True) as session:
        yield session


@pytest.fixture
def plant(database: Database) -> Database:
    """A platform of this test alone."""
    return furnished(database)


@pytest.fixture
def keti(plant: Database) -> Iterator[Connection]:
    """The partner's session there."""
    with session_of_keti(plant) as session:
        yield session


@pytest.fixture(scope="module")
def refusing_plant(cluster: Cluster) -> Iterator[Database]:
    """A platform that refuses whatever its tests try, so that they can share it."""
    with cluster.fresh_database() as database:
        yield furnished(database)


@pytest.fixture
def refused_session(refusing_plant: Database) -> Iterator[Connection]:
    """The partner's session there."""
    with session_of_keti(refusing_plant) as session:
        yield session


def copy_in(session: Connection, rows: Sequence[tuple[datetime, str, float]]) -> None:
    with (
        session.cursor() as cursor,
        cursor.copy('copy keti ("TIMESTAMP", "TAG", "VALUE") from stdin') as copy,
    ):
        for row in rows:
            copy.write_row(row)


def stored(database: Database, partner: str = "keti") -> list[tuple[Any, ...]]:
    return database.rows(f'select * from keti.{partner} order by "TIMESTAMP", "TAG"')  # noqa: S608


def test_the_relation_has_the_documents_columns_and_types(plant: Database) -> None:
    found = plant.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'keti' and table_name = 'keti' order by ordinal_position"
    )
    assert found == [
        ("TIMESTAMP", "timestamp with time zone"),
        ("TAG", "text"),
        ("VALUE", "double precision"),
        ("WARNING_REQUEST", "double precision"),
    ]


def test_a_partner_inserts_its_own_results_stamped_when_they_arrive(
    plant: Database, keti: Connection
) -> None:
    keti.execute(INSERT, (at(29), "over_temp", 41.5))
    keti.execute("insert into keti values (%s, 'over_temp', 42, 49.5)", (NOW,))
    assert stored(plant) == [(at(29), "over_temp", 41.5, None), (NOW, "over_temp", 42.0, 49.5)]
    late = plant.value("select extract(epoch from min(received_at) - %s) from sos_ops.result", NOW)
    assert 0 <= late < 10


def test_a_partner_copies_many_results_at_once(plant: Database, keti: Connection) -> None:
    rows = [(at(minute), "over_temp", 30.0 + minute) for minute in range(30)]
    copy_in(keti, rows)
    assert [row[:3] for row in stored(plant)] == rows


def test_a_bad_row_refuses_its_whole_copy(plant: Database, keti: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        copy_in(keti, [(at(1), "over_temp", 30.0), (at(2), "over_temp", math.nan)])
    assert stored(plant) == []


def test_on_conflict_do_nothing_works(plant: Database, keti: Connection) -> None:
    for _ in range(2):
        keti.execute(
            'insert into keti ("TIMESTAMP", "TAG", "VALUE") values (%s, %s, %s) on conflict do nothing',
            (at(29), "over_temp", 41.5),
        )
    assert len(stored(plant)) == 1


def test_an_equal_second_value_is_nothing_new(plant: Database, keti: Connection) -> None:
    for _ in range(2):
        keti.execute(INSERT, (at(29), "over_temp", 41.5))
    assert len(stored(plant)) == 1
    assert plant.rows("select * from sos_ops.result_set_aside") == []


def test_a_second_different_value_is_set_aside_with_the_reason_and_the_first_stays(
    plant: Database, keti: Connection
) -> None:
    for value in (41.5, 99.0, 99.0, 41.5):
        keti.execute(INSERT, (at(29), "over_temp", value))
    assert stored(plant) == [(at(29), "over_temp", 41.5, None)]
    ((ts, value, reason),) = plant.rows("select ts, value, reason from sos_ops.result_set_aside")
    assert (ts, value) == (at(29), 99.0)
    assert reason == "a different value (41.5) for this tag and TIMESTAMP arrived first"


BAD_ROWS: list[tuple[datetime | str | None, str | None, float | None]] = [
    (NOW, "usad", 41.5),
    (NOW, "no_such_tag", 41.5),
    (NOW, "over_temp' or true --", 41.5),
    (NOW, None, 41.5),
    (NOW, "over_temp", None),
    (None, "over_temp", 41.5),
    (NOW, "over_temp", math.nan),
    (NOW, "over_temp", math.inf),
    (NOW, "over_temp", -math.inf),
    (NOW + timedelta(seconds=90), "over_temp", 41.5),
    ("infinity", "over_temp", 41.5),
    ("-infinity", "over_temp", 41.5),
    ("0044-03-15 BC", "over_temp", 41.5),  # Python has no such time: it would stop every reader
]


@pytest.mark.parametrize(("timestamp", "tag", "value"), BAD_ROWS)
def test_a_row_that_is_no_result_of_the_partner_is_refused_with_the_reason(
    refusing_plant: Database,
    refused_session: Connection,
    timestamp: datetime | str | None,
    tag: str | None,
    value: float | None,
) -> None:
    with pytest.raises(psycopg.IntegrityError) as refusal:
        refused_session.execute(INSERT, (timestamp, tag, value))
    assert refusal.value.diag.message_primary
    assert stored(refusing_plant) == []
    assert stored(refusing_plant, "suresoft") == []


@pytest.mark.parametrize("wish", ["NaN", "Infinity", "-Infinity"])
def test_a_bad_warning_request_does_not_cost_the_result(plant: Database, keti: Connection, wish: str) -> None:
    keti.execute("insert into keti values (%s, 'over_temp', 42, %s)", (NOW, wish))
    keti.execute("insert into keti values (%s, 'over_temp', 43, %s)", (NOW, wish))
    assert stored(plant) == [(NOW, "over_temp", 42.0, None)]
    assert plant.rows("select value, warning_request from sos_ops.result_set_aside") == [(43.0, None)]


def test_a_value_that_is_no_finite_number_is_named(plant: Database, keti: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=r"^VALUE NaN of tag 'over_temp' at"):
        keti.execute("insert into keti values (%s, 'over_temp', 'NaN', 45)", (NOW,))


def test_a_result_may_be_ahead_by_less_than_60_s(plant: Database, keti: Connection) -> None:
    keti.execute(INSERT, (NOW + timedelta(seconds=59), "over_temp", 41.5))
    assert len(stored(plant)) == 1


def test_a_retired_tag_takes_no_results(plant: Database, keti: Connection) -> None:
    plant.run("""delete from keti.tag_list where "TAG" = 'over_temp'""")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        keti.execute(INSERT, (NOW, "over_temp", 41.5))


REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ObjectNotInPrerequisiteState,  # the view takes new rows only, whoever asks
    psycopg.errors.WrongObjectType,
)
NOT_ALLOWED = [
    "insert into suresoft values ('2026-03-01', 'usad', 1)",
    "select * from keti",
    'update keti set "VALUE" = 1',
    "delete from keti",
    "truncate keti",
    "insert into keti values ('2026-03-01', 'over_temp', 1) returning *",
    "select * from suresoft",
    "select * from tag_list",
    "insert into tag_list values ('mine', 'keti', null, 50, 40, 0.8, 2)",
    'update tag_list set "WARNNING_THRESHOLD" = 90',
    "delete from tag_list",
    "select * from tag_combination_map",
    "insert into tag_combination_map (\"TAG_SET\") values ('{over_temp}')",
    "select * from sos",
    "insert into sos values (now(), 1, 1, '{}')",
    "select * from sos_ops.result",
    "insert into sos_ops.result values (1, 1, now(), 1, null, now())",
    "select sos_ops.add_partner('intruder')",
    "update sos_ops.clock set rate = 2",
    "select sos_ops.now()",
    "create table keti.mine (n int)",
    "create table public.mine (n int)",
    "drop view keti",
    "create role intruder",
    "set role sos",
    "copy keti to program 'true'",
]


def test_a_partner_may_do_nothing_else(plant: Database, keti: Connection) -> None:
    for statement in NOT_ALLOWED:
        try:
            keti.execute(statement.encode())
        except REFUSALS:
            continue
        pytest.fail(f"allowed: {statement}")
    assert stored(plant) == []
    assert plant.value('select "WARNNING_THRESHOLD" from keti.tag_list where "TAG" = \'over_temp\'') == 50


def test_a_partner_reaches_no_other_database_of_the_server(plant: Database, keti: Connection) -> None:
    for other in ("airflow", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(keti.info.dsn, password=keti.info.password, dbname=other).close()


def test_a_new_login_of_a_partner_replaces_the_old_password(plant: Database) -> None:
    with plant.connect() as connection:
        old, new = (give_login(connection, "keti", plant.url) for _ in range(2))
    psycopg.connect(new).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(old).close()


GOOD_NAMES = ["a", "k2_x", "x" * 31, "set_aside", "by_arrival", "pkey", "x_pkey"]


def test_every_partner_name_that_the_rules_allow_can_be_used(database: Database) -> None:
    with database.connect() as connection:
        for name in ("x", *GOOD_NAMES):
            add_partner(connection, name)
    assert database.value("select count(*) from sos_ops.partner") == 1 + len(GOOD_NAMES)


BAD_NAMES = [
    "",
    "Keti",
    "1st",
    "_x",
    "a-b",
    "a b",
    "x" * 32,
    "kéti",
    'x"; drop schema keti cascade; --',
    "tag_list",
    "tag_combination_map",
    "sos",
    "pg_",
    "pg_catalog",
    "select",
    "user",
    "order",
    "x\n",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_partner_name_that_could_be_mistaken_is_refused(refusing_plant: Database, name: str) -> None:
    with pytest.raises(SosOpsError), refusing_plant.connect() as connection:
        add_partner(connection, name)
    assert refusing_plant.value("select count(*) from sos_ops.partner") == 2


def test_each_partner_has_its_own_table_and_queries_read_one_parent(
    plant: Database, keti: Connection
) -> None:
    keti.execute(INSERT, (NOW, "over_temp", 41.5))
    assert plant.value("select count(*) from pg_inherits where inhparent = 'sos_ops.result'::regclass") == 2
    assert plant.value("select count(*) from sos_ops.result") == 1
