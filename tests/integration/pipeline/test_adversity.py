"""Clocks set back, limits the wrong way round, locks held, history by the million: nothing looks safe that is not."""

from __future__ import annotations

import time

import psycopg
import pytest

from sos_ops.errors import SosOpsError
from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.pipeline.poll import poll_minute
from sos_ops.safety.bands import Band
from sos_ops.safety.score import Limits
from sos_ops.store import page
from sos_ops.store.catalogue import add_tag, change_limits
from sos_ops.store.devices import add_device
from sos_ops.store.explanations import explain
from sos_ops.store.status import read_status
from tests.support.database import Database
from tests.support.faulty_modbus import refusing_port
from tests.support.invariants import broken_invariants
from tests.support.plant import TEMPERATURE, at, furnish, make_set, offer, run_live


@pytest.fixture
def plant(database: Database) -> Database:
    """over_temp with a set of its own, made at 00:00:30."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE})
    make_set(database, "over_temp")
    return database


def test_after_the_clock_is_set_back_the_newest_minute_is_never_one_of_the_future(plant: Database) -> None:
    plant.set_clock(at(120))
    offer(plant, "keti", [(at(120), "over_temp", 30.0)])
    run_live(plant, at(120, 5))
    plant.set_clock(at(3))
    offer(plant, "keti", [(at(3), "over_temp", 95.0)])
    run_live(plant, at(3, 5))
    with plant.connect() as connection:
        assert page.data_time(connection) == at(3)
        newest = page.latest(connection, 1)
        assert newest is not None
        assert (newest.minute, newest.band) == (at(3), Band.CRITICAL)
        assert explain(connection, 1).minute == at(3)


def test_a_minute_closed_in_advance_is_polled_when_it_comes(plant: Database) -> None:
    with refusing_port() as port:
        with plant.connect() as connection:
            add_device(
                connection,
                name="rack",
                site="testbed",
                host="127.0.0.1",
                port=port,
                unit_id=1,
                protocol_map="keti_bank",
            )
        plant.set_clock(at(60, 1), rate=0.5)
        poll_minute(plant.connect)
        plant.set_clock(at(5, 1), rate=0.5)
        report = poll_minute(plant.connect)
    assert report.already == 0
    assert "refused" in report.failed[0]
    with plant.connect() as connection:
        assert "a minute of a device has not exactly one outcome" not in broken_invariants(connection)


def test_limits_the_other_way_round_are_refused(plant: Database) -> None:
    with pytest.raises(SosOpsError, match="other way round"), plant.connect() as connection:
        change_limits(connection, "over_temp", maximum_safe_value=50.0, warning_threshold=40.0)


def test_a_change_of_limits_keeps_the_safety_limit_it_does_not_name(plant: Database) -> None:
    with plant.connect() as connection:
        add_tag(connection, "strict", partner="keti", limits=Limits(40.0, 50.0, 0.95), action="stop")
        change_limits(connection, "strict", maximum_safe_value=40.0, warning_threshold=48.0)
        (tag,) = [t for t in page.tag_views(connection) if t.tag == "strict"]
        assert (tag.upper_safety_limit, tag.action) == (0.95, "stop")
        change_limits(connection, "strict", maximum_safe_value=40.0, warning_threshold=48.0, action="")
        (tag,) = [t for t in page.tag_views(connection) if t.tag == "strict"]
        assert tag.action is None


def test_a_tag_past_its_own_threshold_is_named_though_its_set_is_still_safe(database: Database) -> None:
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": Limits(40.0, 50.0, 0.95)})
    make_set(database, "over_temp")
    database.set_clock(at(1))
    offer(database, "keti", [(at(1), "over_temp", 60.0)])
    run_live(database, at(1, 5))
    with database.connect() as connection:
        status = read_status(connection)
    assert status.sets[0][1] is not None
    assert status.sets[0][1].band is Band.SAFE
    assert status.past_limit == ("over_temp is at or past its own threshold: 60, threshold 50",)
    assert status.clock_is_set


def test_decided_minutes_cannot_be_rewritten_through_keti(plant: Database) -> None:
    plant.set_clock(at(1))
    offer(plant, "keti", [(at(1), "over_temp", 60.0)])
    run_live(plant, at(1, 5))
    for statement in ('update keti.sos set "VALUE" = 1', "delete from keti.sos"):
        with pytest.raises(SosOpsError, match="cannot be changed"):
            plant.run(statement)


def test_a_session_that_changes_limits_and_goes_idle_stops_scoring_for_ten_seconds_at_most(
    plant: Database,
) -> None:
    plant.set_clock(at(1))
    offer(plant, "keti", [(at(1), "over_temp", 46.0)])
    with psycopg.connect(plant.url) as idle:
        idle.execute('update keti.tag_list set "MAX_COUNT" = 3')
        began = time.monotonic()
        (decision,) = run_live(plant, at(1, 5))
        assert decision.complete == 1
        assert time.monotonic() - began < 19
        with pytest.raises(psycopg.Error):
            idle.execute("select 1")
        idle.close()


def test_twenty_years_of_late_results_make_no_partition_and_no_minute_nobody_asked_for(
    plant: Database,
) -> None:
    run_live(plant, at(1, 5))
    relations = plant.value("select count(*) from pg_class where relnamespace = 'sos_ops'::regnamespace")
    plant.run(
        'insert into keti.keti ("TIMESTAMP", "TAG", "VALUE") '
        "select timestamptz '2006-01-01Z' + n * interval '1 day', 'over_temp', 30 from generate_series(0, 7000) n"
    )
    report = redo_late_minutes(plant.connect)
    assert report.minutes < 200
    assert (
        plant.value("select count(*) from pg_class where relnamespace = 'sos_ops'::regnamespace") == relations
    )


def test_explain_tells_of_a_second_value_that_was_set_aside(plant: Database) -> None:
    plant.set_clock(at(1))
    offer(plant, "keti", [(at(1), "over_temp", 30.0)])
    offer(plant, "keti", [(at(1), "over_temp", 95.0)])
    run_live(plant, at(1, 5))
    with plant.connect() as connection:
        (line,) = explain(connection, 1).changes
    assert line.startswith("over_temp: 95.0 of 2026-03-01 00:01:00 UTC")
    assert "set aside" in line
    assert "(30) for this tag and TIMESTAMP arrived first" in line
