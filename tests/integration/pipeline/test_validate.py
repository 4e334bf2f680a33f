"""The second door: planted bad rows of every kind end exactly in the state they should, and nothing else moves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sos_ops.pipeline.history import fill
from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.pipeline.score import close_minutes
from sos_ops.pipeline.validate import EXPECTATIONS, ValidationReport, validate_new
from sos_ops.safety.score import Limits
from sos_ops.store.checks import change_checks
from sos_ops.store.explanations import explain
from sos_ops.store.validation import recent_findings, validation_state
from tests.support.database import Cluster, Database
from tests.support.plant import (
    TEMPERATURE,
    at,
    everything_decided,
    furnish,
    make_set,
    offer,
    run_live,
    scores_and_sos,
    sos_rows,
    validate,
)

COLD = Limits(10.0, 0.0)
HEALTHY = 30.0
Rows = Iterable[tuple[datetime, str, float]]


@pytest.fixture
def plant(database: Database) -> Database:
    """An upper and a lower limit with ranges, rates and stuck limits; `soh` of another partner without any."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE, "under_temp": COLD})
    furnish(database, {"soh": TEMPERATURE}, partner="chonnam")
    for tag in ("over_temp", "under_temp"):
        checks(database, tag, plausible_low=-20.0, plausible_high=90.0)
    for tags in (["over_temp"], ["under_temp"], ["soh"], ["over_temp", "soh"]):
        make_set(database, *tags)
    return database


def checks(database: Database, tag: str, **asked: float) -> None:
    with database.connect() as connection:
        change_checks(connection, tag, **asked)


def live(database: Database, minute: int, *rows: tuple[str, float], partner: str = "keti") -> None:
    """These results for the minute, and its live run."""
    database.set_clock(at(minute, 2))
    offer(database, partner, [(at(minute), tag, value) for tag, value in rows])
    run_live(database, at(minute, 10))


def live_rows(
    database: Database, folder: Path, minute: int, rows: list[tuple[datetime, str, float]]
) -> ValidationReport:
    """These results of keti, and their validation by the suites in the folder."""
    database.set_clock(at(minute, 30))
    offer(database, "keti", rows)
    return validate_new(database.connect, folder)


def states(database: Database, tag: str = "over_temp") -> list[tuple[float, str, list[str] | None]]:
    """Value, state and marks of the tag's results by TIMESTAMP."""
    return database.rows(
        "select value, state::text, marks from sos_ops.result join sos_ops.tag using (tag_id) "
        "where tag = %s order by ts",
        tag,
    )  # type: ignore[return-value]


def reason(database: Database, tag: str = "over_temp") -> str:
    return str(database.value("select reason from sos_ops.result join sos_ops.tag using (tag_id) "
                              "where tag = %s order by ts desc limit 1", tag))  # fmt: skip


def kinds(database: Database) -> set[str]:
    with database.connect() as connection:
        return {finding.kind for finding in recent_findings(connection, at(-60))}


DANGER = ["implausible", "unlikely_towards_danger"]


@pytest.mark.parametrize(
    ("tag", "value", "state", "marks", "band"),
    [
        ("over_temp", 30.0, "A", None, "safe"),
        ("over_temp", 90.0, "A", None, "critical"),
        ("over_temp", 120.0, "A", DANGER, "critical"),
        ("over_temp", -250.0, "S", None, "unknown"),
        ("under_temp", -250.0, "A", DANGER, "critical"),
        ("under_temp", 120.0, "S", None, "unknown"),
        ("under_temp", -20.0, "A", None, "critical"),
    ],
)
def test_an_implausible_value_is_set_aside_towards_safety_and_counts_towards_danger(
    plant: Database, tag: str, value: float, state: str, marks: list[str] | None, band: str
) -> None:
    live(plant, 1, (tag, value))
    assert states(plant, tag) == [(value, state, marks)]
    assert sos_rows(plant)[at(1), 1 if tag == "over_temp" else 2].band == band


