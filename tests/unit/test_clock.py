"""The platform's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sos_ops.clock import MINUTE, in_step

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(platform=MOMENTS, real=MOMENTS)
def test_a_clock_in_step_begins_its_minutes_with_the_machine_and_moves_on_by_less_than_one(
    platform: datetime, real: datetime
) -> None:
    stepped = in_step(platform, real)
    assert timedelta(0) <= stepped - platform < MINUTE
    assert (stepped - real) % MINUTE == timedelta(0)
