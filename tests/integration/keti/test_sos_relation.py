"""`keti.sos`: what the platform says, under the document's own names."""

from __future__ import annotations

import math

import pytest

from sos_ops.settings import SQL_DIR
from sos_ops.store.page import latest, sos_series
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set, offer, run_live


@pytest.fixture
def plant(database: Database) -> Database:
    """A set of two tags; results of both at 00:01, of one at 00:02:10, live runs until 00:06."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE, "soh": TEMPERATURE}, max_age_s=120)
    make_set(database, "soh", "over_temp")
    database.set_clock(at(1))
    offer(database, "keti", [(at(1), "over_temp", 46.0), (at(1), "soh", 48.0)])
    run_live(database, at(1, 10))
    run_live(database, at(2, 10))
    offer(database, "keti", [(at(2, 10), "over_temp", 46.0)])
    for minute in (3, 4, 5, 6):
        run_live(database, at(minute, 10))
    return database


def test_the_relation_has_the_documents_columns_and_types(plant: Database) -> None:
    found = plant.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'keti' and table_name = 'sos' order by ordinal_position"
    )
    assert found == [
        ("TIMESTAMP", "timestamp with time zone"),
        ("VALUE", "double precision"),
        ("SET_ID", "integer"),
        ("F_VALUE", "json"),
    ]


def test_every_minute_has_a_row_whose_value_is_null_where_the_set_is_incomplete(plant: Database) -> None:
    f, g = 1 / (1 + 0.25 * 0.36), 1 / (1 + 0.25 * 0.64)
    rows = plant.rows('select * from keti.sos order by "TIMESTAMP"')
    assert [row[0] for row in rows] == [at(minute) for minute in range(1, 7)]
    assert [row[1] for row in rows] == [pytest.approx(f * g), pytest.approx(f * g), None, None, None, None]
    assert {row[2] for row in rows} == {1}
    assert rows[0][3] == {"over_temp": pytest.approx(f), "soh": pytest.approx(g)}
    assert rows[2][3] == {"over_temp": pytest.approx(f), "soh": None}
    assert rows[5][3] == {"over_temp": None, "soh": None}


SCRIPT_ROW = "insert into keti.sos values (%s, %s, %s, %s)"


def test_the_scripts_rows_are_accepted_kept_apart_and_never_shown(plant: Database) -> None:
    before = plant.rows('select "TIMESTAMP", "VALUE", "SET_ID", "F_VALUE"::text from keti.sos order by 1')
    plant.run(SCRIPT_ROW, at(2), 0.123, 1, '{"over_temp": 0.123}')
    plant.run(SCRIPT_ROW, at(2), 0.123, 1, '{"over_temp": 0.123}')
    plant.run(SCRIPT_ROW, None, math.nan, 4711, None)
    assert plant.value("select count(*) from sos_ops.sos_from_script") == 3
    run_live(plant, at(6, 20))
    after = plant.rows('select "TIMESTAMP", "VALUE", "SET_ID", "F_VALUE"::text from keti.sos order by 1')
    assert after == before
    with plant.connect() as connection:
        assert 0.123 not in sos_series(connection, 1, at(0), at(9)).values
        point = latest(connection, 1)
    assert point is not None
    assert (point.minute, point.value) == (at(6), None)


def test_nothing_of_ours_reads_what_the_script_wrote() -> None:
    readers = [path.name for path in SQL_DIR.glob("*.sql") if "sos_from_script" in path.read_text()]
    assert readers == []
