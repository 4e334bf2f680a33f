"""Data Docs: built hourly or when validation failed, kept for a while, whole without a network, and harmless."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from sos_ops.checks.rows import table
from sos_ops.pipeline import data_docs
from sos_ops.pipeline.data_docs import build, builds, report_validation
from sos_ops.pipeline.validate import EXPECTATIONS, validate_new
from sos_ops.store import validation
from sos_ops.store.checks import change_checks
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, offer, run_live, validate

EVIL = "<script/x>"


@pytest.fixture
def plant(database: Database) -> Database:
    """Results of two partners, one of them implausible, of a tag with a name that means something in HTML."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE, EVIL: TEMPERATURE})
    furnish(database, {"soh": TEMPERATURE}, partner="chonnam")
    with database.connect() as connection:
        change_checks(connection, EVIL, plausible_low=-20.0)
    database.set_clock(at(1, 2))
    offer(database, "keti", [(at(1), "over_temp", 30.0), (at(1), EVIL, -250.0)])
    offer(database, "chonnam", [(at(1), "soh", 30.0)])
    run_live(database, at(1, 10))
    return database


def test_the_pages_name_the_findings_load_nothing_from_elsewhere_and_run_nothing(
    plant: Database, tmp_path: Path
) -> None:
    assert build(plant.connect, tmp_path) == 2
    ((run, _),) = builds(tmp_path)
    assert sorted(path.name for path in run.iterdir()) == ["chonnam.html", "index.html", "keti.html"]
    assert run.name in (tmp_path / "index.html").read_text()
    index, keti = (run / "index.html").read_text(), (run / "keti.html").read_text()
    assert "-250 lies outside the plausible range" in index
    assert "7" in keti
    for page in (index, keti):
        assert "<script" not in page
        assert "src=" not in page
        assert "<link" not in page
        assert "http" not in page.replace("http-equiv", "")
    assert 'href="#' in keti


def test_they_are_built_when_an_hour_old_or_when_validation_failed(plant: Database, tmp_path: Path) -> None:
    folder, suites = tmp_path / "docs", tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, suites)
    assert "built" in report_validation(plant.connect, folder)
    assert "new enough" in report_validation(plant.connect, folder)
    plant.set_clock(at(5))
    (suites / "partners").mkdir(exist_ok=True)
    (suites / "partners" / "keti.json").write_text("{")
    offer(plant, "keti", [(at(4), "over_temp", 30.0)])
    assert validate_new(plant.connect, suites).failures
    assert "built" in report_validation(plant.connect, folder, suites)
    assert "FAILED" in (builds(folder)[-1][0] / "index.html").read_text()
    assert "new enough" in report_validation(plant.connect, folder, suites)
    plant.set_clock(at(66))
    assert "built" in report_validation(plant.connect, folder)
    assert len(builds(folder)) == 3


def test_only_the_newest_builds_are_kept(
    plant: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_docs, "RUNS_KEPT", 2)
    for minute in (10, 20, 30):
        plant.set_clock(at(minute))
        build(plant.connect, tmp_path)
    assert [built.replace(second=0, microsecond=0) for _, built in builds(tmp_path)] == [at(20), at(30)]
    assert (tmp_path / "index.html").read_text().count("<li>") == 2


def test_findings_of_90_days_ago_are_forgotten(plant: Database, tmp_path: Path) -> None:
    plant.set_clock(at(1) + timedelta(days=91))
    validate(plant)
    report_validation(plant.connect, tmp_path)
    assert plant.value("select count(*) from sos_ops.validation_run") == 1
    assert plant.value("select count(*) from sos_ops.finding where kind = 'implausible'") == 0


def test_a_value_that_was_set_aside_is_no_base_on_the_pages_either(plant: Database, tmp_path: Path) -> None:
    with plant.connect() as connection:
        change_checks(connection, "over_temp", max_rate=5.0)
    plant.set_clock(at(4, 2))
    offer(plant, "keti", [(at(2), "over_temp", 10.0), (at(3), "over_temp", 30.0), (at(4), "over_temp", 31.0)])
    validate(plant)
    build(plant.connect, tmp_path)
    with plant.connect() as connection:
        rows, counts = validation.read_received(connection, since=at(0), until=at(5), most=10)
    shown = table(rows, counts)
    assert shown[shown["tag"] == "over_temp"]["previous"].tolist()[1:] == [30.0, 30.0, 30.0]
    keti = (builds(tmp_path)[-1][0] / "keti.html").read_text()
    # 10 is a jump and -250 implausible, one of five each; 30 after 10 was none when it was decided.
    assert (keti.count("20% unexpected"), keti.count("40% unexpected")) == (2, 0)


def test_the_index_tells_for_how_many_tags_anything_is_tested(plant: Database, tmp_path: Path) -> None:
    build(plant.connect, tmp_path)
    index = (builds(tmp_path)[-1][0] / "index.html").read_text()
    assert "range tested for 1 of 2 tags, rate 0 of 2, stuck 0 of 2" in index
    assert "range tested for 0 of 1 tags, rate 0 of 1, stuck 0 of 1" in index


def test_the_index_names_a_partner_without_results(plant: Database, tmp_path: Path) -> None:
    furnish(plant, {"silent_tag": TEMPERATURE}, partner="silent")
    assert build(plant.connect, tmp_path) == 2
    index = (builds(tmp_path)[-1][0] / "index.html").read_text()
    assert "<td>silent</td><td>0</td><td>no results</td>" in index
