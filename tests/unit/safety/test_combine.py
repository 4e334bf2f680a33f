"""SoS of sets from the scores of their tags."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.safety.bands import BAND_ORDER, Band, BandLimits, band_of, bands_of
from sos_ops.safety.combine import combine, members_matrix, shares, sos_of

fractions = st.floats(0, 1)
scores_of_a_set = st.lists(fractions, min_size=1, max_size=4)


def upper_of(scores: list[float], known: list[bool] | None = None) -> float:
    """The bound (the SoS if all are known) of one set of all these tags, in their order."""
    members = members_matrix([tuple(range(len(scores)))])
    known_now = np.array([known or [True] * len(scores)])
    return float(combine(np.array([scores]), known_now, members).upper[0, 0])


@given(scores_of_a_set)
def test_sos_is_the_product_from_the_left_in_the_tags_order_bit_for_bit(scores: list[float]) -> None:
    product = 1.0
    for f in scores:
        product *= f
    assert upper_of(scores) == product == sos_of(scores)


def test_another_order_of_multiplication_would_give_other_bits() -> None:
    scores = [0.917431, 0.862069, 0.702988]
    assert len({sos_of(order) for order in itertools.permutations(scores)}) > 1


@given(scores_of_a_set)
def test_sos_is_never_above_its_lowest_score(scores: list[float]) -> None:
    assert upper_of(scores) <= min(scores)


@given(st.lists(fractions, min_size=1, max_size=3), fractions, st.integers(0, 3))
def test_adding_a_tag_never_raises_sos(scores: list[float], added: float, at: int) -> None:
    more = [*scores[:at], added, *scores[at:]]
    assert upper_of(more) <= upper_of(scores)


@given(
    st.lists(st.tuples(fractions, st.booleans()), min_size=1, max_size=4),
    st.lists(fractions, min_size=4, max_size=4),
)
def test_the_bound_of_an_incomplete_set_holds_for_every_value_of_what_is_missing(
    tags: list[tuple[float, bool]], could_be: list[float]
) -> None:
    known = [is_known for _, is_known in tags]
    bound = upper_of([f for f, _ in tags], known)
    complete = [f if is_known else other for (f, is_known), other in zip(tags, could_be, strict=False)]
    assert upper_of(complete) <= bound


@given(
    st.lists(st.tuples(fractions, st.booleans()), min_size=1, max_size=4),
    st.lists(fractions, min_size=4, max_size=4),
)
def test_the_band_of_an_incomplete_set_is_never_safe_and_never_worse_than_the_truth(
    tags: list[tuple[float, bool]], could_be: list[float]
) -> None:
    severity = {Band.UNKNOWN: 0, Band.SAFE: 0, Band.WARNING: 1, Band.CRITICAL: 2}
    known = [is_known for _, is_known in tags]
    bound = upper_of([f for f, _ in tags], known)
    claimed = band_of(bound, complete=all(known), limits=BandLimits())
    complete = [f if is_known else other for (f, is_known), other in zip(tags, could_be, strict=False)]
    truth = band_of(upper_of(complete), complete=True, limits=BandLimits())
    assert all(known) or claimed is not Band.SAFE
    assert severity[claimed] <= severity[truth]


def test_a_missing_tags_placeholder_score_is_never_multiplied_in() -> None:
    assert upper_of([0.5, 0.0], [True, False]) == 0.5
    assert upper_of([0.5, math.nan], [True, False]) == 0.5


def test_the_limiting_tag_is_the_lowest_score_below_1_and_of_equals_the_first() -> None:
    scores = np.array([[1.0, 0.9, 0.9, 1.0], [1.0, 1.0, 1.0, 1.0], [0.5, 0.9, 0.4, 0.4]])
    known = np.ones_like(scores, dtype=np.bool_)
    found = combine(scores, known, members_matrix([(0, 1, 2, 3)])).limiting
    assert found[:, 0].tolist() == [1, -1, 2]


def test_a_missing_tag_never_limits() -> None:
    found = combine(np.array([[0.1, 0.9]]), np.array([[False, True]]), members_matrix([(0, 1)]))
    assert found.limiting[0, 0] == 1
    assert (found.known[0, 0], bool(found.complete[0, 0])) == (1, False)


@given(st.lists(st.floats(0, 1, exclude_min=True), min_size=1, max_size=4))
@example([1 - 2**-53, 5e-324])
def test_shares_sum_to_1_where_safety_is_lost_and_are_0_where_none_is(scores: list[float]) -> None:
    found = shares(scores)
    assert all(0.0 <= share <= 1.0 for share in found)
    assert sum(found) == (0.0 if all(f == 1.0 for f in scores) else pytest.approx(1.0, abs=1e-12))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=4).filter(lambda fs: 0.0 in fs))
def test_scores_of_0_share_the_loss_among_themselves(scores: list[float]) -> None:
    assert shares(scores) == [1 / scores.count(0.0) if f == 0.0 else 0.0 for f in scores]


def test_a_share_follows_the_logarithm_of_the_score() -> None:
    assert shares([0.8, 0.64, 1.0]) == pytest.approx([1 / 3, 2 / 3, 0.0])


@pytest.mark.parametrize(
    ("upper", "complete", "band"),
    [
        (1.0, True, Band.SAFE),
        (0.80, True, Band.SAFE),
        (math.nextafter(0.80, 0), True, Band.WARNING),
        (0.40, True, Band.WARNING),
        (math.nextafter(0.40, 0), True, Band.CRITICAL),
        (0.0, True, Band.CRITICAL),
        (1.0, False, Band.UNKNOWN),
        (0.80, False, Band.UNKNOWN),
        (math.nextafter(0.80, 0), False, Band.WARNING),
        (0.0, False, Band.CRITICAL),
    ],
)
def test_bands_begin_where_they_are_said_to(upper: float, complete: bool, band: Band) -> None:
    assert band_of(upper, complete=complete, limits=BandLimits()) is band


@given(fractions, st.booleans(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_bands_of_many_are_the_bands_of_each(upper: float, complete: bool, one: float, other: float) -> None:
    limits = BandLimits(max(one, other), min(one, other))
    codes = bands_of(
        np.full((2, 3), upper),
        np.full((2, 3), complete),
        np.array([[limits.warning_below]]),
        np.array([[limits.critical_below]]),
    )
    assert {BAND_ORDER[code] for code in codes.flat} == {band_of(upper, complete=complete, limits=limits)}
    if one != other:
        with pytest.raises(InvalidConfigurationError):
            BandLimits(min(one, other), max(one, other))


@pytest.mark.parametrize(("warning", "critical"), [(0.8, 0.0), (1.1, 0.4), (math.nan, 0.4), (0.8, math.nan)])
def test_bad_bands_are_refused(warning: float, critical: float) -> None:
    with pytest.raises(InvalidConfigurationError):
        BandLimits(warning, critical)
