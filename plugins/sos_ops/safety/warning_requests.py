"""Warning-change requests: what becomes of a partner's wish for another warning threshold. Pure rules, no clock.

A partner writes the threshold it wishes for into WARNING_REQUEST. Moving the threshold towards x100 (tightening) makes
warnings come earlier; away from it (loosening), later. So the rules refuse what makes no sense, may tighten where that
was allowed for the tag, and leave every loosening to a person. See `docs/adr/0014-warning-requests.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sos_ops.safety.score import Limits

NEAREST_DEPTH = 0.1
FARTHEST_DEPTH = 2.0
"""Default bounds, as depths u by the limits that a person last set: nearer than a tenth of the way from x100 to the
threshold nearly every value would warn, beyond twice the way hardly any."""

OLDEST_ROW = timedelta(hours=1)
"""A wish in a row older than this on arrival says what was wished then."""

REJECTION_STANDS = timedelta(days=1)
"""So long a wish that a person rejected is not put to a person again."""


class Verdict(StrEnum):
    """What the rules make of a request."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    REFUSED = "refused"


class Rule(StrEnum):
    """Why a request was refused."""

    NOT_FINITE = "not finite"
    RETIRED = "tag retired"
    TOO_OLD = "too old"
    EQUAL = "equal"
    CROSSES_X100 = "crosses x100"
    OUT_OF_BOUNDS = "out of bounds"
    TOO_FREQUENT = "too frequent"
    REJECTED_BEFORE = "rejected before"
    SUPERSEDED = "superseded"
    DATABASE = "not applicable"


@dataclass(frozen=True)
class RequestRules:
    """How requests for one tag are judged.

    Attributes:
        nearest: the threshold nearest to x100 that may be asked for, in the tag's unit; None: the default bound.
        farthest: the farthest one; None: the default bound.
        auto_tighten: tightening is applied without a person.
        min_interval: after a request was applied or approved, others are refused for so long.
    """

    nearest: float | None = None
    farthest: float | None = None
    auto_tighten: bool = False
    min_interval: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Wish:
    """A threshold asked for, with the TIMESTAMP of the row that asks and when that arrived."""

    threshold: float
    row_at: datetime
    received_at: datetime


@dataclass(frozen=True)
class Standing:
    """How a tag stands when a request for it is judged.

    Attributes:
        limits: in force now.
        set_by_person: the newest limits that no rule made; default bounds are measured by them, so that a chain of
            applied requests cannot creep away from what a person decided.
        rules: the tag's own.
        retired: the tag is not in use any more.
        last_changed_at: when a request for the tag was last applied or approved.
        rejected: the wish a person rejected last, and when.
    """

    limits: Limits
    set_by_person: Limits
    rules: RequestRules = RequestRules()
    retired: bool = False
    last_changed_at: datetime | None = None
    rejected: tuple[float, datetime] | None = None


@dataclass(frozen=True)
class Judgement:
    """What becomes of a request, by which rule if it is refused, and the reason in one sentence."""

    verdict: Verdict
    reason: str
    rule: Rule | None = None


def bounds(standing: Standing) -> tuple[float, float]:
    """The thresholds nearest to x100 and farthest from it that may be asked for, in the tag's unit."""
    base, rules = standing.set_by_person, standing.rules
    x100, way = base.maximum_safe_value, base.warning_threshold - base.maximum_safe_value
    nearest = x100 + NEAREST_DEPTH * way if rules.nearest is None else rules.nearest
    farthest = x100 + FARTHEST_DEPTH * way if rules.farthest is None else rules.farthest
    return nearest, farthest


def is_tightening(threshold: float, limits: Limits) -> bool:
    """True when a threshold lies nearer to x100 than the one in force, on its side."""
    x100, xl = limits.maximum_safe_value, limits.warning_threshold
    return x100 < threshold < xl or xl < threshold < x100


def refusal(threshold: float, standing: Standing) -> Judgement | None:
    """Why this threshold may not be put in force now, whoever decides; None when it may.

    Args:
        threshold: in the tag's unit.
        standing: how the tag stands now.
    """
    x100, xl = standing.limits.maximum_safe_value, standing.limits.warning_threshold
    if not math.isfinite(threshold):
        return _refused(Rule.NOT_FINITE, f"the WARNING_REQUEST {threshold} is no finite number")
    if standing.retired:
        return _refused(Rule.RETIRED, "the tag is retired")
    if threshold == xl:
        return _refused(Rule.EQUAL, f"the threshold is {_number(xl)} already")
    if (threshold > x100) != (xl > x100) or threshold == x100:
        return _refused(
            Rule.CROSSES_X100,
            f"{_number(threshold)} does not lie on the dangerous side of x100 = {_number(x100)}, where "
            f"{_number(xl)} lies",
        )
    nearest, farthest = bounds(standing)
    if not min(nearest, farthest) <= threshold <= max(nearest, farthest):
        return _refused(
            Rule.OUT_OF_BOUNDS,
            f"{_number(threshold)} lies outside the bounds {_number(nearest)} to {_number(farthest)}; "
            "a person may set it with `sos-ops tag set`",
        )
    return None


def judge(wish: Wish, standing: Standing, at: datetime) -> Judgement:
    """What becomes of a wish.

    Args:
        wish: the newest one for the tag.
        standing: how the tag stands now.
        at: platform time.
    """
    threshold = wish.threshold
    if not standing.retired and wish.received_at - wish.row_at > OLDEST_ROW:
        return _refused(Rule.TOO_OLD, "its row was more than an hour old when it arrived")
    refused = refusal(threshold, standing) or _too_soon(threshold, standing, at)
    if refused:
        return refused
    xl = standing.limits.warning_threshold
    if not is_tightening(threshold, standing.limits):
        return Judgement(
            Verdict.PROPOSED,
            f"loosens the threshold from {_number(xl)} to {_number(threshold)}: a person decides",
        )
    tightens = f"tightens the threshold from {_number(xl)} to {_number(threshold)}"
    if standing.rules.auto_tighten:
        return Judgement(Verdict.APPLIED, f"{tightens}, which is applied by rule for this tag")
    return Judgement(Verdict.PROPOSED, f"{tightens}: a person decides")


def _too_soon(threshold: float, standing: Standing, at: datetime) -> Judgement | None:
    changed, interval = standing.last_changed_at, standing.rules.min_interval
    # A change that lies in the future was made before the clock was set back: it holds nothing up.
    if changed is not None and changed <= at < changed + interval:
        return _refused(
            Rule.TOO_FREQUENT,
            f"a request was applied at {changed:%Y-%m-%d %H:%M:%S} UTC, and one every {_span(interval)} is enough",
        )
    if standing.rejected is not None:
        rejected, when = standing.rejected
        if rejected == threshold and when <= at < when + REJECTION_STANDS:
            return _refused(
                Rule.REJECTED_BEFORE,
                f"a person rejected {_number(threshold)} at {when:%Y-%m-%d %H:%M:%S} UTC",
            )
    return None


def _refused(rule: Rule, reason: str) -> Judgement:
    return Judgement(Verdict.REFUSED, reason, rule)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _span(interval: timedelta) -> str:
    seconds = round(interval.total_seconds())
    return "hour" if seconds == 3600 else f"{seconds} s"