def test_a_set_aside_value_makes_its_sets_unknown_with_the_reason_never_safe(plant: Database) -> None:
    live(plant, 1, ("over_temp", -250.0))
    row = sos_rows(plant)[at(1), 1]
    assert (row.value, row.band, row.missing) == (None, "unknown", "over_temp:set_aside")
    assert reason(plant) == "-250 lies outside the plausible range of -20 to 90"
    with plant.connect() as connection:
        explained = explain(connection, 1, at(1))
    assert explained.parts[0].missing_reason == "set_aside"
    assert "-250.0 of 2026-03-01 00:01:00 UTC" in explained.changes[0]
    assert "was set aside" in explained.changes[0]
    assert explained.changes[0].endswith("plausible range of -20 to 90")


def test_after_a_set_aside_value_the_older_accepted_one_counts_as_long_as_it_is_fresh(
    plant: Database,
) -> None:
    live(plant, 1, ("over_temp", 46.0))
    for minute in (2, 3, 4):
        live(plant, minute, ("over_temp", -250.0))
    rows = sos_rows(plant)
    assert [rows[at(minute), 1].value is None for minute in (1, 2, 3, 4)] == [False, False, False, True]
    assert rows[at(4), 1].missing == "over_temp:set_aside"


def test_explain_names_the_doubt_about_a_value_that_counts(plant: Database) -> None:
    live(plant, 1, ("over_temp", 120.0))
    with plant.connect() as connection:
        (part,) = explain(connection, 1, at(1)).parts
    assert part.marks == tuple(DANGER)
    assert part.doubt == "120 lies outside the plausible range of -20 to 90; it points to danger"
    assert part.f is not None


def test_without_configured_checks_nothing_is_discarded(plant: Database) -> None:
    for minute, value in enumerate((30.0, -1e9, 1e300, -1e300, 30.0), start=1):
        live(plant, minute, ("soh", value), partner="chonnam")
    assert {state for _, state, _ in states(plant, "soh")} == {"A"}
    assert kinds(plant) == set()


def test_a_jump_towards_safety_is_set_aside_until_there_was_time_for_it(plant: Database) -> None:
    checks(plant, "over_temp", max_rate=10.0)
    live(plant, 1, ("over_temp", 55.0))
    for minute in (2, 3, 4, 5):
        live(plant, minute, ("over_temp", 20.0))
    assert [state for _, state, _ in states(plant)] == ["A", "S", "S", "S", "A"]
    assert "jump" in kinds(plant)


def test_a_jump_towards_danger_counts_and_is_marked(plant: Database) -> None:
    checks(plant, "over_temp", max_rate=5.0)
    checks(plant, "under_temp", max_rate=5.0)
    live(plant, 1, ("over_temp", 20.0), ("under_temp", 20.0))
    live(plant, 2, ("over_temp", 60.0), ("under_temp", -10.0))
    for tag in ("over_temp", "under_temp"):
        assert states(plant, tag)[1][1:] == ("A", ["jump", "unlikely_towards_danger"])
    assert sos_rows(plant)[at(2), 1].band == "warning"


def test_a_jump_that_stays_beyond_the_limit_counts_although_it_falls(plant: Database) -> None:
    checks(plant, "over_temp", max_rate=5.0)
    live(plant, 1, ("over_temp", 80.0))
    live(plant, 2, ("over_temp", 51.0))
    assert states(plant)[1][1:] == ("A", ["jump", "unlikely_towards_danger"])


def test_an_hours_backlog_is_judged_as_if_every_minute_had_been_validated_alone(
    cluster: Cluster, plant: Database
) -> None:
    checks(plant, "over_temp", max_rate=10.0)
    values = [30.0, 31.0, 80.0, 20.0, 21.0, 22.0, 60.0, 59.0, 10.0, 10.0, 10.0, 10.0, 11.0, 70.0, 20.0]
    with cluster.fresh_database(like=plant) as alone:
        for minute, value in enumerate(values, start=1):
            live(alone, minute, ("over_temp", value))
        expected = states(alone)
    plant.set_clock(at(len(values), 2))
    offer(plant, "keti", [(at(minute), "over_temp", value) for minute, value in enumerate(values, start=1)])
    validate(plant)
    assert states(plant) == expected
    assert {"A", "S"} == {state for _, state, _ in expected}


