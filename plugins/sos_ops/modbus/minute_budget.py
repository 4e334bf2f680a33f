"""The time a minute has for reading: whether a device's plan fits into it, and what to do if not.

The quick lane is read before the minute is scored; what takes longer goes into the slow lane, whose readings
revise the minute. Nothing fits beyond that.
"""

from __future__ import annotations

from enum import Enum

QUICK_LANE_S = 15.0
"""Seconds for the devices that are read before the minute is scored."""

COMFORTABLE_S = 10.0
"""Up to here a plan fits the quick lane with what a minute's beginning takes."""

SLOW_LANE_S = 50.0
"""Seconds for the devices that revise the minute."""


class Fit(Enum):
    """Where a plan fits."""

    QUICK = "quick"
    SLOW = "slow"
    NOT = "not"


def fit_of(seconds: float) -> Fit:
    """Where a plan that takes so many seconds fits."""
    if seconds <= QUICK_LANE_S:
        return Fit.QUICK
    return Fit.SLOW if seconds <= SLOW_LANE_S else Fit.NOT


def fit_sentence(seconds: float) -> str:
    """One sentence: whether a plan of so many seconds fits a minute."""
    fit = fit_of(seconds)
    if fit is Fit.QUICK:
        text = f"fits: {seconds:.1f} s of the {QUICK_LANE_S:g} s that a minute has before it is scored"
        if seconds <= COMFORTABLE_S:
            return text
        return f"{text}; polling begins some seconds into it, so the slow lane may have to take over"
    if fit is Fit.SLOW:
        return (
            f"fits the slow lane only: {seconds:.1f} s, more than the {QUICK_LANE_S:g} s before scoring and "
            f"less than {SLOW_LANE_S:g} s; its readings revise the minute after it was scored"
        )
    return (
        f"does not fit a minute: {seconds:.1f} s, {SLOW_LANE_S:g} s are the most; "
        "read fewer points, set a higher baud rate, or put a second converter on the line"
    )
