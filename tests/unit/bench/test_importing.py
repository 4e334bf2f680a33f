from __future__ import annotations

from pathlib import Path

import pytest

from bench.importing import Measured, figures, write_file


@pytest.mark.parametrize(
    ("import_s", "memory", "met"),
    [(19.0, 400_000_000, True), (21.0, 400_000_000, False), (19.0, 500_000_000, False)],
)
def test_the_goal_is_half_the_speed_of_a_bare_copy_in_less_than_500_mb(
    import_s: float, memory: int, met: bool
) -> None:
    (figure,) = figures(10, [Measured(10.0, 30.0, import_s, memory)])
    assert figure.met is met
    assert figure.ratio == pytest.approx(import_s / 10)
    assert "30.0 s with a key" in figure.beside


def test_the_file_has_as_many_rows_as_asked_for_and_every_key_once(tmp_path: Path) -> None:
    write_file(tmp_path / "rows.csv", 9_999)
    header, *rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert header == "time,tag,value,label"
    assert rows[4].startswith("2020-01-01T00:01:00Z,over_temp,")
    assert len({tuple(row.split(",")[:2]) for row in rows}) == 9_999