def test_a_stuck_safe_value_is_set_aside_and_a_stuck_dangerous_one_counts(plant: Database) -> None:
    for tag in ("over_temp", "under_temp"):
        checks(plant, tag, stuck_minutes=3.0)
    for minute in range(1, 7):
        live(plant, minute, ("over_temp", 25.0), ("under_temp", -1.0))
    assert [state for _, state, _ in states(plant)] == ["A", "A", "A", "S", "S", "S"]
    assert {state for _, state, _ in states(plant, "under_temp")} == {"A"}
    assert states(plant, "under_temp")[-1][2] == ["stuck", "unlikely_towards_danger"]
    live(plant, 7, ("over_temp", 25.1))
    assert states(plant)[-1][1] == "A"


def test_two_equal_values_far_apart_are_not_stuck(plant: Database) -> None:
    checks(plant, "over_temp", stuck_minutes=3.0)
    live(plant, 1, ("over_temp", 25.0))
    live(plant, 9, ("over_temp", 25.0))
    assert [state for _, state, _ in states(plant)] == ["A", "A"]


def test_a_second_value_is_counted_once_and_marks_the_first(plant: Database) -> None:
    plant.set_clock(at(1, 2))
    offer(plant, "keti", [(at(1), "over_temp", 30.0), (at(1), "over_temp", 31.0)])
    run_live(plant, at(1, 10))
    run_live(plant, at(1, 20))
    assert states(plant) == [(30.0, "A", ["second_value"])]
    with plant.connect() as connection:
        found = [f for f in recent_findings(connection, at(0)) if f.kind == "second_value"]
    assert sorted(f.count for f in found) == [1, 1]
    assert kinds(plant) == {"second_value"}


def test_a_late_result_is_validated_counts_and_is_counted_late(plant: Database) -> None:
    for minute in range(1, 12):
        run_live(plant, at(minute, 10))
    plant.set_clock(at(11, 30))
    offer(plant, "keti", [(at(3), "over_temp", 46.0), (at(4), "over_temp", -250.0)])
    run_live(plant, at(12, 10))
    redo_late_minutes(plant.connect)
    assert [state for _, state, _ in states(plant)] == ["A", "S"]
    assert sos_rows(plant)[at(3), 1].value is not None
    assert sos_rows(plant)[at(6), 1].missing == "over_temp:set_aside"
    assert {"late", "implausible"} <= kinds(plant)


def test_a_result_of_a_tag_retired_before_it_is_set_aside(plant: Database) -> None:
    plant.set_clock(at(5, 2))
    offer(
        plant,
        "keti",
        [(at(4), "over_temp", 30.0), (at(5, 1), "over_temp", 31.0), (at(5, 2), "over_temp", 77.0)],
    )
    plant.run("update sos_ops.tag set retired_at = %s where tag = 'over_temp'", at(5))
    validate(plant)
    assert states(plant) == [
        (30.0, "A", None),
        (31.0, "S", None),
        (77.0, "A", ["inactive_tag", "unlikely_towards_danger"]),
    ]


def test_an_empty_minute_is_a_finding_of_its_partner_once_it_is_left_behind(plant: Database) -> None:
    for minute in range(1, 15):
        if minute != 5:
            live(plant, minute, ("over_temp", HEALTHY))
        else:
            run_live(plant, at(minute, 10))
    with plant.connect() as connection:
        found = [
            (f.partner, f.minute) for f in recent_findings(connection, at(0)) if f.kind == "empty_minute"
        ]
    assert [minute for partner, minute in found if partner == "keti"] == [at(5)]
    assert len([minute for partner, minute in found if partner == "chonnam"]) == 8


def test_sets_of_other_tags_are_untouched_bit_for_bit_by_planted_bad_rows(
    cluster: Cluster, plant: Database
) -> None:
    checks(plant, "over_temp", max_rate=5.0, stuck_minutes=3.0)
    bad = [-250.0, 120.0, 30.0, 30.0, 30.0, 30.0, 30.0, 90.0, 20.0, 1e300]

    def lived(database: Database, *, planted: bool) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        for minute, value in enumerate(bad, start=1):
            database.set_clock(at(minute, 2))
            offer(database, "chonnam", [(at(minute), "soh", 41.0 + minute)])
            offer(database, "keti", [(at(minute), "under_temp", 9.0 - minute)])
            if planted:
                offer(
                    database, "keti", [(at(minute), "over_temp", value), (at(minute), "over_temp", value - 1)]
                )
            run_live(database, at(minute, 10))
        scores, sos = scores_and_sos(database)
        return [row for row in scores if row[1] != 1], [row for row in sos if row[1] in (2, 3)]

    with cluster.fresh_database(like=plant) as undisturbed:
        expected = lived(undisturbed, planted=False)
    assert lived(plant, planted=True) == expected
    assert {row[2] for row in expected[1]} != {1.0}


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    """The suites, to be broken."""
    folder = tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, folder)
    return folder


