"""Nothing stale, incomplete or unreachable ever looks safe, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from sos_ops.errors import DatabaseUnavailableError
from tests.support import scenarios
from tests.support.browser import colourful_pixels, figure_of

pytest_plugins = ("tests.support.page_fixtures",)

AWAY = DatabaseUnavailableError("PostgreSQL does not answer: is it running?")


def test_an_incomplete_sos_is_unknown_with_its_coverage_and_reason(serving, visit):
    page = visit(serving(scenarios.incomplete()).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("unknown")
    expect(page.locator(".coverage")).to_have_text("3 of 4 tags known, SoS at most 0.80")
    expect(page.locator(".missing-list")).to_have_text(
        "under_voltage missing: device demo-rack: connection refused since 09:53"
    )
    expect(page.locator(".arc-needle")).to_have_count(0)
    expect(page.locator(".missing-cell")).to_contain_text("connection refused since 09:53")


def test_unknown_never_looks_safe_even_when_the_known_tags_are(serving, visit):
    page = visit(serving(scenarios.lost()).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("unknown")
    panel = page.locator("#sos-panel")
    assert "safe" not in panel.locator(".sos-gauge").inner_text()
    assert not re.search(r"\b1\.00\b", panel.inner_text())
    expect(page.locator(".set-entry.opened .chip-word")).to_have_text("unknown")
    expect(page.locator(".set-entry.opened .set-sos")).to_have_text("?")
    hatch = panel.locator(".arc-value").evaluate("e => getComputedStyle(e, '::before').backgroundImage")
    assert "repeating-linear-gradient" in hatch


def test_the_gauge_of_an_incomplete_minute_still_shows_proven_danger(serving, visit):
    store = scenarios.incomplete()
    newest = max(store.results["over_temp"])
    store.results["over_temp"][newest] = 53.0
    page = visit(serving(store).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("unknown")
    expect(page.locator(".sos-gauge .chip-word")).to_have_text("warning")


def test_everything_is_stale_when_no_minute_was_closed_for_three_minutes(serving, visit):
    store = scenarios.normal()
    page = visit(serving(store).url + "/s/1")
    expect(page.locator("#freshness")).to_contain_text("LIVE")
    expect(page.locator(".sos-gauge .when-stale")).to_be_hidden()
    store.clock.advance(timedelta(minutes=3))
    expect(page.locator("#freshness")).to_contain_text("STALE")
    expect(page.locator("#freshness")).to_contain_text("data of 10:04 KST, 3 min")
    expect(page.locator(".sos-gauge .when-stale")).to_be_visible()
    _is_marked_stale(page)


def test_everything_is_stale_when_the_server_is_stopped(serving, visit):
    server = serving(scenarios.normal())
    page = visit(server.url + "/s/1")
    expect(page.locator("#freshness")).to_contain_text("LIVE")
    expect(page.locator(".sos-number")).to_have_text("1.00")
    server.stop()
    expect(page.locator("#freshness")).to_contain_text(
        re.compile("STALE.*server has not answered"), timeout=30_000
    )
    expect(page.locator(".sos-number")).to_have_text("1.00")
    _is_marked_stale(page)


def _is_marked_stale(page: Page) -> None:
    assert page.evaluate("document.body.dataset.freshness") == "stale"
    expect(page.locator(".sos-gauge .when-stale")).to_have_text("last known:")
    over_arc = page.locator(".arc-value").evaluate("e => getComputedStyle(e, '::after').content")
    assert over_arc != "none"


def test_the_age_follows_the_platforms_clock_and_not_the_browsers(serving, visit):
    """The scenarios live on 2026-01-01, whatever today is: compared with the browser's clock, all would be stale."""
    page = visit(serving(scenarios.normal()).url + "/s/1")
    expect(page.locator("#freshness")).to_contain_text(re.compile(r"LIVE · data of 10:04 KST, 1\d s old"))
    ages = page.locator(".tag-row .age")
    expect(ages.first).to_have_attribute("data-age", re.compile(r"^1\d s$"))


def test_the_page_opens_with_the_database_away_and_fills_when_it_is_back(serving, visit):
    store = scenarios.overheat()
    store.failure = AWAY
    page = visit(serving(store).url + "/s/1")
    expect(page.locator("#notice")).to_have_text(str(AWAY))
    expect(page.locator("#freshness")).to_contain_text("STALE · the database does not answer")
    expect(page.get_by_role("main")).to_contain_text("Waiting for the data.")
    store.failure = None
    expect(page.locator(".sos-number")).to_have_text("0.70")
    expect(page.locator("#notice")).to_be_empty()
    page.wait_for_selector("#sos-chart .scatterlayer .trace")
    expect(page.locator("#freshness")).to_contain_text("LIVE")


