"""Tag names with quotes, semicolons, SQL, control characters or 10 KB do no harm, by whichever way they come in."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sos_ops.cli.app import main
from sos_ops.errors import SosOpsError
from sos_ops.settings import get_settings
from sos_ops.store.catalogue import add_tag, change_limits, retire_tag
from sos_ops.store.logins import give_login
from sos_ops.store.page import find_or_create_set
from sos_ops.store.warning_requests import RequestRules, set_request_rules
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set

NOW = at(30)
LINE = 400
"""Characters that a refusal may have."""

NAMES = {
    "a quote": "over_temp' or true --",
    "SQL": "x'; drop table sos_ops.tag; --",
    "a semicolon": "a;b",
    "double quotes": 'over"temp',
    "a dollar quote": "$$; drop schema keti cascade; $$",
    "a format": "%s%I%L{0}",
    "a backslash": "a\\'b",
    "10 KB": "x" * 10_240,
    "10 KB of quotes": "'" * 10_240,
    "10 KB with a site": "s" * 10_240 + "/over_temp",
    "a line break": "over_temp\nover_temp",
    "an escape sequence": "\x1b]0;owned\x07over_temp",
    "a next-line character": "over\u0085temp",
    "a line separator": "over\u2028temp",
    "text running backwards": "over_\u202epmet",
    "nothing to see": "over_temp\u200b",
    "a hard space": "over_temp\u00a0",
    "markup": "[bold]over_temp[/] <b>",
    "nothing": "",
    "a path": "../../etc/passwd",
}

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def plant(cluster: Cluster) -> Iterator[Database]:
    """Partner `keti` with over_temp and a set of it; whatever the tests try is refused, so that they share it."""
    with cluster.fresh_database() as database:
        database.set_clock(NOW)
        furnish(database, {"over_temp": TEMPERATURE})
        make_set(database, "over_temp")
        yield database


@pytest.fixture(params=list(NAMES.values()), ids=list(NAMES))
def name(request: pytest.FixtureRequest, plant: Database) -> Iterator[str]:
    """A name; afterwards everything is as it was."""
    before = everything(plant)
    yield request.param
    assert everything(plant) == before


def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    return [
        database.rows(query)
        for query in (
            "select x::text from sos_ops.tag as x order by 1",
            "select x::text from sos_ops.tag_limits as x order by 1",
            "select x::text from sos_ops.site as x order by 1",
            "select x::text from sos_ops.tag_set as x order by 1",
            "select x::text from sos_ops.warning_request_rule as x order by 1",
            "select x::text from keti.keti as x order by 1",
            "select nspname, relname from pg_class join pg_namespace as n on n.oid = relnamespace "
            "where nspname in ('sos_ops', 'keti', 'mine') order by 1, 2",
        )
    ]


def refused(database: Database, statement: str, *parameters: Any, url: str | None = None) -> None:
    with psycopg.connect(url or database.url, autocommit=True) as session:
        with pytest.raises((psycopg.IntegrityError, psycopg.DataError)) as refusal:
            session.execute(statement.encode(), parameters)
        assert 0 < len(refusal.value.diag.message_primary or "") < LINE
        assert session.execute("select 1").fetchone() == (1,)


def test_through_a_partners_door(plant: Database, name: str) -> None:
    with plant.connect() as connection:
        url = give_login(connection, "keti", plant.url)
    refused(plant, "insert into keti values (%s, %s, 41)", NOW, name, url=url)
    with psycopg.connect(url, autocommit=True) as session, pytest.raises(psycopg.IntegrityError):
        copy_in(session, [(NOW, "over_temp", 41.0), (NOW, name, 41.0)])


def copy_in(session: Connection, rows: Sequence[tuple[datetime, str, float]]) -> None:
    with (
        session.cursor() as cursor,
        cursor.copy('copy keti ("TIMESTAMP", "TAG", "VALUE") from stdin') as copy,
    ):
        for row in rows:
            copy.write_row(row)


def test_into_tag_list(plant: Database, name: str) -> None:
    insert = (
        'insert into keti.tag_list ("TAG", "TABLE_NAME", "WARNNING_THRESHOLD", "MAXIMUM_SAFE_VALUE") '
        "values (%s, %s, 50, 40)"
    )
    refused(plant, insert, name, "keti")
    refused(plant, insert, "soh", name)
    with psycopg.connect(plant.url) as session:
        changed = session.execute("""update keti.tag_list set "ACTION" = 'x' where "TAG" = %s""", (name,))
        assert changed.rowcount == 0


def test_into_tag_combination_map(plant: Database, name: str) -> None:
    insert = 'insert into keti.tag_combination_map ("TAG_SET") values (%s)'
    refused(plant, insert, [name])
    refused(plant, insert, ["over_temp", name])
    refused(plant, insert, [name] * 4)


def test_through_the_stores_own_functions(plant: Database, name: str) -> None:
    with pytest.raises(SosOpsError) as refusal, plant.connect() as connection:
        add_tag(connection, name, partner="keti", limits=TEMPERATURE)
    assert len(str(refusal.value)) < LINE
    for attempt in (
        lambda c: change_limits(c, name, warning_threshold=45.0),
        lambda c: retire_tag(c, name),
        lambda c: find_or_create_set(c, [name]),
        lambda c: set_request_rules(c, name, RequestRules()),
    ):
        with pytest.raises(SosOpsError) as refusal, plant.connect() as connection:
            attempt(connection)
        assert len(str(refusal.value)) < LINE


COMMANDS = [
    ["tag", "add", "NAME", "--partner", "keti", "--x100", "40", "--xl", "50"],
    ["tag", "add", "soh", "--partner", "NAME", "--x100", "40", "--xl", "50"],
    ["tag", "set", "NAME", "--xl", "45"],
    ["tag", "history", "NAME"],
    ["tag", "retire", "NAME", "--yes"],
    ["requests", "rules", "NAME", "--auto-tighten"],
    ["partner", "add", "NAME"],
    ["partner", "new-password", "NAME"],
    ["partner", "retire", "NAME", "--yes"],
    ["partner", "health", "NAME"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_on_the_command_line(
    plant: Database,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOS_HOME", str(tmp_path / "sos"))
    monkeypatch.setenv("SOS_DATABASE_URL", plant.url)
    get_settings.cache_clear()
    before = everything(plant)
    try:
        for name in NAMES.values():
            words = ["sos-ops", *(name if word == "NAME" else word for word in command)]
            monkeypatch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as end:
                main()
            said = capsys.readouterr()
            assert (end.value.code, said.out) == (1, "")
            assert said.err.startswith("sos-ops: ")
            assert len(said.err.splitlines()) == 1
            assert len(said.err) < LINE
            assert said.err.rstrip("\n").isprintable()
    finally:
        get_settings.cache_clear()
    assert everything(plant) == before