def own_suite(
    folder: Path, partner: str, kind: str, meta: dict[str, str] | None = None, **kwargs: Any
) -> None:
    meta = meta or {"finding": "own", "effect": "set_aside", "sentence": "{value:g} is not what we say"}
    suite = {"name": partner, "expectations": [{"type": kind, "kwargs": kwargs, "meta": meta}]}
    (folder / "partners").mkdir(exist_ok=True)
    (folder / "partners" / f"{partner}.json").write_text(json.dumps(suite))


def test_a_partners_own_file_extends_the_suite_for_that_partner_alone(plant: Database, suites: Path) -> None:
    own_suite(suites, "keti", "expect_column_values_to_be_between", column="value", min_value=25)
    plant.set_clock(at(1, 2))
    offer(plant, "keti", [(at(1), "over_temp", 20.0), (at(1), "under_temp", 5.0)])
    offer(plant, "chonnam", [(at(1), "soh", 20.0)])
    validate_new(plant.connect, suites)
    assert states(plant) == [(20.0, "S", None)]
    assert reason(plant) == "20 is not what we say"
    assert states(plant, "under_temp") == [(5.0, "S", None)]
    assert states(plant, "soh") == [(20.0, "A", None)]


BROKEN = {
    "no JSON": None,
    "unknown expectation": {"kind": "expect_nothing_special", "column": "value"},
    "unknown column": {"kind": "expect_column_values_to_be_between", "column": "valeu", "min_value": 1},
    "names no rows": {"kind": "expect_table_row_count_to_be_between", "min_value": 1000},
    "names no rows while it holds": {
        "kind": "expect_column_mean_to_be_between",
        "column": "value",
        "min_value": -1000,
    },
    "expects text": {
        "kind": "expect_column_values_to_be_between",
        "column": "value",
        "min_value": 0,
        "meta": {"finding": "own", "effect": "mark", "sentence": "{value:g}", "expected": "active_tag"},
    },
    "bad sentence": {
        "kind": "expect_column_values_to_be_between",
        "column": "value",
        "min_value": 0,
        "meta": {"finding": "own", "effect": "mark", "sentence": "{nothing:g}"},
    },
    "no effect": {
        "kind": "expect_column_values_to_be_between",
        "column": "value",
        "min_value": 0,
        "meta": {"finding": "own"},
    },
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_suite_keeps_its_partners_results_new_and_stops_no_other(
    plant: Database, suites: Path, how: str
) -> None:
    broken = BROKEN[how]
    own_suite(suites, "keti", **(broken or {"kind": "x"}))
    if broken is None:
        (suites / "partners" / "keti.json").write_text("{")
    plant.set_clock(at(1, 2))
    offer(plant, "keti", [(at(1), "over_temp", 20.0)])
    offer(plant, "chonnam", [(at(1), "soh", 20.0)])
    report = validate_new(plant.connect, suites)
    assert states(plant) == [(20.0, "N", None)]
    assert states(plant, "soh") == [(20.0, "A", None)]
    assert [line.split(":")[0] for line in report.failures] == ["keti"]
    assert "broken_suite" in kinds(plant)
    assert report.undecided == 1
    (suites / "partners" / "keti.json").unlink()
    assert validate_new(plant.connect, suites).failures == []
    assert states(plant) == [(20.0, "A", None)]


def test_an_expectation_that_is_not_about_single_rows_is_named(plant: Database, suites: Path) -> None:
    own_suite(suites, "keti", "expect_column_mean_to_be_between", column="value", min_value=-1000)
    live_rows(plant, suites, 1, [(at(1), "over_temp", 20.0)])
    with plant.connect() as connection:
        (failure,) = validation_state(connection).failures
    assert "expect_column_mean_to_be_between is not about single rows" in failure


@pytest.mark.parametrize("first", ["over_temp", "under_temp"])
def test_a_sentence_that_cannot_be_filled_in_changes_no_rows_outcome(
    plant: Database, suites: Path, first: str
) -> None:
    meta = {"finding": "own", "effect": "set_aside", "sentence": "{active_tag:10} is too low"}
    own_suite(suites, "keti", "expect_column_values_to_be_between", meta, column="value", min_value=25)
    plant.set_clock(at(5, 2))
    offer(plant, "keti", [(at(5), "over_temp", 20.0), (at(5), "under_temp", 15.0)])
    offer(plant, "chonnam", [(at(5), "soh", 20.0)])
    plant.run("update sos_ops.tag set retired_at = %s where tag = %s", at(4), first)
    assert validate_new(plant.connect, suites).failures == []
    assert [states(plant, tag)[0][1] for tag in ("over_temp", "under_temp", "soh")] == ["S", "S", "A"]
    assert "own (its sentence cannot be filled in: TypeError" in reason(plant, first)
    other = "under_temp" if first == "over_temp" else "over_temp"
    assert reason(plant, other) == f"{other:10} is too low"


def test_a_file_named_after_no_partner_in_use_fails_the_run_and_all_rows_are_decided(
    plant: Database, suites: Path
) -> None:
    own_suite(suites, "ketl", "expect_column_values_to_be_between", column="value", min_value=25)
    report = live_rows(plant, suites, 1, [(at(1), "over_temp", 20.0)])
    assert report.failures == [
        "partners/ketl.json is never used: no partner in use is named so; rename or remove it"
    ]
    assert report.failures[0] in report.line()
    assert states(plant) == [(20.0, "A", None)]
    with plant.connect() as connection:
        assert validation_state(connection).failures == tuple(report.failures)
    (suites / "partners" / "ketl.json").rename(suites / "partners" / "chonnam.json")
    assert validate_new(plant.connect, suites).failures == []


FAST_FALL = [2.0, 1.6, 1.2, 0.8, 0.4, 0.1]


def test_many_small_steps_within_a_minute_are_a_fast_change(plant: Database) -> None:
    checks(plant, "over_temp", max_rate=0.5)
    live_rows(plant, EXPECTATIONS, 1, [(at(1, n), "over_temp", value) for n, value in enumerate(FAST_FALL)])
    assert [state for _, state, _ in states(plant)] == ["A", "A", "S", "S", "S", "S"]
    assert reason(plant) == "0.1 after 2 5 s before is a change of 1.9 a minute, more than 0.5"


@pytest.mark.parametrize("before", [[], [0.1], [0.1, 0.1, 0.1]])
def test_small_steps_are_seen_across_batches_and_after_a_peak_shorter_than_a_minute(
    plant: Database, before: list[float]
) -> None:
    checks(plant, "over_temp", max_rate=0.5)
    for minute, value in enumerate(before):
        live_rows(plant, EXPECTATIONS, minute, [(at(minute), "over_temp", value)])
    for second, value in enumerate(FAST_FALL, start=2):
        live_rows(plant, EXPECTATIONS, 3, [(at(3, second), "over_temp", value)])
    assert [state for _, state, _ in states(plant)] == ["A"] * len(before) + ["A", "A", "S", "S", "S", "S"]


def test_a_value_deeper_than_the_one_that_stands_is_never_set_aside_for_its_rate(plant: Database) -> None:
    checks(plant, "over_temp", max_rate=5.0)
    live_rows(plant, EXPECTATIONS, 1, [(at(1), "over_temp", 45.0)])
    live_rows(plant, EXPECTATIONS, 1, [(at(1, 10), "over_temp", 41.0), (at(1, 20), "over_temp", 37.0)])
    plant.run("update sos_ops.result set state = 'A' where value = 37")  # by hand
    live_rows(plant, EXPECTATIONS, 1, [(at(1, 30), "over_temp", 38.0)])
    assert states(plant)[-1] == (38.0, "A", ["jump", "unlikely_towards_danger"])


@pytest.mark.parametrize("together", [True, False])
def test_an_implausible_value_that_counts_is_no_base_for_the_rate_of_change(
    plant: Database, *, together: bool
) -> None:
    checks(plant, "over_temp", max_rate=5.0)
    rows = [(at(1), "over_temp", 30.0), (at(2), "over_temp", 1e308), (at(3), "over_temp", 31.0),
            (at(4), "over_temp", 10.0)]  # fmt: skip
    for batch in [rows] if together else [[row] for row in rows]:
        live_rows(plant, EXPECTATIONS, 4, batch)
    assert [state for _, state, _ in states(plant)] == ["A", "A", "A", "S"]
    assert reason(plant) == "10 after 31 60 s before is a change of 21 a minute, more than 5"


def test_a_stopped_validation_makes_sets_unknown_never_safe_and_what_waited_is_brought_in_later(
    plant: Database, suites: Path
) -> None:
    live(plant, 1, ("over_temp", HEALTHY))
    (suites / "all_partners.json").write_text("no JSON")
    for minute in range(2, 12):
        plant.set_clock(at(minute, 2))
        offer(plant, "keti", [(at(minute), "over_temp", HEALTHY + minute)])
        assert validate_new(plant.connect, suites).failures
        plant.set_clock(at(minute, 10))
        with plant.connect() as connection:
            list(close_minutes(connection))
    rows = sos_rows(plant)
    # Until max_age the value accepted last counts.
    assert [rows[at(minute), 1].band for minute in range(1, 12)] == ["safe"] * 3 + ["unknown"] * 8
    assert {rows[at(minute), 1].missing for minute in range(4, 12)} == {"over_temp:not_validated"}
    with plant.connect() as connection:
        explained = explain(connection, 1, at(9))
        assert validation_state(connection).waiting == 10
    assert explained.parts[0].missing_detail == "results of this time reached us and are not validated yet"
    assert any("39.0" in line and "is not validated yet" in line for line in explained.changes)
    run_live(plant, at(12, 10))
    redo_late_minutes(plant.connect)
    assert all(sos_rows(plant)[at(minute), 1].value is not None for minute in range(1, 13))


def test_the_history_run_validates_before_it_scores(plant: Database) -> None:
    plant.set_clock(at(60))
    offer(plant, "keti", [(at(minute), "over_temp", 46.0) for minute in range(1, 30)])
    offer(plant, "keti", [(at(30), "over_temp", -250.0)])
    report = fill(plant.connect, at(0).date(), backfill=True)
    assert (report.validation.accepted, report.validation.set_aside) == (29, 1)
    assert sos_rows(plant)[at(20), 1].value is not None
    assert sos_rows(plant)[at(32), 1].missing == "over_temp:set_aside"


def test_validating_twice_changes_nothing(plant: Database) -> None:
    live(plant, 1, ("over_temp", -250.0), ("under_temp", 5.0))
    before = plant.rows("select * from sos_ops.result order by tag_id, ts"), everything_decided(plant)
    again = validate(plant)
    assert (again.accepted, again.set_aside) == (0, 0)
    run_live(plant, at(1, 30))
    assert (
        plant.rows("select * from sos_ops.result order by tag_id, ts"),
        everything_decided(plant),
    ) == before


def test_a_flood_of_one_partner_keeps_no_other_waiting(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sos_ops.pipeline.validate.ROWS_AT_ONCE", 20)
    monkeypatch.setattr("sos_ops.pipeline.validate.BATCH_OF_PARTNER", 10)
    monkeypatch.setattr("sos_ops.pipeline.validate.LIVE_BUDGET_S", 0.0)
    plant.set_clock(at(100))
    offer(plant, "keti", [(at(minute), "over_temp", HEALTHY) for minute in range(100)])
    offer(plant, "chonnam", [(at(1), "soh", HEALTHY)])
    report = validate_new(plant.connect)
    assert states(plant, "soh") == [(HEALTHY, "A", None)]
    assert [state for _, state, _ in states(plant)] == ["N"] * 90 + ["A"] * 10
    assert report.left
    monkeypatch.setattr("sos_ops.pipeline.validate.LIVE_BUDGET_S", 600.0)
    validate_new(plant.connect)
    assert {state for _, state, _ in states(plant)} == {"A"}
