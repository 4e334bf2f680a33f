"""Onboarding, requests and partners' health on the command line."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sos_ops.cli.app import main
from sos_ops.pipeline.partner_health import measure_partners
from sos_ops.pipeline.warning_requests import judge_requests
from sos_ops.settings import get_settings
from tests.support.database import Database
from tests.support.plant import at

NOW = at(30)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plant(database: Database) -> Database:
    database.set_clock(NOW)
    return database


@pytest.fixture
def run(
    plant: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """`sos-ops` on the test's database: exit code, output, errors."""
    monkeypatch.setenv("SOS_HOME", str(tmp_path / "sos"))
    monkeypatch.setenv("SOS_DATABASE_URL", plant.url)
    get_settings.cache_clear()

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sos-ops", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    yield command
    get_settings.cache_clear()


def done(outcome: tuple[int, str, str]) -> str:
    assert outcome[0] == 0, outcome
    return outcome[1]


@pytest.fixture
def url(run: Run) -> str:
    """Partner `acme` with the tag soh (x100 0.9, xL 0.8: a lower limit), taken on by two commands; its URL."""
    its_url = done(run("partner", "add", "acme"))
    done(run("tag", "add", "soh", "--partner", "acme", "--x100", "0.9", "--xl", "0.8", "--why", "data sheet"))
    return its_url.strip()


def write(url: str, value: float, wish: float | None = None) -> None:
    with psycopg.connect(url) as session:
        session.execute("insert into acme values (%s, 'soh', %s, %s)", (NOW, value, wish))


def test_one_command_takes_a_partner_on_and_prints_only_its_url(plant: Database, url: str) -> None:
    assert len(url.splitlines()) == 1
    write(url, 0.95)
    assert plant.value("select count(*) from keti.acme") == 1


def test_adding_a_partner_twice_is_refused_and_its_password_stays(run: Run, url: str) -> None:
    code, out, err = run("partner", "add", "acme")
    assert (code, out) == (1, "")
    assert "exists already" in err
    psycopg.connect(url).close()


def test_a_new_password_ends_the_old_one_and_its_open_session(plant: Database, run: Run, url: str) -> None:
    with psycopg.connect(url) as session:
        new = done(run("partner", "new-password", "acme")).strip()
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
        session.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url).close()
    write(new, 0.95)


def test_a_partner_is_retired_only_when_that_is_meant(plant: Database, run: Run, url: str) -> None:
    plant.run("insert into keti.tag_combination_map (\"TAG_SET\") values ('{soh}')")
    code, _, err = run("partner", "retire", "acme")
    assert code == 1
    assert "has 1 tags, and 1 sets end with it: 1; say --yes" in err
    write(url, 0.95)
    assert "retired" in done(run("partner", "retire", "acme", "--yes"))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url).close()
    assert done(run("partner", "list")) == ""


def test_every_version_of_the_limits_tells_who_when_and_why(run: Run, url: str) -> None:
    done(run("tag", "set", "soh", "--xl", "0.85", "--why", "older cells"))
    done(run("tag", "set", "soh", "--max-age", "600"))
    versions = json.loads(done(run("tag", "history", "soh", "--json")))
    assert [(v["version"], v["warning_threshold"], v["max_age_s"], v["why"]) for v in versions] == [
        (1, 0.8, 180, "data sheet"),
        (2, 0.85, 180, "older cells"),
        (3, 0.85, 600, "no reason was given"),
    ]
    assert {v["changed_by"] for v in versions} == {getpass.getuser()}
    assert "older cells" in done(run("tag", "history", "soh"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--x100", "0.85", "--xl", "0.85"], "choose two values"),
        (["--x100", "0.8"], "choose two values"),
        (["--xl", "0.95"], "other way round"),
        (["--xl", "nan"], "finite number"),
        (["--limit", "1"], "between 0 and 1"),
        (["--max-age", "0"], "max_age"),
        (["--max-count", "0"], "MAX_COUNT"),
    ],
)
def test_bad_limits_are_refused_in_one_line(run: Run, url: str, words: list[str], says: str) -> None:
    code, _, err = run("tag", "set", "soh", *words)
    assert code == 1
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_request_is_listed_and_approved_with_who_and_why(plant: Database, run: Run, url: str) -> None:
    write(url, 0.95, 0.75)
    judge_requests(plant.connect)
    listed = done(run("requests", "list"))
    assert "loosens the threshold from 0.8 to 0.75" in listed
    assert "1 warning-change requests wait for a person" in done(run("status"))
    code, _, err = run("requests", "approve", "1", "--why", " ")
    assert code == 1
    assert "--why is empty" in err
    assert "limits version 2" in done(run("requests", "approve", "1", "--why", "seen", "--by", "Kim"))
    (request,) = json.loads(done(run("requests", "list", "--all", "--json")))
    assert (request["state"], request["decided_by"], request["reason"]) == ("approved", "Kim", "seen")
    assert "request 1 approved: seen" in done(run("tag", "history", "soh"))
    code, _, err = run("requests", "reject", "1", "--why", "no")
    assert (code, "approved already, by Kim" in err) == (1, True)
    assert "no request 9" in run("requests", "reject", "9", "--why", "no")[2]


