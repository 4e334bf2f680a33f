"""A live run of scoring: it decides the minute that has come, revises the last five, and closes what was missed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest

from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.pipeline.score import close_minutes, decide
from sos_ops.safety.bands import Band
from sos_ops.store.catalogue import change_limits
from sos_ops.store.connection import connect
from sos_ops.store.explanations import explain
from tests.support.database import Database
from tests.support.plant import (
    REVISIONS,
    TEMPERATURE,
    at,
    everything_decided,
    furnish,
    make_set,
    offer,
    run_live,
    scores_and_sos,
    sos_rows,
)
from tests.support.worlds import Row

ABOVE = 1 / (1 + 0.25 * 0.36)
"""The score of 46 °C under the limits 40 and 50."""


@pytest.fixture
def plant(database: Database) -> Database:
    """`over_temp` and `soh` of partner keti; set 1 holds over_temp, set 2 both. Made half a minute past midnight."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE, "soh": TEMPERATURE})
    assert make_set(database, "over_temp") == 1
    assert make_set(database, "soh", "over_temp") == 2
    return database


def report(database: Database, minute: float, value: float, *tags: str) -> None:
    """A result of each tag (of both, if none is named) for this minute, arriving 3 s after it."""
    database.set_clock(at(minute, 3))
    offer(database, "keti", [(at(minute), tag, value) for tag in tags or ("over_temp", "soh")])


def minutes_of(database: Database, set_id: int) -> list[datetime]:
    return [minute for minute, its_set in sos_rows(database) if its_set == set_id]


def test_a_minute_with_fresh_results_has_its_sos(plant: Database) -> None:
    report(plant, 1, 46.0)
    (decision,) = run_live(plant, at(1, 10))
    assert sos_rows(plant) == {
        (at(1), 1): Row(ABOVE, ABOVE, 1, 1, "", "safe", "over_temp"),
        (at(1), 2): Row(ABOVE * ABOVE, ABOVE * ABOVE, 2, 2, "", "safe", "over_temp"),
    }
    assert (decision.minute, decision.complete, decision.incomplete, decision.rows) == (at(1), 2, 0, 2)
    assert decision.bands == {Band.SAFE: 2, Band.WARNING: 0, Band.CRITICAL: 0, Band.UNKNOWN: 0}
    assert decision.worst is not None
    assert (decision.worst.set_id, decision.worst.upper) == (2, ABOVE * ABOVE)


def test_an_incomplete_minute_has_its_bound_and_its_reasons_and_is_never_safe(plant: Database) -> None:
    report(plant, 1, 46.0, "over_temp")
    run_live(plant, at(1, 10))
    assert sos_rows(plant)[at(1), 2] == Row(None, ABOVE, 1, 2, "soh:none", "unknown", "over_temp")
    report(plant, 2, 53.0, "over_temp")
    run_live(plant, at(2, 10))
    proven = sos_rows(plant)[at(2), 2]
    assert (proven.value, proven.band, proven.missing) == (None, "warning", "soh:none")


def test_a_result_three_hours_old_is_stale_and_unknown_never_safe(plant: Database) -> None:
    report(plant, 1, 20.0)
    run_live(plant, at(1, 10))
    run_live(plant, at(181, 10))
    rows = sos_rows(plant)
    assert rows[at(1), 2] == Row(1.0, 1.0, 2, 2, "", "safe", "")
    assert rows[at(181), 2] == Row(None, 1.0, 0, 2, "over_temp:stale;soh:stale", "unknown", "")
    with plant.connect() as connection:
        explained = explain(connection, 2, at(181))
    assert (explained.band, explained.value) == (Band.UNKNOWN, None)
    assert [part.missing_detail for part in explained.parts] == [
        "the newest result was 10800 s old, and counts for less than 180 s"
    ] * 2


def test_doing_a_minute_twice_changes_nothing(plant: Database) -> None:
    report(plant, 1, 46.0)
    run_live(plant, at(1, 10))
    before = everything_decided(plant)
    (again,) = run_live(plant, at(1, 20))
    assert (again.rows, again.revised) == (0, 0)
    assert everything_decided(plant) == before


def test_a_late_result_revises_its_minutes_and_what_was_decided_before_is_kept(plant: Database) -> None:
    report(plant, 1, 46.0, "over_temp")
    run_live(plant, at(1, 10))
    first = sos_rows(plant)[at(1), 2]
    plant.set_clock(at(4, 30))
    offer(plant, "keti", [(at(1), "soh", 48.0)])
    run_live(plant, at(5, 10))
    assert sos_rows(plant)[at(1), 2].known == 2
    assert sos_rows(plant, REVISIONS)[at(1), 2]._replace(missing="soh:none") == first
    assert (at(1), 1) not in sos_rows(plant, REVISIONS)
    ((decided_at, superseded_at),) = plant.rows(
        "select decided_at, superseded_at from sos_ops.sos_revision where minute = %s", at(1)
    )
    assert at(1, 10) <= decided_at < at(1, 11)
    assert at(5, 10) <= superseded_at < at(5, 11)
    with plant.connect() as connection:
        changes = explain(connection, 2, at(1)).changes
    assert any("at most" in change for change in changes)
    assert any(change.startswith("soh was missing: none") for change in changes)


