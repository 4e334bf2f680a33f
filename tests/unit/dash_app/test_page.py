"""The page's decisions, without a browser."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dash_app.app import create_app
from dash_app.codec import BadAddressError, View
from dash_app.components.explain import explanation, reason
from dash_app.components.grid import rows
from dash_app.components.set_list import rounded_down, set_list
from dash_app.components.tag_list import count_line, gauges, marks, tag_list
from dash_app.figures import values
from dash_app.pages.overview.charts import refreshed
from dash_app.pages.overview.layout import layout
from dash_app.pages.overview.navigation import ChoiceError, checked, picture_of, view_of
from dash_app.pages.overview.now import pulse_of, version_of
from dash_app.text import ENGLISH, LANGUAGES
from sos_ops.errors import DatabaseUnavailableError
from tests.support import scenarios


def written(*components) -> str:
    parts = [component.to_plotly_json() for component in components]
    return json.dumps(parts, default=lambda component: component.to_plotly_json(), ensure_ascii=False)


def test_five_tags_are_refused_on_the_server_too():
    with pytest.raises(ChoiceError, match="At most 4 tags can be combined: take 1 off"):
        checked(["a", "b", "c", "d", "e"])
    with pytest.raises(ChoiceError, match="Choose at least one"):
        checked([])


def test_with_four_chosen_the_others_are_disabled_with_the_reason():
    names = [view.tag for view in scenarios.normal().tags()]
    refused = [
        name for name, mark in zip(names, marks(names, scenarios.FOUR), strict=True) if "refused" in mark
    ]
    assert refused == ["usad", "soh_index"]
    assert count_line(["a"], ENGLISH) == "1 of 4 chosen"
    assert count_line(scenarios.FOUR, ENGLISH).startswith("4 of 4 chosen: take one off")


def test_a_tag_that_left_the_list_leaves_an_empty_place():
    store = scenarios.normal()
    assert gauges(["gone"], store.tags(), ENGLISH) == [None]
    assert len(tag_list(store.tags(), ENGLISH)) == len(store.tags())


def test_a_set_brings_its_own_tags_and_an_unknown_one_is_named():
    store = scenarios.normal()
    assert picture_of(store, View(set_id=1))["tags"] == sorted(scenarios.FOUR)
    with pytest.raises(BadAddressError, match="no set 9"):
        picture_of(store, View(set_id=9))


def test_an_unknown_tag_in_an_address_is_named():
    with pytest.raises(BadAddressError, match="no tag over_tmp"):
        picture_of(scenarios.normal(), View(tags=("over_temp", "over_tmp")))


def test_a_picture_goes_back_to_the_address_it_came_from():
    store = scenarios.normal()
    for view in (View(set_id=1, span="24h"), View(tags=("usad",)), View()):
        assert view_of(picture_of(store, view)) == view


def test_the_table_says_null_like_the_document_and_keeps_the_order_of_choosing():
    table = rows(scenarios.overheat().tags(), ["usad", "over_temp", "gone"])
    assert [row["TAG"] for row in table] == ["usad", "over_temp"]
    assert [row["Action"] for row in table] == ["current_limit", "null"]
    assert table[1]["past"] is True
    assert table[1]["score"] == pytest.approx(0.702988, abs=1e-6)


def test_a_stale_tag_has_no_score_in_the_table():
    store = scenarios.normal()
    store.clock.advance(timedelta(minutes=5))
    row = rows(store.tags(), ["over_temp"])[0]
    assert row["score"] is None
    assert row["fresh"] is False


def test_the_pulse_keeps_the_last_times_while_the_database_is_away():
    store = scenarios.normal()
    first = pulse_of(store, None)
    store.failure = DatabaseUnavailableError("away")
    away = pulse_of(store, first)
    assert (away["ok"], away["now"], away["data"]) == (False, first["now"], first["data"])
    assert away["beat"] == first["beat"] + 1


def test_the_version_changes_with_a_minute_and_after_an_outage_and_not_otherwise():
    store = scenarios.normal()
    first = pulse_of(store, None)
    store.clock.advance(timedelta(seconds=5))
    same = pulse_of(store, first)
    assert version_of(same) == version_of(first)
    store.failure = DatabaseUnavailableError("away")
    away = pulse_of(store, same)
    store.failure = None
    back = pulse_of(store, away)
    assert version_of(back) != version_of(same)
    scenarios.advance(store, 1)
    assert version_of(pulse_of(store, back)) != version_of(back)


def test_a_page_opened_with_the_database_away_has_a_pulse_without_times():
    store = scenarios.normal()
    store.failure = DatabaseUnavailableError("away")
    pulse = pulse_of(store, None)
    assert pulse["ok"] is False
    assert "now" not in pulse


def test_a_refresh_is_a_fraction_of_a_figure_and_touches_no_range():
    store = scenarios.normal()
    until = store.now()
    views = [view for view in store.tags() if view.tag in scenarios.FOUR]
    series = store.values(scenarios.FOUR, until - timedelta(hours=1), until, 2_000)
    figure = values.figure(views, series, until - timedelta(hours=1), until, ENGLISH)
    operations = refreshed(figure).to_plotly_json()["operations"]
    touched = {tuple(operation["location"]) for operation in operations}
    assert touched == {("data", n, axis) for n in range(len(figure["data"])) for axis in "xy"} | {
        ("layout", "annotations"),
        ("layout", "xaxis", "autorangeoptions"),
        ("layout", "shapes"),
    }


def test_the_explanation_names_the_missing_and_what_changed():
    why = scenarios.incomplete().explain(1, None)
    text = written(*explanation(why, ENGLISH))
    assert "connection refused since 09:53" in text
    assert "arrived 41 s late" in text
    assert "since the beginning" in text


def test_a_missing_tag_without_detail_still_says_why():
    why = scenarios.lost().explain(1, None)
    part = next(part for part in why.parts if part.f is None)
    bare = type(part)(**{**vars(part), "missing_detail": None})
    assert reason(bare, ENGLISH) == "its newest result is too old to count"


def test_a_minute_without_a_row_is_said_to_have_none():
    store = scenarios.normal()
    missed = max(store.results["usad"]) - timedelta(minutes=3)
    store.missed.add(missed)
    assert "No SoS was decided for 2026-01-01 10:01 KST." in written(
        *explanation(store.explain(1, missed), ENGLISH)
    )


@pytest.mark.parametrize(
    ("sos", "text"), [(0.7996, "0.79"), (0.8, "0.80"), (0.8 - 1e-16, "0.80"), (0.29, "0.29"), (1.0, "1.00")]
)
def test_the_list_of_sets_never_rounds_towards_safety(sos, text):
    assert rounded_down(sos) == text


def test_a_set_that_is_unknown_shows_its_bound_and_never_a_number():
    store = scenarios.incomplete()
    assert "≤ 0.80" in written(*set_list(store.sets(), None, "1h", ENGLISH))
    assert "?" in written(*set_list(scenarios.lost().sets(), None, "1h", ENGLISH))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_that_it_is_supervisory_only(language):
    assert LANGUAGES[language]["supervisory"] in written(layout(LANGUAGES[language], language))


def test_health_is_not_the_page_and_ready_asks_the_database():
    store = scenarios.normal()
    client = create_app(store).server.test_client()
    assert client.get("/health").get_data(as_text=True) == "OK"
    assert client.get("/ready").status_code == 200
    store.failure = DatabaseUnavailableError("PostgreSQL does not answer")
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_the_document_names_its_language_and_remembers_it():
    client = create_app(scenarios.normal()).server.test_client()
    assert '<html lang="en">' in client.get("/").get_data(as_text=True)
    assert '<html lang="ko">' in client.get("/?lang=ko").get_data(as_text=True)
    assert '<html lang="ko">' in client.get("/s/1").get_data(as_text=True)
    assert '<html lang="en">' in client.get("/?lang=xx").get_data(as_text=True)


def test_two_applications_share_nothing():
    one, other = create_app(scenarios.normal()), create_app(scenarios.empty())
    assert one.server is not other.server
    assert one.server.test_client().get("/s/1").status_code == 200
