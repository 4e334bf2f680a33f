"""When a person may ask a device that is polled every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.cli.between_polls import QuietWindow, WindowOverError
from sos_ops.pipeline.lanes import READ_UNTIL, SLOW_READ_UNTIL
from sos_ops.store.gateways import Gateway

GATEWAY = Gateway("10.0.0.5", 502)
QUICK = QuietWindow.of(GATEWAY, whole_minute=False)
SLOW = QuietWindow.of(GATEWAY, whole_minute=True)


def second(number: float) -> datetime:
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("window", "at", "wait_s"),
    [
        (QUICK, 0, 20), (QUICK, 19.5, 0.5), (QUICK, 20, 0), (QUICK, 55.9, 0), (QUICK, 56, 24), (QUICK, 59, 21),
        (SLOW, 0, 52), (SLOW, 30, 22), (SLOW, 52, 0), (SLOW, 55.9, 0), (SLOW, 57, 55),
    ],
)  # fmt: skip
def test_a_person_waits_until_the_lane_has_ended(window: QuietWindow, at: float, wait_s: float) -> None:
    assert window.wait_s(second(at)) == pytest.approx(wait_s)


def test_the_windows_begin_after_the_lanes_have_stopped_reading() -> None:
    assert QUICK.begins > READ_UNTIL
    assert SLOW.begins > SLOW_READ_UNTIL


def test_no_request_is_begun_shortly_before_the_next_poll() -> None:
    at = [second(30)]
    guard = QUICK.opened(lambda: at[0])
    guard(1, 40)
    at[0] = second(55.9)
    guard(12, 40)
    at[0] = second(56)
    with pytest.raises(
        WindowOverError, match=r"next poll of 10\.0\.0\.5:502 is near, and 12 of 40 requests were made"
    ):
        guard(13, 40)


def test_a_window_is_not_taken_for_that_of_the_next_minute() -> None:
    at = [second(30)]
    guard = QUICK.opened(lambda: at[0])
    at[0] = second(60 + 30)
    with pytest.raises(WindowOverError):
        guard(2, 40)
