"""`sos-ops` against a real database: what it prints, and that every wrong input is one line that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set, offer, run_live

SOS_OPS = Path(sys.executable).with_name("sos-ops")


@pytest.fixture
def plant(database: Database) -> Database:
    """A set of over_temp at 55 °C, decided at 00:01."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE})
    make_set(database, "over_temp")
    database.set_clock(at(1))
    offer(database, "keti", [(at(1), "over_temp", 55.0)])
    run_live(database, at(1, 5))
    return database


def run(
    folder: Path, database: Database | None, *arguments: str, **extra: str
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SOS_")}
    environment |= {"SOS_HOME": str(folder / "sos"), **extra}
    if database:
        environment["SOS_DATABASE_URL"] = database.url
    return subprocess.run(
        [str(SOS_OPS), *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


def test_explain_names_the_cause_and_the_tag_past_its_limit(plant: Database, tmp_path: Path) -> None:
    done = run(tmp_path, plant, "explain", "1", "2026-03-01T00:01")
    assert done.returncode == 0
    assert "warning: SoS 0.64" in done.stdout
    assert "weakest tag over_temp" in done.stdout
    assert "over_temp is at or past its own threshold (u = 1.500)" in done.stdout


def test_status_and_sets_show_old_minutes_as_unknown_and_stale(plant: Database, tmp_path: Path) -> None:
    assert "1 warning" in run(tmp_path, plant, "status").stdout
    plant.set_clock(at(4, 1))
    status = run(tmp_path, plant, "status").stdout
    assert "STALE" in status
    assert "0 critical, 0 warning, 1 unknown, 0 safe" in status
    assert "unknown, stale (was warning)" in run(tmp_path, plant, "sets").stdout
    assert json.loads(run(tmp_path, plant, "sets", "--json").stdout)[0]["stale"] is True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "99"], "no set 99"),
        (["explain", "1", "9999-12-31T23:59"], "years 1970 to 2199"),
        (["explain", "1", "0001-01-01T00:00+09:00"], "years 1970 to 2199"),
        (["explain", "1", "yesterday"], "is no time"),
        (["explain", "1", "2026-03-01T00:01:30"], "not on the minute"),
        (["backfill", "--from", "9999-12-31"], "years 1970 to 2199"),
        (["backfill", "--from", "2026-03-02", "--to", "2026-03-01"], "swap them"),
        (["tag", "add", "x", "--partner", "nobody", "--x100", "1", "--xl", "2"], "sos-ops partner add"),
        (["tag", "add", "x", "--partner", "keti", "--x100", "1", "--xl", "1"], "choose two values"),
        (["tag", "add", "x", "--partner", "keti", "--x100", "nan", "--xl", "1"], "finite number"),
        (
            ["tag", "add", "x", "--partner", "keti", "--x100", "1", "--xl", "2", "--limit", "1"],
            "between 0 and 1",
        ),
        (["tag", "add", "x;y", "--partner", "keti", "--x100", "1", "--xl", "2"], "a tag name has"),
        (
            [
                "tag",
                "add",
                "x",
                "--partner",
                "keti",
                "--x100",
                "1",
                "--xl",
                "2",
                "--max-count",
                "99999999999",
            ],
            "range",
        ),
        (["tag", "set", "over_temp", "--x100", "50", "--xl", "40"], "other way round"),
        (["tag", "retire", "nothing"], "no tag 'nothing'"),
        (["partner", "add", "select"], "SQL keyword"),
        (["partner", "add", "x'; drop table"], "use 1 to 31 of a-z"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_a_wrong_input_is_refused_in_words_and_without_a_traceback(
    plant: Database, tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = run(tmp_path, plant, *arguments)
    assert done.returncode != 0
    # A box of the terminal's width may break the sentence.
    words = " ".join(done.stderr.replace("│", " ").split())
    assert says in words
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("SOS_DASHBOARD_PORT", "foo"), ("SOS_SCENARIO", "fire"), ("SOS_DATABASE_URL", "garbage")],
)
def test_a_bad_setting_is_named_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    done = run(tmp_path, None, "status", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"sos-ops: {name}")
    assert len(done.stderr.splitlines()) == 1


def test_where_no_platform_is_none_is_made_by_asking(tmp_path: Path) -> None:
    done = run(tmp_path, None, "status")
    assert done.returncode == 1
    assert "no platform under" in done.stderr
    assert not (tmp_path / "sos").exists()
