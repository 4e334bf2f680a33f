"""The chart of recent values."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dash_app.data.port import Series
from dash_app.figures import values
from dash_app.text import ENGLISH
from sos_ops.clock import MINUTE
from tests.support import scenarios

HOUR = timedelta(hours=1)


@pytest.fixture
def store():
    return scenarios.overheat()


def drawn(store, names, span=HOUR):
    views = [view for view in store.tags() if view.tag in names]
    until = store.now()
    series = store.values(names, until - span, until, 2_000)
    return values.figure(views, series, until - span, until, ENGLISH)


def trace(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_tags_of_one_unit_share_a_panel_and_others_have_their_own(store):
    figure = drawn(store, ["over_temp", "under_temp", "over_voltage", "usad"])
    axes = {
        name: trace(figure, name)["yaxis"] for name in ("over_temp", "under_temp", "over_voltage", "usad")
    }
    assert axes == {"over_temp": "y", "under_temp": "y", "over_voltage": "y2", "usad": "y3"}
    assert figure["layout"]["xaxis"]["anchor"] == "y3"


def test_panels_do_not_overlap(store):
    layout = drawn(store, ["over_temp", "over_voltage", "usad", "soh_index"])["layout"]
    domains = sorted(layout[name]["domain"] for name in layout if name.startswith("yaxis"))
    assert len(domains) == 4
    assert all(0 <= low < high <= 1 for low, high in domains)
    assert all(high < low for (_, high), (low, _) in pairwise(domains))


def test_each_line_has_its_own_limits_dashed_and_named(store):
    figure = drawn(store, ["under_voltage"])
    assert trace(figure, "under_voltage WARN")["y"] == [3.15, 3.15]
    assert trace(figure, "under_voltage WARN")["line"]["dash"] == "dash"
    assert trace(figure, "under_voltage SAFETY")["y"] == [3.3, 3.3]
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert "under_voltage WARN 3.15" in texts
    assert "<b>under_voltage</b><br>3.9 V" in texts


def test_the_whole_range_stays_in_view(store):
    x = trace(drawn(store, ["over_temp"]), "over_temp")["x"]
    assert (x[0], x[-1]) == ("2026-01-01 09:04", "2026-01-01 10:04")


def test_a_pause_longer_than_max_age_is_a_gap(store):
    line = trace(drawn(store, ["over_temp"]), "over_temp")
    assert None in line["y"][1:-1]


def test_results_between_the_minutes_keep_their_seconds(store):
    until = store.now()
    view = next(view for view in store.tags() if view.tag == "usad")
    series = {"usad": Series([until - timedelta(seconds=12), until - timedelta(seconds=2)], [0.1, 0.2])}
    line = trace(values.figure([view], series, until - HOUR, until, ENGLISH), "usad")
    assert line["x"][1:-1] == ["2026-01-01 10:04", "2026-01-01 10:04:10"]


def test_a_week_is_broken_where_hours_are_missing(store):
    view = next(view for view in store.tags() if view.tag == "usad")
    until = store.now()
    minutes = [i for i in range(7 * 1440) if i not in range(3000, 3300)]
    series = {
        "usad": Series([until - i * MINUTE for i in reversed(minutes)], [0.1 + 1e-6 * i for i in minutes])
    }
    line = trace(values.figure([view], series, until - timedelta(days=7), until, ENGLISH), "usad")
    assert line["y"][1:-1].count(None) == 1


def test_two_missed_samples_of_a_slow_partner_are_no_gap(store):
    view = next(view for view in store.tags() if view.tag == "usad")
    slow = replace(view, max_age_s=900.0)
    until = store.now()
    series = {"usad": Series([until - 20 * MINUTE, until - 10 * MINUTE, until], [0.1, 0.2, 0.3])}
    figure = values.figure([slow], series, until - HOUR, until, ENGLISH)
    assert trace(figure, "usad")["y"][1:-1] == [0.1, 0.2, 0.3]


def test_only_the_first_sample_past_a_limit_is_marked(store):
    mark = trace(drawn(store, ["over_temp"]), "over_temp past WARN")
    assert len(mark["x"]) == 1
    assert mark["y"][0] >= 50


def test_a_lower_limit_is_passed_downwards():
    store = scenarios.normal()
    newest = max(store.results["under_voltage"])
    store.results["under_voltage"][newest] = 3.15
    mark = trace(drawn(store, ["under_voltage"]), "under_voltage past WARN")
    assert mark["y"] == [3.15]
    assert mark["marker"]["symbol"] == "triangle-down"


def test_a_tag_without_values_still_has_its_traces_so_that_a_refresh_fits():
    store = scenarios.normal()
    with_values = drawn(store, ["over_temp"])
    store.results["over_temp"] = {}
    without = drawn(store, ["over_temp"])
    assert [t["name"] for t in without["data"]] == [t["name"] for t in with_values["data"]]
    assert any("no value in this range" in note["text"] for note in without["layout"]["annotations"])


def test_figures_are_plain_lists_because_a_patch_would_corrupt_arrays(store):
    figure = drawn(store, scenarios.FOUR)
    assert json.loads(json.dumps(figure)) == figure


def test_a_year_of_four_lines_fits_in_250_kilobytes():
    store = scenarios.normal()
    until = store.now()
    times = [until - i * MINUTE for i in reversed(range(525_600))]
    wave = [30 + 0.001 * (i * 7919 % 10_007) for i in range(525_600)]
    wave[123_456] = 71.5
    views = [view for view in store.tags() if view.tag in scenarios.FOUR]
    series = {view.tag: Series(times, wave) for view in views}
    figure = values.figure(views, series, until - timedelta(days=365), until, ENGLISH)
    assert len(json.dumps(figure, separators=(",", ":"))) <= 250_000
    assert all(71.5 in trace(figure, view.tag)["y"] for view in views)


def test_the_summary_says_the_figure_in_words(store):
    views = [view for view in store.tags() if view.tag in ("over_temp", "usad")]
    series = {"over_temp": Series([store.now()], [53.0])}
    said = values.summary(views, series, ENGLISH)
    assert said == "over_temp: 1 values, lowest 53, highest 53, newest 53. usad: no value in this range."


@given(st.lists(st.floats(0, 150), max_size=4))
def test_end_labels_never_overlap_and_keep_their_order(positions):
    placed = values.spread(positions, 32)
    ordered = sorted(placed)
    assert all(b - a >= 32 - 1e-6 for a, b in pairwise(ordered))
    for i, a in enumerate(positions):
        for j, b in enumerate(positions):
            assert not a < b or placed[i] < placed[j]
