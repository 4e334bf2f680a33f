"""The chart of SoS."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dash_app.data.port import Band, SosSeries
from dash_app.figures import sos
from dash_app.text import ENGLISH
from sos_ops.clock import MINUTE
from tests.support.scenarios import START

BANDS = (0.8, 0.4)
FIRST = START.replace(second=0)


def drawn(values, uppers=None, bands=None, minutes=None, at=None):
    minutes = minutes or [FIRST + i * MINUTE for i in range(len(values))]
    series = SosSeries(minutes, values, uppers or values, bands or [Band.SAFE] * len(values))
    return sos.figure(series, FIRST, FIRST + timedelta(hours=1), BANDS, at, ENGLISH)


def trace(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def points(trace):
    return {x: y for x, y in zip(trace["x"], trace["y"], strict=True) if y is not None}


def test_an_unknown_minute_is_no_part_of_the_line_but_a_bound():
    figure = drawn([1.0, None, 0.9], [1.0, 0.74, 0.9], [Band.SAFE, Band.WARNING, Band.SAFE])
    assert points(trace(figure, "SoS")) == {"2026-01-01 10:04": 1.0, "2026-01-01 10:06": 0.9}
    assert points(trace(figure, "unknown")) == {"2026-01-01 10:05": 0.74}
    area = trace(figure, "unknown area")
    assert points(area)["2026-01-01 10:05"] == 0.74
    assert points(area)["2026-01-01 10:04"] == 0.0
    assert area["fillpattern"]["shape"] == "/"


def test_a_missed_minute_is_a_gap():
    figure = drawn([1.0, 0.9], minutes=[FIRST, FIRST + 4 * MINUTE])
    line = trace(figure, "SoS")
    assert line["y"] == [None, 1.0, None, 0.9, None]
    assert line["connectgaps"] is False


def test_warning_and_critical_minutes_have_their_own_shapes():
    figure = drawn([0.7, 0.3, 0.9], bands=[Band.WARNING, Band.CRITICAL, Band.SAFE])
    marks = {
        trace["marker"]["symbol"]: trace["y"] for trace in figure["data"] if trace.get("mode") == "markers"
    }
    assert marks == {"triangle-up": [0.7], "square": [0.3], "triangle-up-open": [], "square-open": []}


def test_a_bound_that_proves_danger_is_marked_open():
    figure = drawn([None], [0.3], [Band.CRITICAL])
    marks = {
        trace["marker"]["symbol"]: trace["y"] for trace in figure["data"] if trace.get("mode") == "markers"
    }
    assert marks["square-open"] == [0.3]
    assert marks["square"] == []


def test_the_bands_are_drawn_where_they_are_configured():
    figure = sos.figure(SosSeries([], [], [], []), FIRST, FIRST + MINUTE, (0.9, 0.5), None, ENGLISH)
    assert figure["layout"]["yaxis"]["tickvals"] == [0, 0.5, 0.9, 1]
    labels = [note["text"] for note in figure["layout"]["annotations"]]
    assert labels == ["safe", "warning < 0.90", "critical < 0.50"]


def test_the_explained_minute_is_marked():
    assert len(drawn([1.0])["layout"]["shapes"]) + 1 == len(drawn([1.0], at=FIRST)["layout"]["shapes"])
    assert drawn([1.0], at=FIRST)["layout"]["shapes"][-1]["x0"] == "2026-01-01 10:04"


def test_the_number_of_traces_never_changes_so_that_a_refresh_fits():
    names = [trace["name"] for trace in drawn([1.0])["data"]]
    assert [trace["name"] for trace in drawn([None], [None], [Band.UNKNOWN])["data"]] == names
    empty = sos.figure(SosSeries([], [], [], []), FIRST, FIRST + MINUTE, BANDS, None, ENGLISH)
    assert [trace["name"] for trace in empty["data"]] == names


def test_a_year_keeps_its_worst_minute_and_its_unknown_ones():
    n = 525_600
    values: list[float | None] = [1.0] * n
    values[123_456], values[400_000] = 0.31, None
    bands = [Band.SAFE] * n
    bands[123_456], bands[400_000] = Band.CRITICAL, Band.WARNING
    uppers = [0.62 if value is None else value for value in values]
    year = SosSeries([FIRST + i * MINUTE for i in range(n)], values, uppers, bands)
    figure = sos.figure(year, FIRST, FIRST + n * MINUTE, BANDS, None, ENGLISH)
    assert 0.31 in trace(figure, "SoS")["y"]
    assert list(points(trace(figure, "unknown")).values()) == [0.62]
    marks = {
        trace["marker"]["symbol"]: trace["y"] for trace in figure["data"] if trace.get("mode") == "markers"
    }
    assert marks["square"] == [0.31]
    assert marks["triangle-up-open"] == [0.62]
    assert len(json.dumps(figure, separators=(",", ":"))) <= 250_000


@pytest.mark.parametrize(("value", "text"), [(0.57, "lowest 0.57"), (0.7996, "lowest 0.79")])
def test_the_summary_rounds_the_lowest_down_and_no_further(value, text):
    series = SosSeries([FIRST], [value], [value], [Band.WARNING])
    assert text in sos.summary(1, series, ENGLISH)


def test_the_summary_counts_what_is_unknown():
    series = SosSeries([FIRST, FIRST + MINUTE], [0.9, None], [0.9, 0.74], [Band.SAFE, Band.WARNING])
    said = sos.summary(1, series, ENGLISH)
    assert said == (
        "SoS of set 1 from 2026-01-01 10:04 to 2026-01-01 10:05 KST: lowest 0.74, 1 of 2 minutes unknown."
    )
