"""A plug-in of the supervisor: a program that keeps failing is tried again every few seconds, for ever.

By itself the supervisor waits one second longer after each failure, without limit, and in the end gives up.
"""

from __future__ import annotations

import time
from typing import Any

from supervisor import events

LONGEST_WAIT_S = 10


def limit_backoff(_supervisord: Any, **_config: str) -> object:
    """Makes the plug-in, in the place of an RPC interface: that is where the supervisor loads plug-ins."""
    events.subscribe(events.ProcessStateBackoffEvent, _limit)
    return object()


def _limit(event: Any) -> None:
    process = event.process
    process.backoff = min(process.backoff, LONGEST_WAIT_S)
    process.delay = min(process.delay, time.time() + LONGEST_WAIT_S)
