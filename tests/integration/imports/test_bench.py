"""The measurement of importing works on a small file; what it says there is no figure."""

from __future__ import annotations

from bench import importing


def test_an_import_of_a_few_rows_is_measured_beside_copy() -> None:
    (figure,) = importing.measure(lambda _line: None, rows=200_000, rounds=1)
    assert figure.work.startswith("importing a CSV of 200,000 results")
    assert figure.ours_s > 0
    assert figure.beside_s > 0
