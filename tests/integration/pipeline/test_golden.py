"""The worked timeline lived through by the whole platform: every result by its door, every minute by a live run."""

from __future__ import annotations

from datetime import datetime, timedelta

from sos_ops.clock import MINUTE
from sos_ops.pipeline.history import fill
from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.safety.score import Limits
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.clock import set_clock
from sos_ops.store.results import write_results
from tests.support import golden
from tests.support.database import SLOW, Database
from tests.support.plant import (
    REVISIONS,
    everything_decided,
    make_set,
    run_live,
    scores_and_sos,
    sos_rows,
)

BEFORE = timedelta(seconds=59)
"""The platform is configured this long before the first minute."""


def configure(database: Database) -> None:
    """Partners, tags with every version of their limits, and sets under the timeline's numbers."""
    begin = min(minute for minute, _ in golden.expected("first"))
    database.set_clock(begin - BEFORE)
    partner_of = {result.tag: result.partner for result in golden.results()}
    with database.connect() as connection:
        for partner in sorted({*partner_of.values(), "keti"}):
            add_partner(connection, partner)
        for v in golden.limits():
            if v.valid_from is None:
                tag_id = add_tag(
                    connection,
                    v.tag,
                    partner=partner_of.get(
                        v.tag, "keti"
                    ),  # one tag never reports, so no row tells its partner
                    limits=Limits(v.x100, v.xl, v.limit),
                    max_age_s=v.max_age_s,
                    max_count=v.max_count,
                )
            else:
                (tag_id,) = connection.execute(
                    "select tag_id from sos_ops.tag_current where tag = %s", (v.tag,)
                ).fetchone() or (0,)
                connection.execute(
                    "insert into sos_ops.tag_limits values (%s, 2, %s, %s, %s, %s, %s, %s, null, 'test', %s)",
                    (tag_id, v.valid_from, v.x100, v.xl, v.limit, v.max_age_s, v.max_count, begin),
                )
    for set_id, tags in golden.sets().items():
        assert make_set(database, *tags) == set_id


def receive(database: Database, after: datetime, until: datetime) -> None:
    """The results that arrive in (after, until], each at its own time, through its partner's door."""
    with database.connect() as connection:
        for result in golden.results():
            if after < result.received_at <= until:
                set_clock(connection, platform_time=result.received_at, rate=SLOW)
                write_results(connection, result.partner, [(result.timestamp, result.tag, result.value)])


def test_the_worked_timeline_lived_through_comes_out_bit_for_bit(database: Database) -> None:
    configure(database)
    first, final = golden.expected("first"), golden.expected("final")
    minutes = sorted({minute for minute, _ in first})

    seen_until, as_first_decided = minutes[0] - MINUTE, {}
    for minute in minutes:
        decided_at = minute + golden.DECIDED_AFTER
        receive(database, seen_until, decided_at)
        seen_until = decided_at
        run_live(database, decided_at)
        as_first_decided.update({key: row for key, row in sos_rows(database).items() if key[0] == minute})
    assert as_first_decided == first

    receive(database, seen_until, minutes[-1] + timedelta(days=1))
    end = max(seen_until, *(result.received_at for result in golden.results()))
    database.set_clock(end + MINUTE)
    redo_late_minutes(database.connect)
    assert {key: row for key, row in sos_rows(database).items() if key in final} == final

    assert_what_was_superseded_stands_as_it_was_decided(database)
    assert_nothing_moves_any_more(database)


def assert_what_was_superseded_stands_as_it_was_decided(database: Database) -> None:
    first, final = golden.expected("first"), golden.expected("final")
    changed = {key for key in first if first[key]._replace(missing="") != final[key]._replace(missing="")}
    superseded = {key: row._replace(missing="") for key, row in sos_rows(database, REVISIONS).items()}
    assert changed
    assert superseded == {key: first[key]._replace(missing="") for key in changed}
    decisions = database.rows(
        "select minute, set_id, decided_at, superseded_at from sos_ops.sos_revision order by minute, set_id"
    )
    replaced_at = {
        (minute, set_id): at
        for minute, set_id, at in database.rows("select minute, set_id, decided_at from sos_ops.sos")
    }
    assert len(decisions) == len(changed)
    for minute, set_id, decided_at, superseded_at in decisions:
        since = decided_at - (minute + golden.DECIDED_AFTER)
        assert timedelta(0) <= since < timedelta(seconds=1)
        assert superseded_at == replaced_at[minute, set_id] > decided_at


def assert_nothing_moves_any_more(database: Database) -> None:
    before = everything_decided(database)
    redo_late_minutes(database.connect)
    assert everything_decided(database) == before


def test_the_history_run_alone_gives_the_final_rows_bit_for_bit(database: Database) -> None:
    configure(database)
    first = golden.expected("first")
    minutes = sorted({minute for minute, _ in first})
    receive(database, minutes[0] - MINUTE, minutes[-1] + timedelta(days=1))
    database.set_clock(minutes[-1] + timedelta(days=1))
    fill(database.connect, minutes[0].date(), backfill=True)
    final = golden.expected("final")
    assert {key: row for key, row in sos_rows(database).items() if key in final} == final
    before = scores_and_sos(database)
    fill(database.connect, minutes[0].date(), backfill=True)
    assert scores_and_sos(database) == before
