"""What people decide about set-aside results takes the ordinary path into the minutes, and is kept for good."""

from __future__ import annotations

import getpass
from typing import Any

import psycopg
import pytest

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.store.checks import change_checks
from sos_ops.store.explanations import explain
from sos_ops.store.set_aside import accept, reject, set_aside
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set, offer, run_live, sos_rows, validate

COOL, HOT = 30.0, 95.0


@pytest.fixture
def plant(database: Database) -> Database:
    """`over_temp`: minute 2 below its plausible range, minute 20 with a second, dangerous value."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE})
    make_set(database, "over_temp")
    with database.connect() as connection:
        change_checks(connection, "over_temp", plausible_low=-20.0)
    database.set_clock(at(2, 2))
    offer(database, "keti", [(at(2), "over_temp", -30.0)])
    run_live(database, at(2, 10))
    database.set_clock(at(20, 2))
    offer(database, "keti", [(at(20), "over_temp", COOL), (at(20), "over_temp", HOT)])
    run_live(database, at(20, 10))
    return database


def waiting(database: Database) -> list[Any]:
    with database.connect() as connection:
        return set_aside(connection)


def decisions(database: Database) -> list[tuple[Any, ...]]:
    return database.rows(
        "select decision, value, decided_by, why from sos_ops.set_aside_decision order by decision_id"
    )


def test_what_was_set_aside_is_listed_with_its_reason_and_what_has_its_place(plant: Database) -> None:
    low, second = waiting(plant)
    assert (low.partner, low.tag, low.timestamp, low.value, low.stands) == (
        "keti",
        "over_temp",
        at(2),
        -30.0,
        None,
    )
    assert low.reason == "-30 lies outside the plausible range of -20 to inf"
    assert (second.value, second.stands) == (HOT, COOL)
    with plant.connect() as connection:
        assert set_aside(connection, since=at(3)) == [second]
        assert set_aside(connection, partner="nobody") == []
        assert set_aside(connection, tag="over_temp") == [low, second]


def test_an_accepted_row_is_scored_and_its_minutes_redone_by_housekeeping(plant: Database) -> None:
    assert sos_rows(plant)[at(2), 1].missing == "over_temp:set_aside"
    redo_late_minutes(plant.connect)
    with plant.connect(actor="kim") as connection:
        accept(connection, [waiting(plant)[0].set_aside_id], "the sensor was cooled on purpose")
    redo_late_minutes(plant.connect)
    assert [sos_rows(plant)[at(minute), 1].value for minute in (2, 3, 4, 5)] == [1.0, 1.0, 1.0, None]
    assert decisions(plant) == [("accepted", -30.0, "kim", "the sensor was cooled on purpose")]
    with plant.connect() as connection:
        found = explain(connection, 1, at(2))
    assert found.parts[0].marks == ("accepted_by_hand",)
    assert any("was accepted by kim" in line for line in found.changes)


def test_accepting_a_second_value_swaps_it_with_the_first_and_both_are_recorded(plant: Database) -> None:
    number = waiting(plant)[1].set_aside_id
    with plant.connect(actor="kim") as connection:
        (done,) = accept(connection, [number], "the first was a test")
    assert (done.value, done.replaced) == (HOT, COOL)
    run_live(plant, at(21, 10))
    assert sos_rows(plant)[at(20), 1].band == "critical"
    assert [(row.value, row.stands) for row in waiting(plant)[1:]] == [(COOL, HOT)]
    assert [row[:2] for row in decisions(plant)] == [("accepted", HOT), ("replaced", COOL)]
    with plant.connect(actor="lee") as connection:
        assert done.replaced_id is not None
        accept(connection, [done.replaced_id], "no, it was not")
    run_live(plant, at(22, 10))
    assert sos_rows(plant)[at(20), 1].value == 1.0
    assert [row[:2] for row in decisions(plant)[2:]] == [("accepted", COOL), ("replaced", HOT)]


def test_a_rejected_row_stays_aside_for_good(plant: Database) -> None:
    number = waiting(plant)[0].set_aside_id
    with plant.connect(actor="kim") as connection:
        reject(connection, [number], "broken cable")
    assert [row.value for row in waiting(plant)] == [HOT]
    with plant.connect() as connection, pytest.raises(SosOpsError, match="was rejected already"):
        accept(connection, [number], "after all")
    with plant.connect() as connection:
        assert any("rejected by kim" in line for line in explain(connection, 1, at(2)).changes)
    assert validate(plant).accepted == 0


def test_all_or_none_of_the_numbers_are_decided(plant: Database) -> None:
    number = waiting(plant)[0].set_aside_id
    with pytest.raises(UnknownNameError, match="999"), plant.connect() as connection:
        accept(connection, [number, 999], "good")
    assert len(waiting(plant)) == 2
    assert decisions(plant) == []


def test_a_decision_without_a_reason_is_refused(plant: Database) -> None:
    with pytest.raises(SosOpsError, match="why"), plant.connect() as connection:
        reject(connection, [waiting(plant)[0].set_aside_id], "  ")


@pytest.mark.parametrize(
    "statement",
    [
        "update sos_ops.set_aside_decision set why = 'another'",
        "delete from sos_ops.set_aside_decision",
        "truncate sos_ops.set_aside_decision",
    ],
)
def test_decisions_are_never_changed_or_removed(plant: Database, statement: str) -> None:
    with plant.connect(actor=getpass.getuser()) as connection:
        reject(connection, [waiting(plant)[0].set_aside_id], "broken cable")
    with (
        psycopg.connect(plant.url) as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported, match="only grows"),
    ):
        connection.execute(statement.encode())
    assert len(decisions(plant)) == 1
