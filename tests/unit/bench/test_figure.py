from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.figure import Figure, print_table, times_faster, within_seconds, write_json


@pytest.mark.parametrize(("ours_s", "met"), [(0.1, True), (0.0999, True), (0.1001, False)])
def test_times_faster_is_met_from_the_goal_on(ours_s: float, met: bool) -> None:
    figure = times_faster("work", ours_s, "the loop", 100.0, least=1000)
    assert figure.ratio == pytest.approx(100.0 / ours_s)
    assert (figure.met, figure.goal) == (met, ">= 1,000x faster")


@pytest.mark.parametrize(("ours_s", "met"), [(5.0, True), (5.001, False)])
def test_a_median_is_met_up_to_its_seconds_whatever_the_ratio(ours_s: float, met: bool) -> None:
    figure = within_seconds("work", ours_s, "an empty task", 0.5, most_s=5)
    assert figure.ratio == pytest.approx(ours_s / 0.5)
    assert (figure.met, figure.goal) == (met, "median <= 5 s")


def test_the_file_holds_every_figure_with_its_seven_fields(tmp_path: Path) -> None:
    figures = [times_faster("a", 0.5, "b", 2.0, least=1000), within_seconds("c", 1.0, "d", 0.5, most_s=5)]
    write_json(figures, tmp_path / "latest.json")
    assert json.loads((tmp_path / "latest.json").read_text()) == [
        {
            "work": "a",
            "ours_s": 0.5,
            "beside": "b",
            "beside_s": 2.0,
            "ratio": 4.0,
            "goal": ">= 1,000x faster",
            "met": False,
        },
        {
            "work": "c",
            "ours_s": 1.0,
            "beside": "d",
            "beside_s": 0.5,
            "ratio": 2.0,
            "goal": "median <= 5 s",
            "met": True,
        },
    ]


def test_the_table_shows_times_ratio_and_whether_the_goal_was_met() -> None:
    console = Console(width=200, record=True)
    print_table([Figure("work", 0.0683, "the loop", 76.5, 1120.0, ">= 1,000x faster", True)], console)
    shown = console.export_text()
    for part in ("work", "68 ms", "the loop", "76.5 s", "1,120x", ">= 1,000x faster", "yes"):
        assert part in shown
