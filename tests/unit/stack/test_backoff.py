from __future__ import annotations

import time
from types import SimpleNamespace

from supervisor import events
from supervisor.states import ProcessStates

from sos_ops.stack.backoff import LONGEST_WAIT_S, limit_backoff


def test_a_program_that_fails_for_ever_is_tried_again_every_few_seconds() -> None:
    events.clear()
    limit_backoff(None)
    failing = SimpleNamespace(backoff=5_000, delay=time.time() + 5_000, config=None, group=None)
    events.notify(events.ProcessStateBackoffEvent(failing, ProcessStates.STARTING))
    assert failing.backoff == LONGEST_WAIT_S
    assert failing.delay <= time.time() + LONGEST_WAIT_S
    events.clear()


def test_the_first_retries_stay_as_quick_as_they_are() -> None:
    events.clear()
    limit_backoff(None)
    soon = time.time() + 1
    failing = SimpleNamespace(backoff=1, delay=soon, config=None, group=None)
    events.notify(events.ProcessStateBackoffEvent(failing, ProcessStates.STARTING))
    assert (failing.backoff, failing.delay) == (1, soon)
    events.clear()
