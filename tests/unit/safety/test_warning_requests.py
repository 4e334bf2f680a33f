"""What becomes of a partner's wish for another warning threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos_ops.safety.score import Limits
from sos_ops.safety.warning_requests import (
    RequestRules,
    Rule,
    Standing,
    Verdict,
    Wish,
    bounds,
    is_tightening,
    judge,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OVER_TEMP = Limits(40.0, 50.0)
UNDER_VOLTAGE = Limits(3.3, 3.15)
UPPER, LOWER = Standing(OVER_TEMP, OVER_TEMP), Standing(UNDER_VOLTAGE, UNDER_VOLTAGE)
AUTO = RequestRules(auto_tighten=True)


def wish(threshold: float) -> Wish:
    return Wish(threshold, NOW - timedelta(seconds=20), NOW - timedelta(seconds=5))


def ruled(standing: Standing, rules: RequestRules) -> Standing:
    return replace(standing, rules=rules)


@pytest.mark.parametrize(
    ("standing", "threshold"), [(UPPER, 45.0), (LOWER, 3.2), (UPPER, 60.0), (LOWER, 3.0)]
)
def test_whatever_is_allowed_waits_for_a_person(standing: Standing, threshold: float) -> None:
    assert judge(wish(threshold), standing, NOW).verdict is Verdict.PROPOSED


@pytest.mark.parametrize(("standing", "threshold"), [(UPPER, 45.0), (LOWER, 3.2)])
def test_tightening_is_applied_where_that_was_allowed_for_the_tag(
    standing: Standing, threshold: float
) -> None:
    judgement = judge(wish(threshold), ruled(standing, AUTO), NOW)
    assert judgement.verdict is Verdict.APPLIED
    assert "tightens the threshold" in judgement.reason


@pytest.mark.parametrize(("standing", "threshold"), [(UPPER, 55.0), (LOWER, 3.1)])
def test_loosening_needs_a_person_also_where_tightening_does_not(
    standing: Standing, threshold: float
) -> None:
    judgement = judge(wish(threshold), ruled(standing, AUTO), NOW)
    assert judgement.verdict is Verdict.PROPOSED
    assert "loosens the threshold" in judgement.reason


REFUSED = [
    (UPPER, math.nan, Rule.NOT_FINITE),
    (UPPER, math.inf, Rule.NOT_FINITE),
    (UPPER, 50.0, Rule.EQUAL),
    (UPPER, 40.0, Rule.CROSSES_X100),
    (UPPER, 39.0, Rule.CROSSES_X100),
    (UPPER, -1e300, Rule.CROSSES_X100),
    (UPPER, 40.9, Rule.OUT_OF_BOUNDS),
    (UPPER, 60.1, Rule.OUT_OF_BOUNDS),
    (UPPER, 1e308, Rule.OUT_OF_BOUNDS),
    (LOWER, 3.3, Rule.CROSSES_X100),
    (LOWER, 3.4, Rule.CROSSES_X100),
    (LOWER, 3.299, Rule.OUT_OF_BOUNDS),
    (LOWER, 2.9, Rule.OUT_OF_BOUNDS),
    (replace(UPPER, retired=True), 45.0, Rule.RETIRED),
    (replace(UPPER, last_changed_at=NOW - timedelta(minutes=59)), 45.0, Rule.TOO_FREQUENT),
    (replace(UPPER, rejected=(45.0, NOW - 23 * HOUR)), 45.0, Rule.REJECTED_BEFORE),
]


@pytest.mark.parametrize(("standing", "threshold", "rule"), REFUSED)
@pytest.mark.parametrize("rules", [RequestRules(), AUTO])
def test_what_makes_no_sense_is_refused_with_the_reason(
    standing: Standing, threshold: float, rule: Rule, rules: RequestRules
) -> None:
    judgement = judge(wish(threshold), ruled(standing, rules), NOW)
    assert (judgement.verdict, judgement.rule) == (Verdict.REFUSED, rule)
    assert judgement.reason


def test_a_tags_own_bounds_take_the_place_of_the_defaults() -> None:
    own = ruled(UPPER, RequestRules(nearest=47.0, farthest=52.0))
    assert judge(wish(46.0), own, NOW).rule is Rule.OUT_OF_BOUNDS
    assert judge(wish(53.0), own, NOW).rule is Rule.OUT_OF_BOUNDS
    assert judge(wish(47.0), own, NOW).verdict is Verdict.PROPOSED


def test_bounds_are_measured_by_what_a_person_set_so_that_a_chain_of_requests_cannot_creep() -> None:
    tightened = replace(UPPER, limits=Limits(40.0, 42.0))
    assert bounds(tightened) == (41.0, 60.0)
    assert judge(wish(40.5), ruled(tightened, AUTO), NOW).rule is Rule.OUT_OF_BOUNDS


def test_an_hour_after_a_change_the_next_request_is_judged_again() -> None:
    standing = replace(UPPER, last_changed_at=NOW - HOUR)
    assert judge(wish(45.0), standing, NOW).verdict is Verdict.PROPOSED


def test_a_change_from_before_the_clock_was_set_back_holds_nothing_up() -> None:
    standing = replace(UPPER, last_changed_at=NOW + 10 * HOUR, rejected=(45.0, NOW + 10 * HOUR))
    assert judge(wish(45.0), standing, NOW).verdict is Verdict.PROPOSED


def test_a_rejected_wish_is_put_to_a_person_again_after_a_day_and_another_wish_at_once() -> None:
    rejected = replace(UPPER, rejected=(45.0, NOW - 24 * HOUR))
    assert judge(wish(45.0), rejected, NOW).verdict is Verdict.PROPOSED
    today = replace(UPPER, rejected=(45.0, NOW - HOUR))
    assert judge(wish(46.0), today, NOW).verdict is Verdict.PROPOSED


def test_a_wish_in_an_old_row_is_refused() -> None:
    old = Wish(45.0, NOW - timedelta(minutes=61), NOW)
    assert judge(old, UPPER, NOW).rule is Rule.TOO_OLD


numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-8e307, max_value=8e307)


@given(x100=numbers, xl=numbers, threshold=st.floats(), base=numbers, auto=st.booleans())
def test_only_a_tightening_is_ever_applied_by_rule_and_nothing_crosses_x100(
    x100: float, xl: float, threshold: float, base: float, auto: bool
) -> None:
    if x100 in (xl, base) or (base > x100) != (xl > x100):
        return
    limits = Limits(x100, xl)
    standing = Standing(limits, Limits(x100, base), RequestRules(auto_tighten=auto))
    judgement = judge(wish(threshold), standing, NOW)
    if judgement.verdict is Verdict.APPLIED:
        assert auto
        assert is_tightening(threshold, limits)
    if judgement.verdict is not Verdict.REFUSED:
        assert math.isfinite(threshold)
        assert threshold not in (x100, xl)
        assert (threshold > x100) == (xl > x100)
    assert judgement.reason
    assert (judgement.rule is not None) == (judgement.verdict is Verdict.REFUSED)
