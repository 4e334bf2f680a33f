from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.document_loop import calc_safety_score
from sos_ops.safety.score import Limits, score

LIMIT = st.floats(-100, 100)


@pytest.mark.parametrize(
    ("value", "threshold", "max_value", "expected"),
    [(36, 50, 40, 1), (46, 50, 40, 0.917431), (53, 50, 40, 0.702988), (29.2, 0, 10, 1), (0, 0, 10, 0.8)],
)
def test_the_transcribed_score_gives_the_figures_of_the_document(
    value: float, threshold: float, max_value: float, expected: float
) -> None:
    assert calc_safety_score(value, threshold, max_value) == pytest.approx(expected, abs=1e-6)


@given(value=st.floats(-200, 200), threshold=LIMIT, max_value=LIMIT)
def test_the_transcribed_score_equals_ours(value: float, threshold: float, max_value: float) -> None:
    assume(abs(threshold - max_value) > 1e-3)
    ours = float(score(value, Limits(max_value, threshold)))
    assert calc_safety_score(value, threshold, max_value) == pytest.approx(ours, rel=1e-9)
