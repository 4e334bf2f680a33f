"""What `docs/for-partners.md` tells partners to run works, by a real partner's login."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import psycopg
import pytest

from sos_ops.pipeline.warning_requests import judge_requests
from sos_ops.safety.score import Limits
from sos_ops.settings import CHECKOUT
from sos_ops.store.logins import OWN_VIEWS, give_login
from tests.support.database import Database
from tests.support.plant import furnish

TEXT = (CHECKOUT / "docs" / "for-partners.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


PYTHON = snippets("python")


@pytest.fixture
def plant(database: Database) -> Database:
    """The document's partner: `suresoft`, with usad."""
    furnish(database, {"usad": Limits(0.4, 0.8)}, partner="suresoft")
    furnish(database, {"over_temp": Limits(40.0, 50.0)})
    return database


def run(snippet: str, url: str) -> str:
    environment = {**os.environ, "SOS_PARTNER_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", snippet], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def login(plant: Database) -> str:
    with plant.connect() as connection:
        return give_login(connection, "suresoft", plant.url)


def test_every_python_snippet_runs_and_does_what_it_says(plant: Database, login: str) -> None:
    one_row, many_rows, a_frame, looking, a_wish = PYTHON
    run(one_row, login)
    assert plant.value('select max("VALUE") from keti.suresoft') == 0.21
    run(many_rows, login)
    assert plant.value("select count(*) from keti.suresoft") >= 59
    before = plant.value("select count(*) from sos_ops.result") + plant.value(
        "select count(*) from sos_ops.result_set_aside"
    )
    run(a_frame, login)
    after = plant.value("select count(*) from sos_ops.result") + plant.value(
        "select count(*) from sos_ops.result_set_aside"
    )
    assert after == before + 1
    plant.run(
        "update sos_ops.result set state = 'S', reason = 'stuck', set_aside_id = 0, decided_at = sos_ops.now() "
        "where ts = (select min(ts) from sos_ops.result)"
    )
    assert "stuck" in run(looking, login)
    run(a_wish, login)
    judge_requests(plant.connect)
    assert plant.rows("select state, requested_threshold from sos_ops.warning_request") == [
        ("proposed", 0.75)
    ]


def test_the_sql_snippet_runs(plant: Database, login: str) -> None:
    (statement,) = snippets("sql")
    with psycopg.connect(login, autocommit=True) as session:
        session.execute(statement.encode())
    assert plant.value("select count(*) from keti.suresoft") == 1


def test_the_views_it_names_are_those_there_are() -> None:
    assert set(re.findall(r"^\| `mine\.(\w+)`", TEXT, re.M)) == set(OWN_VIEWS)


INSERT_RETURNING = "insert into suresoft values (now(), 'usad', 1) returning {}"

REFUSALS = {
    "23502": "insert into suresoft values (now(), 'usad', null)",
    "23514": "insert into suresoft values (now() + interval '2 minutes', 'usad', 1)",
    "23503": "insert into suresoft values (now(), 'over_temp', 1)",
    "42501": "select * from suresoft",
    "57014": "set statement_timeout = '50ms'; select pg_sleep(20)",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_has_the_code_that_the_page_tells(plant: Database, login: str, code: str) -> None:
    assert re.search(rf"^\| [^|]*{code}[^|]* \|", TEXT, re.M)
    with psycopg.connect(login, autocommit=True) as session, pytest.raises(psycopg.Error) as refusal:
        session.execute(REFUSALS[code].encode())
    assert refusal.value.sqlstate == code


def test_a_conflict_target_is_refused_as_the_page_says(plant: Database, login: str) -> None:
    with psycopg.connect(login, autocommit=True) as session, pytest.raises(psycopg.Error):
        session.execute(
            'insert into suresoft values (now(), \'usad\', 1) on conflict ("TIMESTAMP", "TAG") do nothing'
        )


@pytest.mark.parametrize(
    ("zone", "taken_as"), [(None, "2026-03-01T00:14:00Z"), ("Asia/Seoul", "2026-02-28T15:14:00Z")]
)
def test_a_time_without_a_zone_is_taken_in_the_zone_of_the_session_which_is_utc_unless_changed(
    plant: Database, login: str, zone: str | None, taken_as: str
) -> None:
    with psycopg.connect(login, autocommit=True) as session:
        if zone:
            session.execute("select set_config('timezone', %s, false)", (zone,))
        session.execute("insert into suresoft values ('2026-03-01 00:14:00', 'usad', 1)")
    assert plant.value("select ts = %s from sos_ops.result", taken_as) is True


def test_returning_a_column_is_refused_as_the_page_says(plant: Database, login: str) -> None:
    with psycopg.connect(login, autocommit=True) as session:
        for columns in ("*", '"TAG"'):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(INSERT_RETURNING.format(columns).encode())
    assert plant.value("select count(*) from keti.suresoft") == 0
