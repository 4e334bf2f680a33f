"""How partners deliver: rows a minute, lateness, share set aside, age of the newest accepted row, and its history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sos_ops.pipeline.partner_health import measure_partners
from sos_ops.store.catalogue import retire_tag
from sos_ops.store.partner_health import TagHealth, partners_health, tags_health
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, offer

START = at(0)


@pytest.fixture
def plant(database: Database) -> Database:
    """Partner `keti` with over_temp and soh, `suresoft` with usad, since midnight."""
    database.set_clock(START)
    furnish(database, {"over_temp": TEMPERATURE, "soh": TEMPERATURE})
    furnish(database, {"usad": TEMPERATURE}, partner="suresoft")
    return database


def arrive(database: Database, tag: str, minutes: range, late_s: float, partner: str = "keti") -> None:
    """A row a minute that arrives so late, accepted; written as validation leaves it."""
    database.run(
        "insert into sos_ops.result (tag_id, partner_id, ts, value, received_at, state, decided_at) "
        "select t.tag_id, t.partner_id, m, 35, m + make_interval(secs => %s), 'A', m + make_interval(secs => %s) "
        "from sos_ops.tag as t join sos_ops.partner as p using (partner_id) cross join unnest(%s::timestamptz[]) as m "
        "where t.tag = %s and p.name = %s",
        late_s, late_s, [at(minute) for minute in minutes], tag, partner,
    )  # fmt: skip


def set_aside(database: Database, tag: str, minutes: range) -> None:
    database.run(
        "update sos_ops.result set state = 'S', reason = 'stuck', set_aside_id = 0 "
        "where tag_id = (select tag_id from sos_ops.tag where tag = %s) and ts = any (%s)",
        tag, [at(minute) for minute in minutes],
    )  # fmt: skip


def measured(database: Database, minute: float) -> dict[str, TagHealth]:
    database.set_clock(at(minute))
    measure_partners(database.connect)
    with database.connect() as connection:
        return {tag.tag: tag for tag in tags_health(connection)}


def test_a_steady_partner_is_a_row_a_minute_a_few_seconds_late(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 180), 4)
    tag = measured(plant, 179.5)["over_temp"]
    assert tag.hour
    assert tag.day
    assert (tag.hour.rows, round(tag.hour.rows_per_minute, 6)) == (60, 1.0)
    assert (tag.hour.lateness_p50_s, tag.hour.lateness_p95_s) == (4.0, 4.0)
    assert (tag.day.rows, tag.day.rows_per_minute) == (180, pytest.approx(1.0, abs=0.01))
    assert tag.hour.share_set_aside == 0
    assert tag.newest_accepted == at(179)


def test_the_median_and_the_95th_percentile_are_those_of_the_rows(plant: Database) -> None:
    for minute in range(100):
        arrive(plant, "over_temp", range(minute, minute + 1), minute / 2)
    tag = measured(plant, 101)["over_temp"]
    assert tag.day
    assert tag.day.lateness_p50_s == pytest.approx(24.75)
    assert tag.day.lateness_p95_s == pytest.approx(47.025)


def test_what_was_set_aside_counts_whichever_way_it_was(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 30), 4)
    set_aside(plant, "over_temp", range(24, 30))
    plant.set_clock(at(30))
    offer(plant, "keti", [(at(0), "over_temp", 99.0), (at(1), "over_temp", 99.0)])
    tag = measured(plant, 30.5)["over_temp"]
    assert tag.hour
    assert (tag.hour.rows, tag.hour.set_aside, tag.hour.share_set_aside) == (32, 8, 0.25)
    assert tag.newest_accepted == at(23)


def test_rows_a_minute_are_of_the_time_the_tag_was_in_use(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 10), 1)
    tag = measured(plant, 10)["over_temp"]
    assert tag.hour
    assert tag.hour.rows_per_minute == pytest.approx(1.0, abs=0.01)


def test_a_silent_tag_has_its_row_of_nothing(plant: Database) -> None:
    tag = measured(plant, 90)["usad"]
    assert tag.hour
    assert (tag.hour.rows, tag.hour.rows_per_minute, tag.hour.lateness_p50_s) == (0, 0.0, None)
    assert tag.hour.share_set_aside is None
    assert tag.newest_accepted is None


def test_before_the_first_measurement_the_newest_accepted_row_is_known_all_the_same(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 3), 4)
    with plant.connect() as connection:
        tags = {tag.tag: tag for tag in tags_health(connection)}
    assert tags["over_temp"].hour is None
    assert tags["over_temp"].newest_accepted == at(2)


def test_history_filled_now_says_nothing_about_lateness(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 60), 4)
    plant.set_clock(at(60))
    offer(plant, "keti", [(START - timedelta(days=n), "over_temp", 35.0) for n in range(2, 30)])
    tag = measured(plant, 60)["over_temp"]
    assert tag.hour
    assert tag.hour.lateness_p95_s == 4.0


def test_each_whole_hour_is_kept_and_a_silent_one_as_nothing(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 60), 4)
    for minute in (70, 80, 130, 190):
        measured(plant, minute)
    kept = plant.rows(
        "select hour, rows, lateness_p95_s from sos_ops.partner_health_hour join sos_ops.tag using (tag_id) "
        "where tag = 'over_temp' order by hour"
    )
    assert kept == [(at(0), 60, 4.0), (at(60), 0, None), (at(120), 0, None)]


def test_a_row_that_comes_late_joins_the_hour_it_came_in(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 1), 3600 + 5)
    measured(plant, 130)
    kept = plant.rows(
        "select hour, rows, lateness_p50_s from sos_ops.partner_health_hour join sos_ops.tag using (tag_id) "
        "where tag = 'over_temp' order by hour"
    )
    assert kept == [(at(0), 0, None), (at(60), 1, 3605.0)]


def test_measuring_twice_changes_nothing(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 100), 4)
    measured(plant, 130)
    query = "select xmin::text, * from sos_ops.partner_health_hour order by hour, tag_id"
    before = plant.rows(query)
    measured(plant, 131)
    assert plant.rows(query) == before


def test_a_retired_tag_is_measured_no_more_and_its_history_stays(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 60), 4)
    measured(plant, 70)
    with plant.connect() as connection:
        retire_tag(connection, "over_temp")
    assert "over_temp" not in measured(plant, 80)
    assert plant.value("select count(*) from sos_ops.partner_health") == 2
    assert plant.value("select count(*) from sos_ops.partner_health_hour where rows = 60") == 1


def test_a_partner_is_as_late_as_its_latest_tag_and_as_old_as_its_oldest(plant: Database) -> None:
    arrive(plant, "over_temp", range(0, 60), 4)
    arrive(plant, "soh", range(0, 30), 40)
    tags = measured(plant, 60)
    keti, suresoft = partners_health(list(tags.values()))
    assert (keti.partner, keti.tags, keti.lateness_p95_s, keti.never) == ("keti", 2, 40.0, 0)
    assert keti.oldest
    assert (keti.oldest.tag, keti.oldest.newest_accepted) == ("soh", at(29))
    assert (suresoft.rows_per_minute, suresoft.oldest, suresoft.never) == (0.0, None, 1)
