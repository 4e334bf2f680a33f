"""Filling past days: the same bits as the live runs, and rows before a set's creation only where asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sos_ops.pipeline.history import fill
from sos_ops.pipeline.score import minute_marks
from sos_ops.safety.score import Limits
from sos_ops.store.binary_copy import from_micros
from sos_ops.store.catalogue import change_limits
from tests.support.database import Database
from tests.support.plant import (
    MIDNIGHT,
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

DAY = MIDNIGHT.date()
LIVE = range(121, 136)
"""The minutes that ran live; tags and sets were made half a minute before."""


@pytest.fixture
def lived(database: Database) -> Database:
    """Results since midnight, live runs since two o'clock with late results, gaps and a change of limits."""
    database.set_clock(at(120, 30))
    furnish(database, {"over_temp": TEMPERATURE, "soh": Limits(90.0, 80.0)})
    for tags in (["over_temp"], ["soh", "over_temp"]):
        make_set(database, *tags)
    offer(
        database,
        "keti",
        [(at(n), tag, 38.0 + n % 15) for n in range(0, 120, 2) for tag in ("over_temp", "soh")],
    )
    for minute in LIVE:
        database.set_clock(at(minute, 3))
        rows = [(at(minute), "over_temp", 40.0 + minute % 13)] if minute % 4 else []
        late = [(at(minute - 2), "soh", 88.0 - minute % 7)] if minute % 3 else []
        offer(database, "keti", rows + late)
        if minute == 128:
            with database.connect() as connection:
                change_limits(connection, "over_temp", maximum_safe_value=40.0, warning_threshold=44.0)
        run_live(database, at(minute, 10))
    return database


def minutes_of(database: Database, set_id: int) -> list[datetime]:
    return [minute for minute, its_set in sos_rows(database) if its_set == set_id]


def minutes_since(first: int) -> list[datetime]:
    return [at(minute) for minute in range(first, LIVE.stop)]


def test_a_scheduled_history_run_changes_nothing_and_writes_nothing_before_creation(lived: Database) -> None:
    before = everything_decided(lived)
    report = fill(lived.connect, DAY, backfill=False)
    assert report.decision is not None
    assert (report.decision.rows, report.decision.revised) == (0, 0)
    assert everything_decided(lived) == before
    assert minutes_of(lived, 1) == minutes_since(LIVE.start)


def test_a_backfill_adds_the_minutes_before_creation_and_leaves_live_ones_as_they_are(
    lived: Database,
) -> None:
    before = everything_decided(lived)
    fill(lived.connect, DAY, backfill=True)
    after = everything_decided(lived)
    for was, now in zip(before, after, strict=True):
        assert [row for row in was if row not in now] == []
        assert len({row for row in now if row[0] >= at(LIVE.start)}) == len(
            {r for r in was if r[0] >= at(LIVE.start)}
        )
    for set_id in (1, 2):
        assert minutes_of(lived, set_id) == minutes_since(0)
    fill(lived.connect, DAY, backfill=True)
    assert everything_decided(lived) == after


def test_what_ran_live_filled_anew_equals_it_bit_for_bit(lived: Database) -> None:
    live = scores_and_sos(lived)
    assert any(row[2] is not None and row[2] < 0.8 for row in live[1])
    assert any(row[2] is None for row in live[1])
    for table in ("sos", "tag_score", "sos_revision", "tag_score_revision"):
        lived.run(f"delete from sos_ops.{table}")  # noqa: S608
    fill(lived.connect, DAY, backfill=False)
    assert scores_and_sos(lived) == live
    fill(lived.connect, DAY, backfill=True)
    filled = scores_and_sos(lived)
    assert [[row for row in rows if row[0] >= at(LIVE.start)] for rows in filled] == live


def test_a_set_made_later_gets_its_past_only_by_a_backfill(lived: Database) -> None:
    lived.set_clock(at(135, 30))
    third = make_set(lived, "soh")
    fill(lived.connect, DAY, backfill=False)
    assert minutes_of(lived, third) == []
    fill(lived.connect, DAY, backfill=True)
    assert minutes_of(lived, third) == minutes_since(0)


def test_a_set_retired_and_made_again_is_backfilled_beside_the_rows_of_the_old_one(lived: Database) -> None:
    fill(lived.connect, DAY, backfill=True)
    lived.set_clock(at(135, 20))
    lived.run('delete from keti.tag_combination_map where "SET_ID" = 1')
    lived.set_clock(at(135, 30))
    anew = make_set(lived, "over_temp")
    assert anew != 1
    fill(lived.connect, DAY, backfill=True)
    assert minutes_of(lived, anew) == minutes_since(0)
    assert minutes_of(lived, 1) == minutes_since(0)


def test_a_late_result_revises_backfilled_minutes_too(lived: Database) -> None:
    fill(lived.connect, DAY, backfill=True)
    lived.set_clock(at(135, 30))
    offer(lived, "keti", [(at(51), "over_temp", 60.0)])
    report = fill(lived.connect, DAY, backfill=False)
    assert report.decision is not None
    assert report.decision.revised == 2
    assert sos_rows(lived)[at(51), 1].value == 1 / (1 + 0.25 * 4.0)


def test_a_day_is_filled_as_far_as_it_has_passed(lived: Database) -> None:
    fill(lived.connect, DAY, backfill=True)
    assert max(minute for minute, _ in sos_rows(lived)) == at(135)


def test_a_day_that_has_not_begun_is_left_alone(lived: Database) -> None:
    before = everything_decided(lived)
    report = fill(lived.connect, DAY + timedelta(days=1), backfill=True)
    assert report.decision is None
    assert "has not begun" in report.line()
    assert everything_decided(lived) == before


def test_a_whole_past_day_is_filled_to_its_last_minute(database: Database) -> None:
    database.set_clock(at(3000))
    furnish(database, {"over_temp": TEMPERATURE})
    make_set(database, "over_temp")
    offer(database, "keti", [(at(1439), "over_temp", 46.0)])
    report = fill(database.connect, DAY, backfill=True)
    assert report.decision is not None
    assert (report.decision.minutes, report.decision.rows) == (1440, 1440)
    rows = sos_rows(database)
    assert len(rows) == 1440
    assert rows[at(1439), 1].known == 1
    assert (at(1440), 1) not in rows


def test_filling_a_day_leaves_the_live_minutes_to_be_closed(lived: Database) -> None:
    lived.set_clock(at(150, 30))
    fill(lived.connect, DAY, backfill=False)
    assert minutes_of(lived, 1) == [at(minute) for minute in range(LIVE.start, 151)]
    decided = scores_and_sos(lived)
    run_live(lived, at(150, 40))
    assert scores_and_sos(lived) == decided


def test_minute_marks_are_every_minute_with_both_ends() -> None:
    assert [from_micros(int(mark)) for mark in minute_marks(at(1439), at(1441))] == [
        at(1439),
        at(1440),
        at(1441),
    ]