def test_the_last_picture_stays_when_the_database_goes_away(serving, visit):
    store = scenarios.overheat()
    page = visit(serving(store).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("0.70")
    store.failure = AWAY
    expect(page.locator("#freshness")).to_contain_text("STALE")
    expect(page.locator("#freshness")).to_contain_text("the last picture is kept")
    expect(page.locator(".sos-number")).to_have_text("0.70")
    expect(page.locator(".tag-row")).to_have_count(6)


def test_an_unexpected_failure_shows_one_line_and_no_trace(serving, visit):
    store = scenarios.overheat()
    page = visit(serving(store).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("0.70")
    store.failure = RuntimeError("secret detail of the program")
    page.locator("#earlier").click()
    expect(page.locator("#notice")).to_contain_text("The data cannot be read just now.")
    assert "secret detail" not in page.content()
    assert "Traceback" not in page.content()


def test_an_empty_platform_says_what_comes_next(serving, visit):
    page = visit(serving(scenarios.empty()).url)
    expect(page.locator("#tag-list")).to_contain_text("No tags yet.")
    expect(page.locator("#sets")).to_contain_text("No sets yet.")
    expect(page.locator("#freshness")).to_have_text("no minute closed yet")


def test_a_missed_minute_is_a_gap_and_not_a_line(serving, visit):
    store = scenarios.normal()
    missed = max(store.results["usad"]) - timedelta(minutes=10)
    store.missed.add(missed)
    page = visit(serving(store).url + "/s/2")
    page.wait_for_selector("#sos-chart .scatterlayer .trace")
    line = next(trace for trace in figure_of(page, "sos-chart")["data"] if trace["name"] == "SoS")
    assert line["y"][line["x"].index("2026-01-01 09:54")] is None


def test_a_set_left_out_of_the_newest_minute_is_unknown_and_not_its_last_value(serving, visit):
    store = scenarios.normal()
    store.missed.add(store.closed)
    page = visit(serving(store).url + "/s/1")
    expect(page.locator(".sos-number")).to_have_text("unknown")
    expect(page.locator(".coverage.incomplete")).to_have_text("No SoS was decided for 2026-01-01 10:04 KST.")


def test_a_set_opened_before_any_minute_was_closed_waits_without_an_error(serving, visit):
    store = scenarios.battery()
    store.closed = None
    store.find_or_create_set(["over_temp"], actor="test")
    page = visit(serving(store).url + "/s/1")
    expect(page.locator(".first-value")).to_contain_text("first value at 10:05 KST")
    expect(page.locator("#notice")).to_be_empty()
    expect(page.locator("#freshness")).to_have_text("no minute closed yet")


def test_new_york_reads_the_same_korean_time(serving, visit):
    page = visit(serving(scenarios.normal()).url + "/s/1", timezone_id="America/New_York")
    page.wait_for_selector("#sos-chart .xtick text")
    ticks = page.locator("#sos-chart .xtick").all_text_contents()
    assert any("09:30" in tick for tick in ticks), ticks
    assert any("2026-01-01" in tick for tick in ticks), ticks
    expect(page.locator("#sos-panel")).to_contain_text("minute 2026-01-01 10:04 KST")


def test_no_chart_offers_to_share_it_with_a_cloud(serving, visit):
    page = visit(serving(scenarios.normal()).url + "/s/1")
    page.locator("#sos-chart .nsewdrag").first.hover()
    titles = [b.get_attribute("data-title") for b in page.locator("#sos-chart .modebar-btn").all()]
    assert titles
    assert not [title for title in titles if re.search("share|cloud", title or "", re.IGNORECASE)]


def test_a_refresh_keeps_the_readers_zoom_and_adds_the_new_minute(serving, visit):
    store = scenarios.normal()
    page = visit(serving(store).url + "/s/1")
    page.wait_for_selector("#sos-chart .nsewdrag")
    for chart in ("sos-chart", "values-chart"):
        box = page.locator(f"#{chart} .nsewdrag").first.bounding_box()
        assert box is not None
        page.locator(f"#{chart}").scroll_into_view_if_needed()
        box = page.locator(f"#{chart} .nsewdrag").first.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.5, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
        page.mouse.up()
    zoomed = {chart: _range(page, chart) for chart in ("sos-chart", "values-chart")}
    points = len(figure_of(page, "sos-chart")["data"][2]["x"])
    scenarios.advance(store, 2)
    page.wait_for_function(
        "document.querySelector('#sos-chart .js-plotly-plot').data[2].x.includes('2026-01-01 10:06')",
        timeout=20_000,
    )
    assert {chart: _range(page, chart) for chart in zoomed} == zoomed
    assert len(figure_of(page, "sos-chart")["data"][2]["x"]) >= points


def test_without_a_zoom_the_window_moves_with_the_time(serving, visit):
    store = scenarios.normal()
    page = visit(serving(store).url + "/s/1")
    page.wait_for_selector("#sos-chart .nsewdrag")
    assert [bound[:16] for bound in _range(page, "sos-chart")] == ["2026-01-01 09:04", "2026-01-01 10:04"]
    scenarios.advance(store, 2)
    for chart in ("sos-chart", "values-chart"):
        page.wait_for_function(
            "id => { const { xaxis } = document.querySelector(`#${id} .js-plotly-plot`).layout;"
            " return xaxis.range[1].startsWith('2026-01-01 10:06') }",
            arg=chart,
        )


def _range(page: Page, chart: str) -> list[str]:
    found: list[str] = page.evaluate(f"document.querySelector('#{chart} .js-plotly-plot').layout.xaxis.range")
    return found


def test_nothing_is_coloured_while_all_is_normal(serving, visit):
    calm = visit(serving(scenarios.normal()).url)
    expect(calm.locator(".set-entry")).to_have_count(2)
    assert colourful_pixels(calm) == 0
    hot = visit(serving(scenarios.overheat()).url)
    expect(hot.locator(".set-entry")).to_have_count(2)
    assert colourful_pixels(hot) > 50
