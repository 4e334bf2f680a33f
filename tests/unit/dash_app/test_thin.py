"""Fewer points, the same picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dash_app.figures.thin import MAX_POINTS, thin


def test_few_points_are_all_kept():
    assert thin([1.0, None, 3.0]) == [0, 1, 2]


def test_a_year_shrinks_and_keeps_every_lonely_spike():
    rng = np.random.default_rng(7)
    values = rng.normal(30, 1, 525_600)
    spikes = np.arange(20) * 26_280 + 1_234
    values[spikes] = 70 + np.arange(20)
    kept = thin(values.tolist())
    assert len(kept) <= MAX_POINTS + 2
    assert set(spikes.tolist()) <= set(kept)


def test_the_lowest_value_is_kept_too():
    values = [5.0] * 10_000
    values[4_321] = -5.0
    assert 4_321 in thin(values)


def test_the_newest_value_is_kept_because_it_is_written_beside_the_line():
    values = [5.0] * 10_000
    assert {0, 9_999} <= set(thin(values))


def test_gaps_stay_gaps():
    values: list[float | None] = [1.0] * 10_000
    values[2_000:2_500] = [None] * 500
    values[7_000] = None
    kept = thin(values)
    assert 2_000 in kept
    assert 7_000 in kept
    assert len(kept) <= MAX_POINTS + 4


def test_nothing_at_all_can_be_thinned():
    assert len(thin([None] * 5_000)) == 1


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=300), st.integers(4, 60))
def test_extremes_and_gaps_survive_any_thinning(values, points):
    kept = thin(values, points)
    assert kept == sorted(set(kept))
    known = [x for x in values if x is not None]
    if known:
        shown = [values[i] for i in kept if values[i] is not None]
        assert min(shown) == min(known)
        assert max(shown) == max(known)
    for i, value in enumerate(values):
        if value is None and (i == 0 or values[i - 1] is not None):
            assert i in kept
