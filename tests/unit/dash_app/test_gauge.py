"""The gauges, as components."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dash_app.components import gauge
from dash_app.text import ENGLISH
from tests.support import scenarios


def view(tag, value=None, **changes):
    store = scenarios.normal()
    found = next(view for view in store.tags() if view.tag == tag)
    return replace(found, value=found.value if value is None else value, **changes)


def written(component: Any) -> str:
    return str(component.to_plotly_json())


def test_the_danger_of_a_lower_limit_lies_on_the_left():
    lower, upper = view("under_temp"), view("over_temp")
    assert gauge.position(lower, 0) < gauge.position(lower, 10) < gauge.position(lower, 28.4)
    assert gauge.position(upper, 33) < gauge.position(upper, 40) < gauge.position(upper, 50)


def test_upper_and_lower_limits_are_mirror_images():
    assert gauge.position(view("over_temp"), 50) == pytest.approx(100 - gauge.position(view("under_temp"), 0))
    assert gauge.position(view("over_temp"), 40) == pytest.approx(
        100 - gauge.position(view("under_temp"), 10)
    )


@pytest.mark.parametrize("value", [-1e9, 1e9])
def test_a_value_off_the_scale_stays_on_the_gauge(value):
    assert gauge.position(view("over_temp"), value) in (0, 100)


@pytest.mark.parametrize(
    ("tag", "value", "state"),
    [
        ("over_temp", 40, "inside"),
        ("over_temp", 40.1, "leaving"),
        ("over_temp", 50, "past"),
        ("under_voltage", 3.3, "inside"),
        ("under_voltage", 3.15, "past"),
        ("under_voltage", 3.2, "leaving"),
    ],
)
def test_a_tag_is_past_its_limit_from_the_threshold_on(tag, value, state):
    assert gauge.state_of(view(tag, value)) == state


def test_an_old_value_is_neither_inside_nor_past():
    assert gauge.state_of(view("over_temp", 33, fresh=False, score=None)) == "old"
    assert gauge.state_of(view("over_temp", 60, fresh=False, score=None)) == "old"
    assert "too old" in written(gauge.tag_gauge(view("over_temp", 33, fresh=False, score=None), ENGLISH))


def test_a_tag_without_a_value_has_no_needle():
    empty = replace(view("over_temp"), value=None, timestamp=None, fresh=False, score=None)
    assert gauge.state_of(empty) == "absent"
    assert "needle" not in written(gauge.tag_gauge(empty, ENGLISH))
    assert "no value yet" in written(gauge.tag_gauge(empty, ENGLISH))


def why(store, **changes):
    return replace(store.explain(1, None), **changes)


def test_a_known_sos_is_a_meter_with_its_number_and_word():
    shown = gauge.sos_gauge(why(scenarios.overheat()), ENGLISH).to_plotly_json()["props"]
    assert shown["role"] == "meter"
    assert shown["aria-valuetext"] == "0.70, warning"


def test_an_unknown_sos_has_no_needle_no_number_and_no_safe_word():
    shown = gauge.sos_gauge(why(scenarios.lost()), ENGLISH)
    text = written(shown)
    assert "arc-needle" not in text
    assert "safe" not in text
    assert "aria-valuenow" not in text
    assert shown.to_plotly_json()["props"]["aria-label"] == "SoS unknown, 3 of 4 tags known"


def test_the_coverage_says_the_bound_when_it_says_something():
    assert gauge.coverage(why(scenarios.incomplete()), ENGLISH) == "3 of 4 tags known, SoS at most 0.80"
    assert gauge.coverage(why(scenarios.lost()), ENGLISH) == "3 of 4 tags known"
    assert gauge.coverage(why(scenarios.normal()), ENGLISH) == "4 of 4 tags known"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7996, "0.7996"),
        (0.8, "0.80"),
        (0.804, "0.80"),
        (0.3999, "0.3999"),
        (0.4, "0.40"),
        (0.9999, "0.9999"),
        (1.0, "1.00"),
        (0.8 - 1e-16, "< 0.8"),
    ],
)
def test_rounding_never_moves_a_number_into_another_band(value, text):
    assert gauge.sos_number(value, why(scenarios.normal())) == text
