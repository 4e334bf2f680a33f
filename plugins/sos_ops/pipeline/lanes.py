"""The lanes of a minute: which gateways are read by which task, until when, and when one changes over.

The quick lane reads until 15 s after the minute, so that scoring begins by 20 s whatever is still being read. A gateway
that answers but needs longer is read by the slow lane from then on, until 50 s after the minute; the minute is revised
when it is done. Buses that other DAGs use too are read in tasks of their own, as slow lanes. No gateway is in two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.minute_budget import COMFORTABLE_S, QUICK_LANE_S, SLOW_LANE_S
from sos_ops.modbus.poll import PollOutcome
from sos_ops.store.gateways import Gateway, LaneChange
from sos_ops.store.polling import Learnt, PollBatch, PolledDevice, PollingCatalogue
from sos_ops.store.readings import DevicePoll

POLL_WINDOW = timedelta(seconds=30)
"""A poll begun this long after a minute no longer belongs to it."""

READ_UNTIL = timedelta(seconds=QUICK_LANE_S)
SLOW_READ_UNTIL = timedelta(seconds=SLOW_LANE_S)
"""Reading ends this long after the minute, whatever is still being read."""

QUICK_AGAIN = timedelta(seconds=COMFORTABLE_S)
"""A gateway read in less than this is quick again: with what a minute's beginning takes, it fits the quick lane."""

Chooser = Callable[[Gateway, PollingCatalogue], bool]


@dataclass(frozen=True)
class Lane:
    """One lane.

    Attributes:
        name: for files and lines.
        chooses: whether it reads a gateway.
        read_until: how long after the minute it reads.
        waits: True when a device that answers but is not finished then is stored as far as it was read; False when
            the slow lane reads it again.
        opens_the_minute: True for the lane that closes missed minutes and keeps the catalogue.
    """

    name: str
    chooses: Chooser
    read_until: timedelta
    waits: bool
    opens_the_minute: bool = False


def quick_lane(shared: frozenset[Gateway]) -> Lane:
    """Every gateway that is neither slow nor shared."""
    return Lane(
        "quick",
        lambda gateway, known: gateway not in shared and gateway not in known.slow,
        READ_UNTIL,
        waits=False,
        opens_the_minute=True,
    )


def slow_lane(shared: frozenset[Gateway]) -> Lane:
    """The gateways that were too slow for the quick lane, but for shared ones."""
    return Lane(
        "slow",
        lambda gateway, known: gateway in known.slow and gateway not in shared,
        SLOW_READ_UNTIL,
        waits=True,
    )


def own_lane(gateways: frozenset[Gateway]) -> Lane:
    """These gateways alone, as a slow lane of their own."""
    return Lane("bus", lambda gateway, _: gateway in gateways, SLOW_READ_UNTIL, waits=True)


@dataclass(frozen=True)
class DeviceRead:
    """A device of this lane and what its poll came to."""

    entry: PolledDevice
    poll: DevicePoll


def batch_of(lane: Lane, minute: datetime, read: Sequence[DeviceRead], at: datetime) -> PollBatch:
    """What is to be stored of what a lane read; see `Lane.waits` for devices that are not finished.

    Args:
        lane: which.
        minute: the minute mark.
        read: every device of the lane.
        at: platform time now.
    """
    unfinished = set() if lane.waits else _unfinished(read)
    return PollBatch(
        minute=minute,
        polls=tuple(one.poll for one in read if one.poll.device_id not in unfinished),
        learnt=tuple(
            Learnt(one.poll.device_id, one.poll.result.quarantine)
            for one in read
            if one.poll.result.quarantine
        ),
        lanes=tuple(_lane_changes(lane, read, unfinished, at)),
    )


def _unfinished(read: Iterable[DeviceRead]) -> set[int]:
    """Devices that answer but were not finished, and those of the same gateway whose turn did not come."""
    slow = {one.entry.gateway for one in read if one.poll.result.unfinished}
    return {
        one.poll.device_id
        for one in read
        if one.poll.result.unfinished
        or (one.entry.gateway in slow and one.poll.result.cause is FailureReason.DEADLINE)
    }


def _lane_changes(
    lane: Lane, read: Sequence[DeviceRead], unfinished: set[int], at: datetime
) -> Iterable[LaneChange]:
    for gateway in sorted({one.entry.gateway for one in read}):
        of_it = [one.poll for one in read if one.entry.gateway == gateway]
        if lane.name == "slow" and _is_quick_again([poll for poll in of_it if poll.map_id is not None]):
            yield LaneChange(gateway, slow=False, at=at)
        elif any(poll.device_id in unfinished for poll in of_it):
            yield LaneChange(gateway, slow=True, at=at)


def _is_quick_again(polls: Sequence[DevicePoll]) -> bool:
    """Only what was read tells how fast a line is: a silence or a refused connection may be short."""
    results = [poll.result for poll in polls]
    if not results or any(r.unfinished or r.outcome is PollOutcome.FAILED for r in results):
        return False
    took = max(result.ended_at for result in results) - min(result.began_at for result in results)
    return took < QUICK_AGAIN
