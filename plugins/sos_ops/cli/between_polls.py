"""Asking a device by hand while the platform polls it: in the seconds of a minute in which no poll uses its gateway.

A gateway has one line, and many accept one connection only. A second request at the same time disturbs the poll, and
may be answered with the other's registers. So a person waits, not the poll.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sos_ops.clock import MINUTE, Now, floor_minute
from sos_ops.errors import SosOpsError
from sos_ops.store.gateways import Gateway

LAST_REQUEST = timedelta(seconds=56)
"""A request begun later may still be answered when the next minute's poll begins."""

QUICK_LANE_ENDS = timedelta(seconds=20)
SLOW_LANE_ENDS = timedelta(seconds=52)


class WindowOverError(SosOpsError):
    """The next poll is about to begin."""


@dataclass(frozen=True)
class QuietWindow:
    """The part of every minute in which no poll uses a gateway."""

    gateway: Gateway
    begins: timedelta
    """After the minute."""

    @classmethod
    def of(cls, gateway: Gateway, *, whole_minute: bool) -> QuietWindow:
        """The window of a gateway, which is small where its lane reads for most of the minute."""
        return cls(gateway, SLOW_LANE_ENDS if whole_minute else QUICK_LANE_ENDS)

    def wait_s(self, at: datetime) -> float:
        """Seconds from `at` until the window is open; 0 when it is."""
        into = at - floor_minute(at)
        if self.begins <= into < LAST_REQUEST:
            return 0.0
        opens = self.begins if into < self.begins else self.begins + MINUTE
        return (opens - into).total_seconds()

    def opened(self, now: Now) -> Guard:
        """What watches that the window just entered is not outstayed."""
        return Guard(self, floor_minute(now()) + LAST_REQUEST, now)


@dataclass(frozen=True)
class Guard:
    """Told before each request, stops it when the next poll is near."""

    window: QuietWindow
    until: datetime
    now: Now

    def __call__(self, asked: int, expected: int) -> None:
        """Lets the request go.

        Raises:
            WindowOverError: it would reach into the next poll.
        """
        if self.now() >= self.until:
            raise WindowOverError(
                f"the next poll of {self.window.gateway} is near, and {asked - 1} of {expected} requests were made: "
                "ask with fewer --samples, or stop its polling and ask with --now (docs/airflow.md says how)"
            )
