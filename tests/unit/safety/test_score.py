"""Depth and score of one tag."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.safety.score import Limits, depth, score, score_of_depth

OVER_TEMP = Limits(40, 50)
UNDER_TEMP = Limits(10, 0)
OVER_VOLTAGE = Limits(4, 4.086)
UNDER_VOLTAGE = Limits(3.3, 3.15)

DOCUMENTED = [
    *[(OVER_TEMP, x, 1.0) for x in (35, 36, 40)],
    (OVER_TEMP, 46, 0.917431),
    (OVER_TEMP, 48, 0.862069),
    (OVER_TEMP, 49, 0.831601),
    (OVER_TEMP, 50, 0.8),
    (OVER_TEMP, 51, 0.767754),
    (OVER_TEMP, 52, 0.735294),
    (OVER_TEMP, 53, 0.702988),
    (UNDER_TEMP, 29.2, 1.0),
    (UNDER_TEMP, 0, 0.8),
    (OVER_VOLTAGE, 4.057, 0.901045),
    (OVER_VOLTAGE, 3.975, 1.0),
    (UNDER_VOLTAGE, 4.038, 1.0),
    (UNDER_VOLTAGE, 3.15, 0.8),
]

finite = st.floats(-1e9, 1e9)
anything_finite = st.floats(allow_nan=False, allow_infinity=False)
any_limit = st.floats(-8e307, 8e307)
safety_limits = st.floats(1e-12, 1, exclude_max=True)


@st.composite
def limits_of(draw: st.DrawFn, values: st.SearchStrategy[float] = finite) -> Limits:
    """Limits of any direction and steepness."""
    x100, xl = draw(st.tuples(values, values).filter(lambda pair: pair[0] != pair[1]))
    return Limits(x100, xl, draw(safety_limits))


def depth_of(value: float, limits: Limits) -> float:
    return float(depth(value, limits.maximum_safe_value, limits.warning_threshold))


@pytest.mark.parametrize(("limits", "value", "expected"), DOCUMENTED)
def test_the_documents_figures_come_out(limits: Limits, value: float, expected: float) -> None:
    assert float(score(value, limits)) == pytest.approx(expected, abs=1e-6)


def test_one_tag_alone_is_critical_only_far_beyond_its_own_limit() -> None:
    assert float(score(64.4, OVER_TEMP)) > 0.40 > float(score(64.5, OVER_TEMP))


@given(limits_of(any_limit), anything_finite)
@example(Limits(0, 1, 5e-324), 1e-200)  # 1/L overflows: infinity times a square of 0 must not become NaN
@example(Limits(0, 5e-324), 1e308)
def test_a_score_lies_between_0_and_1_whatever_the_value(limits: Limits, value: float) -> None:
    assert 0.0 <= float(score(value, limits)) <= 1.0


@given(limits_of(any_limit))
def test_the_maximum_safe_value_costs_no_safety(limits: Limits) -> None:
    assert float(score(limits.maximum_safe_value, limits)) == 1.0


@given(limits_of(any_limit))
def test_depth_is_exactly_1_at_the_warning_threshold(limits: Limits) -> None:
    assert depth_of(limits.warning_threshold, limits) == 1.0


@given(limits_of())
def test_the_score_at_the_warning_threshold_is_the_upper_safety_limit_within_one_ulp(limits: Limits) -> None:
    wanted = limits.upper_safety_limit
    assert abs(float(score(limits.warning_threshold, limits)) - wanted) <= math.ulp(wanted)


@given(limits_of(), finite, finite)
def test_going_towards_danger_never_raises_the_score(limits: Limits, one: float, other: float) -> None:
    upper_limit = limits.warning_threshold > limits.maximum_safe_value
    milder, worse = sorted((one, other), reverse=not upper_limit)
    assert float(score(worse, limits)) <= float(score(milder, limits))


@given(limits_of(), finite)
def test_a_lower_limit_is_the_mirror_image_of_an_upper_one(limits: Limits, value: float) -> None:
    mirrored = Limits(-limits.maximum_safe_value, -limits.warning_threshold, limits.upper_safety_limit)
    assert float(score(-value, mirrored)) == float(score(value, limits))


human = st.floats(-100, 100)


@given(human, human, st.floats(0.5, 0.99), st.floats(-200, 200), st.sampled_from([(1.8, 32.0), (0.001, 0.0)]))
def test_the_unit_of_measurement_does_not_matter(
    x100: float, xl: float, limit: float, value: float, conversion: tuple[float, float]
) -> None:
    assume(abs(xl - x100) >= 1)
    factor, offset = conversion  # °C to °F, mV to V

    def other(x: float) -> float:
        return x * factor + offset

    here, there = Limits(x100, xl, limit), Limits(other(x100), other(xl), limit)
    assert float(score(other(value), there)) == pytest.approx(float(score(value, here)), abs=1e-12)


@given(limits_of(), finite, safety_limits)
def test_a_lower_upper_safety_limit_never_scores_higher(limits: Limits, value: float, other: float) -> None:
    lower, higher = sorted((limits.upper_safety_limit, other))
    u = depth_of(value, limits)
    assert float(score_of_depth(u, lower)) <= float(score_of_depth(u, higher))


@given(st.lists(finite, min_size=1, max_size=20), limits_of())
def test_many_values_at_once_score_as_each_alone(values: list[float], limits: Limits) -> None:
    together = score(np.array(values), limits)
    assert [float(f) for f in together] == [float(score(value, limits)) for value in values]


BAD_LIMITS: list[tuple[Any, Any, Any]] = [
    (40, 40, 0.8),
    (math.nan, 50, 0.8),
    (40, math.nan, 0.8),
    (math.inf, 50, 0.8),
    (40, -math.inf, 0.8),
    (-1e308, 1e308, 0.8),  # the distance between them is no number
    (10**400, 50, 0.8),
    (10**20, 10**20 + 1, 0.8),  # the same number once they are floats
    (40, 50, 0.0),
    (40, 50, 1.0),
    (40, 50, -0.1),
    (40, 50, 1.1),
    (40, 50, math.nan),
    (40, 50, True),
    (True, 50, 0.8),
    (40, False, 0.8),
    ("40", 50, 0.8),
    (40, "50", 0.8),
    (40, 50, "0.8"),
    (None, 50, 0.8),
]


@pytest.mark.parametrize(("x100", "xl", "limit"), BAD_LIMITS)
def test_bad_limits_are_refused_when_they_are_configured(x100: Any, xl: Any, limit: Any) -> None:
    with pytest.raises(InvalidConfigurationError) as refusal:
        Limits(x100, xl, limit)
    assert "\n" not in str(refusal.value)