def test_missed_minutes_are_closed_the_newest_first(plant: Database) -> None:
    report(plant, 1, 46.0)
    run_live(plant, at(1, 10))
    report(plant, 100, 46.0)
    decisions = run_live(plant, at(150, 10))
    assert (decisions[0].minute, decisions[-1].minute) == (at(150), at(144))
    for set_id in (1, 2):
        assert minutes_of(plant, set_id) == [at(minute) for minute in range(1, 151)]
    rows = sos_rows(plant)
    assert rows[at(3), 1].value == ABOVE
    assert rows[at(4), 1].missing == "over_temp:stale"
    assert rows[at(102), 1].value == ABOVE
    assert plant.rows("select * from sos_ops.sos_revision") == []


def test_the_first_run_of_a_platform_that_stood_still_closes_from_its_beginning(plant: Database) -> None:
    run_live(plant, at(30, 10))
    assert minutes_of(plant, 1) == [at(minute) for minute in range(1, 31)]


def test_a_result_up_to_five_minutes_late_counts_even_if_the_runs_that_would_revise_were_missed(
    plant: Database,
) -> None:
    report(plant, 1, 46.0)
    run_live(plant, at(9, 10))
    run_live(plant, at(10, 10))
    plant.set_clock(at(13))
    offer(plant, "keti", [(at(10), "over_temp", 46.0), (at(10), "soh", 46.0)])
    run_live(plant, at(30, 10))
    assert sos_rows(plant)[at(10), 2].value == ABOVE * ABOVE
    assert sos_rows(plant)[at(12), 2].value == ABOVE * ABOVE


def test_a_result_more_than_five_minutes_late_is_brought_in_by_housekeeping(plant: Database) -> None:
    for minute in range(1, 12):
        run_live(plant, at(minute, 10))
    plant.set_clock(at(11, 30))
    offer(plant, "keti", [(at(3, 20), tag, 46.0) for tag in ("over_temp", "soh")])
    run_live(plant, at(12, 10))
    assert sos_rows(plant)[at(4), 2].value is None
    done = redo_late_minutes(plant.connect)
    rows = sos_rows(plant)
    assert [minute for minute in range(1, 13) if rows[at(minute), 2].value == ABOVE * ABOVE] == [4, 5, 6]
    assert rows[at(3), 2].missing == "over_temp:none;soh:none"
    assert rows[at(7), 2].missing == "over_temp:stale;soh:stale"
    assert done.revised == len(sos_rows(plant, REVISIONS)) == 2 * 3


def test_a_result_that_arrived_in_time_but_was_committed_late_is_brought_in_by_housekeeping(
    plant: Database,
) -> None:
    plant.set_clock(at(1, 3))
    with psycopg.connect(plant.url) as partner:
        partner.execute("insert into keti.keti values (%s, 'over_temp', 46)", (at(1),))
        for minute in range(1, 9):
            run_live(plant, at(minute, 10))
        partner.commit()
    run_live(plant, at(9, 10))
    redo_late_minutes(plant.connect)
    assert sos_rows(plant)[at(1), 1].value == ABOVE


def test_housekeeping_leaves_results_alone_that_came_in_time(plant: Database) -> None:
    for minute in range(1, 9):
        report(plant, minute, 46.0)
        run_live(plant, at(minute, 10))
    assert redo_late_minutes(plant.connect).spans == 0


def test_changed_limits_hold_only_after_the_newest_decided_minute(plant: Database) -> None:
    for minute in (1, 2):
        report(plant, minute, 46.0)
        run_live(plant, at(minute, 10))
    before = everything_decided(plant)
    plant.set_clock(at(2, 30))
    with plant.connect() as connection:
        change_limits(connection, "over_temp", maximum_safe_value=40.0, warning_threshold=46.0)
    run_live(plant, at(2, 40))
    assert everything_decided(plant) == before
    run_live(plant, at(3, 10))
    values = {minute: row.value for (minute, set_id), row in sos_rows(plant).items() if set_id == 1}
    assert values == {at(1): ABOVE, at(2): ABOVE, at(3): 0.8}


def test_limits_changed_while_the_clock_lies_behind_the_newest_decision_still_spare_it(
    plant: Database,
) -> None:
    report(plant, 10, 46.0)
    run_live(plant, at(10, 10))
    before = sos_rows(plant)
    plant.set_clock(at(5))
    with plant.connect() as connection:
        change_limits(connection, "over_temp", maximum_safe_value=40.0, warning_threshold=46.0)
    with plant.connect() as connection:
        decide(connection, at(1), at(10))
    assert sos_rows(plant) == before


