"""What the page reads: long spans arrive thinned, with every extreme, gap and newest sample still there."""

from __future__ import annotations

from datetime import timedelta

from sos_ops.pipeline.history import fill
from sos_ops.safety.bands import Band
from sos_ops.safety.score import Limits
from sos_ops.store import page
from tests.support.database import Database
from tests.support.plant import MIDNIGHT, at, furnish, make_set, offer

DAY = timedelta(days=1)


def _a_day(database: Database) -> int:
    """A day of over_temp with one spike at 06:00 and no results from 12:00 to 13:00."""
    furnish(database, {"over_temp": Limits(40.0, 50.0)})
    database.set_clock(MIDNIGHT + DAY)
    values = {n: 30.0 + n % 7 for n in range(1440) if not 720 <= n < 780}
    values[360] = 55.0
    offer(database, "keti", ((at(n), "over_temp", value) for n, value in values.items()))
    set_id = make_set(database, "over_temp")
    fill(database.connect, MIDNIGHT.date(), backfill=True)
    return set_id


def test_thinned_values_keep_the_spike_the_first_and_the_newest(database: Database) -> None:
    _a_day(database)
    with database.connect() as connection:
        whole = page.value_series(connection, ["over_temp"], MIDNIGHT, at(1439))["over_temp"]
        thinned = page.value_series(connection, ["over_temp"], MIDNIGHT, at(1439), 100)["over_temp"]
    rows = set(zip(whole.times, whole.values, strict=True))
    kept = list(zip(thinned.times, thinned.values, strict=True))
    assert set(kept) <= rows
    assert kept == sorted(kept)
    assert len(kept) <= 110 < len(rows)
    assert (at(360), 55.0) in kept
    assert kept[0] == (at(0), whole.values[0])
    assert kept[-1] == (at(1439), whole.values[-1])


def test_thinned_sos_keeps_the_incident_and_the_gap(database: Database) -> None:
    set_id = _a_day(database)
    with database.connect() as connection:
        whole = page.sos_series(connection, set_id, MIDNIGHT, at(1439))
        thinned = page.sos_series(connection, set_id, MIDNIGHT, at(1439), 100)
    assert len(whole.minutes) == 1440
    assert len(thinned.minutes) <= 160
    assert thinned.minutes == sorted(thinned.minutes)
    spike = thinned.minutes.index(at(360))
    assert thinned.values[spike] == min(v for v in whole.values if v is not None)
    assert thinned.bands[spike] is Band.WARNING
    gap = [m for m, v in zip(thinned.minutes, thinned.values, strict=True) if v is None]
    # Results of 11:59 count until 12:02.
    assert gap[0] == at(722)
    assert at(770) <= gap[-1] <= at(779)
    assert thinned.minutes[-1] == at(1439)


def test_a_short_span_arrives_whole(database: Database) -> None:
    set_id = _a_day(database)
    with database.connect() as connection:
        assert len(page.sos_series(connection, set_id, at(0), at(199), 100).minutes) == 200
        assert (
            len(page.value_series(connection, ["over_temp"], at(0), at(199), 100)["over_temp"].times) == 200
        )
