from __future__ import annotations

import numpy as np

from sos_ops.imports.labels import LabelRows, Reach, Span, spans


def rows(*said: tuple[int, int, int]) -> LabelRows:
    """Subject, time, which label."""
    columns = np.array(said, np.int64).reshape(-1, 3).T
    return LabelRows(columns[0], columns[1], columns[2], ["ok", "hot"], [False, True])


def test_equal_labels_in_a_row_are_one_span_per_subject() -> None:
    found = spans(rows((0, 1, 0), (1, 1, 1), (0, 2, 0), (1, 2, 1), (0, 3, 1)), {})
    assert found == [
        Span(0, 1, 2, "ok", False, 2),
        Span(0, 3, 3, "hot", True, 1),
        Span(1, 1, 2, "hot", True, 2),
    ]


def test_rows_among_those_stored_before_are_spans_of_one_instant() -> None:
    found = spans(rows((0, 4, 0), (0, 6, 0), (1, 4, 0), (1, 6, 0)), {0: Reach(1, 9, 1, "ok")})
    assert found == [
        Span(0, 4, 4, "ok", False, 1),
        Span(0, 6, 6, "ok", False, 1),
        Span(1, 4, 6, "ok", False, 2),
    ]


def test_rows_before_or_after_those_stored_are_spans_as_any() -> None:
    reach = {0: Reach(10, 20, 1, "ok")}
    assert len(spans(rows((0, 1, 0), (0, 10, 0)), reach)) == 1
    assert len(spans(rows((0, 20, 0), (0, 30, 0)), reach)) == 1


def test_nothing_labelled_is_no_span() -> None:
    assert spans(LabelRows.none(), {}) == []
