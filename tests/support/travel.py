"""Going to another minute without asking the database, which may be away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from sos_ops.clock import ClockSetting, system_now
from sos_ops.pipeline import poll_step


def traveller(monkeypatch: pytest.MonkeyPatch, setting: ClockSetting) -> Callable[[datetime], None]:
    """A function that makes the machine's clock, as polls see it, show what `setting` takes for a platform time."""

    def travel(platform_time: datetime) -> None:
        away = (platform_time - setting.at(system_now())) / setting.rate
        monkeypatch.setattr(poll_step, "system_now", lambda: system_now() + away)

    return travel