def test_tightening_without_a_person_is_switched_on_for_a_tag(plant: Database, run: Run, url: str) -> None:
    assert "tightening waits for a person" in done(run("requests", "rules", "soh"))
    shown = done(
        run("requests", "rules", "soh", "--auto-tighten", "--farthest", "0.75", "--min-interval", "60")
    )
    assert "from 0.89 to 0.75" in shown
    assert "tightening is applied by rule" in shown
    write(url, 0.95, 0.85)
    judge_requests(plant.connect)
    assert "rule: tighten" in done(run("tag", "history", "soh"))
    assert "from 0.89 to 0.7 " in done(run("requests", "rules", "soh", "--default-bounds"))
    code, _, err = run("requests", "rules", "soh", "--nearest", "0.95")
    assert (code, "dangerous side" in err) == (1, True)


def test_health_is_shown_long_and_short(plant: Database, run: Run, url: str) -> None:
    assert "not measured yet" in done(run("partner", "health"))
    write(url, 0.95)
    plant.run("update sos_ops.result set state = 'A', decided_at = sos_ops.now()")
    measure_partners(plant.connect)
    shown = done(run("partner", "health", "acme"))
    assert "soh" in shown
    assert "STALE" not in shown
    (tag,) = json.loads(done(run("partner", "health", "--json")))
    assert tag["hour"]["rows"] == 1
    status = done(run("status"))
    assert "partner acme: 1.0 rows a minute, late by 0 s (p50)" in status
    assert "every tag accepted within" in status
    assert run("partner", "health", "nobody")[0] == 1
    assert json.loads(done(run("status", "--json")))["partners"][0]["partner"] == "acme"


def test_what_is_tested_of_a_tag_is_set_with_who_and_why_shown_and_taken_away(run: Run, url: str) -> None:
    assert "not tested" in done(run("tag", "checks", "soh"))
    set_ = done(
        run("tag", "checks", "soh", "--plausible-low", "0", "--max-rate", "0.5", "--why", "the authors")
    )
    assert "plausible from 0 to anything; at most 0.5 of change a minute. Version 1" in set_
    assert "the authors" in set_
    assert done(run("tag", "checks", "soh")) == set_
    done(run("tag", "checks", "soh", "--plausible-high", "1", "--plausible-low", "-inf", "--max-rate", "inf"))
    found = json.loads(done(run("tag", "checks", "soh", "--json")))
    assert (found["plausible_low"], found["plausible_high"], found["max_rate"]) == (None, 1, None)
    code, _, err = run("tag", "checks", "soh", "--plausible-low", "3")
    assert (code, "3 is not below 1" in err) == (1, True)
    assert "no tag" in run("tag", "checks", "nothing")[2]


def test_a_tag_with_sets_is_retired_only_when_that_is_meant_and_they_are_named(
    plant: Database, run: Run, url: str
) -> None:
    plant.run("select sos_ops.find_or_create_set(array['soh'])")
    code, _, err = run("tag", "retire", "soh")
    assert (code, "1 sets end with tag soh: 1; say --yes" in " ".join(err.split())) == (1, True)
    assert "with it the sets 1" in done(run("tag", "retire", "soh", "--yes"))


def test_a_reason_alone_changes_no_check(run: Run, url: str) -> None:
    code, _, err = run("tag", "checks", "soh", "--why", "only why")
    assert (code, "say what" in err) == (1, True)
