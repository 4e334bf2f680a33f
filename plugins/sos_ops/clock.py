"""The one clock of the platform, the simulator and the database's rules.

Its setting is one row of the database (`sos_ops.clock`): platform time was `platform_anchor` when the machine's
clock showed `real_anchor`, and runs `rate` times as fast. Untouched it is the machine's clock. Tests set it
(`sos-ops clock set`), and `sos_ops.now()` in SQL, `DatabaseClock` in Python and the simulated rack all follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Now = Callable[[], datetime]
"""Anything that tells the platform's time, as an aware UTC datetime."""

MINUTE = timedelta(minutes=1)

KST = ZoneInfo("Asia/Seoul")
"""Where people are. Everything stored and computed is UTC."""


def system_now() -> datetime:
    """The machine's own clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class ClockSetting:
    """Platform time as a linear function of the machine's time."""

    real_anchor: datetime
    platform_anchor: datetime
    rate: float

    def at(self, real: datetime) -> datetime:
        """Platform time when the machine's clock shows `real`."""
        return self.platform_anchor + (real - self.real_anchor) * self.rate

    def real_seconds(self, platform_seconds: float) -> float:
        """How many real seconds pass while the platform's clock advances by `platform_seconds`."""
        return platform_seconds / self.rate


def in_step(platform: datetime, real: datetime) -> datetime:
    """`platform`, or the first moment after it that is whole minutes away from `real`."""
    return platform + (real - platform) % MINUTE


def floor_minute(moment: datetime) -> datetime:
    """The minute mark at or before `moment`."""
    return moment.replace(second=0, microsecond=0)


def ceil_minute(moment: datetime) -> datetime:
    """The minute mark at or after `moment`."""
    floor = floor_minute(moment)
    return floor if floor == moment else floor + MINUTE


def both_zones(moment: datetime | None) -> str:
    """A time as a person reads it: in UTC, and in Korean time."""
    if moment is None:
        return "-"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({moment.astimezone(KST):%H:%M:%S} KST)"