def test_minutes_missed_before_a_change_of_limits_keep_the_limits_of_their_time(plant: Database) -> None:
    run_live(plant, at(1, 10))
    report(plant, 20, 46.0)
    plant.set_clock(at(21, 30))
    with plant.connect() as connection:
        change_limits(connection, "over_temp", maximum_safe_value=40.0, warning_threshold=46.0)
    run_live(plant, at(60, 10))
    rows = sos_rows(plant)
    assert [rows[at(minute), 1].value for minute in (20, 21, 22)] == [ABOVE, ABOVE, 0.8]


def test_a_change_of_limits_waits_for_the_decision_under_way(plant: Database) -> None:
    plant.set_clock(at(1, 10))
    with connect(plant.url) as deciding:
        decide(deciding, at(1), at(1))
        with psycopg.connect(plant.url) as other:
            other.execute("set lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute('update keti.tag_list set "WARNNING_THRESHOLD" = 47')
    plant.run('update keti.tag_list set "WARNNING_THRESHOLD" = 47')


def test_a_set_has_rows_from_its_creation_until_its_retirement(plant: Database) -> None:
    run_live(plant, at(2, 10))
    plant.set_clock(at(3, 20))
    third = make_set(plant, "soh")
    run_live(plant, at(6, 10))
    plant.set_clock(at(8, 30))
    plant.run('delete from keti.tag_combination_map where "SET_ID" = %s', third)
    run_live(plant, at(20, 10))
    assert minutes_of(plant, third) == [at(minute) for minute in range(4, 9)]
    assert minutes_of(plant, 1) == [at(minute) for minute in range(1, 21)]


def test_a_retired_tag_takes_its_sets_with_it_and_leaves_the_others(plant: Database) -> None:
    run_live(plant, at(5, 10))
    plant.set_clock(at(5, 30))
    plant.run("""delete from keti.tag_list where "TAG" = 'soh'""")
    run_live(plant, at(9, 10))
    assert minutes_of(plant, 2) == [at(minute) for minute in range(1, 6)]
    assert minutes_of(plant, 1) == [at(minute) for minute in range(1, 10)]


def test_a_minute_crossing_midnight_is_like_any_other(plant: Database) -> None:
    report(plant, 1438, 46.0)
    run_live(plant, at(1439, 10))
    run_live(plant, at(1441, 10))
    values = {minute: row.value for (minute, set_id), row in sos_rows(plant).items() if set_id == 1}
    assert [values[at(minute)] for minute in (1438, 1439, 1440, 1441)] == [ABOVE, ABOVE, ABOVE, None]


def test_an_absurd_value_of_one_tag_stops_no_other(plant: Database) -> None:
    with plant.connect() as connection:
        connection.execute(
            "insert into keti.tag_list values ('absurd', 'keti', null, 5e-324, 0, 1e-310, 2), "
            "('tiny', 'keti', null, 1, 0, 1e-310, 2)"
        )
    absurd = make_set(plant, "absurd", "over_temp", "tiny")
    report(plant, 1, 46.0)
    offer(plant, "keti", [(at(1), "absurd", 1.7e308), (at(1), "tiny", 1e-200)])
    run_live(plant, at(1, 10))
    rows = sos_rows(plant)
    assert rows[at(1), 1].value == ABOVE
    assert (rows[at(1), absurd].value, rows[at(1), absurd].band) == (0.0, "critical")


def test_an_empty_platform_runs_too(database: Database) -> None:
    (decision,) = run_live(database, at(1, 10))
    assert (decision.rows, decision.worst) == (0, None)
    assert sos_rows(database) == {}


def test_every_tag_has_its_score_stored_once_a_minute_whether_in_a_set_or_not(plant: Database) -> None:
    with plant.connect() as connection:
        connection.execute("insert into keti.tag_list values ('alone', 'keti', null, 50, 40, 0.8, 2)")
    report(plant, 1, 46.0, "over_temp", "soh", "alone")
    run_live(plant, at(1, 10))
    assert plant.rows(
        "select tag, score from sos_ops.tag_score join sos_ops.tag using (tag_id) order by tag"
    ) == [
        ("alone", ABOVE),
        ("over_temp", ABOVE),
        ("soh", ABOVE),
    ]


def test_runs_at_the_same_moment_do_not_double(plant: Database) -> None:
    report(plant, 1, 46.0)
    run_live(plant, at(1, 10))
    report(plant, 70, 46.0)
    plant.set_clock(at(90, 10))
    barrier = threading.Barrier(3)

    def live(_: int) -> int:
        with plant.connect() as connection:
            barrier.wait(timeout=30)
            return sum(decision.rows for decision in close_minutes(connection))

    with ThreadPoolExecutor(3) as pool:
        written = list(pool.map(live, range(3)))
    assert sum(written) == 2 * 89
    assert minutes_of(plant, 2) == [at(minute) for minute in range(1, 91)]
    assert plant.rows("select * from sos_ops.sos_revision") == []
    stands = scores_and_sos(plant)
    run_live(plant, at(90, 30))
    assert scores_and_sos(plant) == stands
