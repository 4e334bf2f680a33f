"""`kill -9` of anything at any moment: after the restart no minute is doubled and none is without value or reason."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.support.stack import RunningStack, wait_for

pytestmark = pytest.mark.timeout(600)


def _goes_on(stack: RunningStack) -> None:
    """Waits until a minute that began after now has a complete SoS, and everything before it is closed."""
    asked = wait_for(stack.now, "the database answers", 60)

    def arrived() -> bool:
        row = stack.newest()
        closed = stack.query("select closed_until from sos_ops.scoring_progress")[0][0]
        return bool(row and row["value"] is not None and row["minute"] > asked and closed >= row["minute"])

    wait_for(arrived, "SoS goes on", 180)


@pytest.mark.parametrize("program", ["bms", "airflow-scheduler", "postgres", "airflow-api-server"])
def test_after_kill_9_of_a_program_no_minute_is_doubled_or_unexplained(
    healthy: RunningStack, program: str
) -> None:
    with healthy.sped_up(5):
        healthy.kill(program)
        _goes_on(healthy)


def test_after_kill_9_of_tasks_no_minute_is_doubled_or_unexplained(healthy: RunningStack) -> None:
    chance = random.Random(20261123)  # noqa: S311  # a repeatable choice, not a secret
    killed = 0
    workers = set(wait_for(lambda: healthy.descendants("airflow-scheduler"), "the executor's workers", 60))
    with healthy.sped_up(5):
        deadline = time.monotonic() + 60
        while killed < 8 and time.monotonic() < deadline:
            # Below the scheduler stand the executor's workers, below them the tasks: those are hit.
            fresh = [pid for pid in healthy.descendants("airflow-scheduler") if pid not in workers]
            if fresh:
                time.sleep(chance.random() * 0.4)
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(fresh), signal.SIGKILL)
                    killed += 1
            time.sleep(0.05)
        _goes_on(healthy)
    assert killed >= 3
