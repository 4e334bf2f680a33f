"""Ten minutes without the battery in real time, and kills for as long as asked.

SOS_SOAK_KILLS (default 10,000) and SOS_SOAK_HOURS (default 8) say when the kills end, whichever comes first.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from tests.support.apart import OUTCOMES, running_apart
from tests.support.invariants import broken_invariants
from tests.support.stack import RunningStack, wait_for

PROGRAMS = (
    "bms",
    "airflow-scheduler",
    "postgres",
    "airflow-api-server",
    "airflow-dag-processor",
    "dashboard",
)


def test_ten_minutes_without_the_bms_are_ten_unknown_minutes_with_their_reason(
    platform: RunningStack,
) -> None:
    platform.run("demo", "bms", "stop")
    stopped = platform.now()
    time.sleep(600)
    platform.run("demo", "bms", "start")
    wait_for(lambda: (row := platform.newest()) and row["value"] is not None, "SoS again", 180)
    rows = platform.query(
        "select minute, value, band::text from sos_ops.sos where set_id = 1 and minute between %s and %s order by 1",
        stopped + timedelta(minutes=4),
        stopped + timedelta(minutes=9),
    )
    assert len(rows) >= 5
    assert all(value is None and band == "U" for _, value, band in rows)


def test_ten_minutes_without_the_database_lose_and_double_no_reading(tmp_path: Path) -> None:
    with running_apart(tmp_path) as platform:
        away = platform.without_database(600, rate=1)
        rows = platform.stack.query(OUTCOMES, away.first, away.last)
        assert len(rows) >= 10
        assert [outcome for _, outcome, _, _ in rows] == ["complete"] * len(rows)
        assert all(readings == points > 0 for _, _, readings, points in rows)
        assert away.stored_after_s < 60
        with platform.stack.connect() as connection:
            assert broken_invariants(connection) == {}


def test_kills_at_random_moments_lose_and_double_nothing(platform: RunningStack) -> None:
    chance = random.Random(int(os.environ.get("SOS_SOAK_SEED", "1")))  # noqa: S311  # repeatable, not secret
    kills = int(os.environ.get("SOS_SOAK_KILLS", "10000"))
    until = time.monotonic() + 3600 * float(os.environ.get("SOS_SOAK_HOURS", "8"))
    done = 0
    with platform.sped_up(5):
        while done < kills and time.monotonic() < until:
            program = chance.choice(PROGRAMS)
            victims = [pid for pid in [platform.pid(program), *platform.descendants(program)] if pid]
            if victims:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    done += 1
            time.sleep(chance.random() * 2)
            if done % 200 == 0:
                _rests_and_is_whole(platform, done)
        _rests_and_is_whole(platform, done)


def _rests_and_is_whole(platform: RunningStack, done: int) -> None:
    asked = wait_for(platform.now, "the database answers", 180)
    wait_for(
        lambda: (row := platform.newest()) and row["value"] is not None and row["minute"] > asked,
        f"SoS goes on after {done} kills",
        600,
    )
    with platform.connect() as connection:
        assert broken_invariants(connection) == {}
    print(f"{done} kills, nothing lost or doubled", flush=True)
