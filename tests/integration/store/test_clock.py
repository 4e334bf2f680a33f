"""Setting the platform's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.clock import MINUTE
from sos_ops.store.clock import set_clock
from tests.support.database import Database


@pytest.mark.parametrize(
    "jump", [timedelta(seconds=35), timedelta(hours=1, seconds=59), timedelta(days=-1, seconds=7)]
)
def test_at_the_pace_of_real_time_runs_started_by_the_machines_minute_are_in_time_to_poll(
    database: Database, jump: timedelta
) -> None:
    with database.connect() as connection:
        set_clock(connection, platform_time=datetime.now(UTC) + jump, rate=1.0)
        (lag,) = connection.execute("select sos_ops.now() - clock_timestamp()").fetchone() or ()
    assert lag % MINUTE < timedelta(seconds=1) or MINUTE - lag % MINUTE < timedelta(seconds=1)


def test_a_clock_that_was_sped_up_goes_on_in_step_and_never_back(database: Database) -> None:
    with database.connect() as connection:
        set_clock(connection, platform_time=None, rate=977.0)
    with database.connect() as connection:
        connection.execute("select pg_sleep(0.05)")
        (before,) = connection.execute("select sos_ops.now()").fetchone() or ()
        setting = set_clock(connection, platform_time=None, rate=1.0)
    assert before <= setting.platform_anchor
    assert (setting.platform_anchor - setting.real_anchor) % MINUTE == timedelta(0)
