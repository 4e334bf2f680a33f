"""Choosing tags, check and Create, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support import scenarios
from tests.support.browser import figure_of, tick

pytest_plugins = ("tests.support.page_fixtures",)


def test_a_fifth_tag_cannot_be_chosen_and_the_page_says_why(serving, visit):
    page = visit(serving(scenarios.battery()).url)
    tick(page, *scenarios.FOUR)
    expect(page.get_by_label("usad", exact=True)).to_be_disabled()
    why = "4 of 4 chosen: take one off to choose another."
    expect(page.locator("#tag-count")).to_have_text(why)
    expect(page.locator(".tag-row.refused").first).to_have_attribute("title", why)
    page.get_by_label("over_temp", exact=True).uncheck()
    expect(page.get_by_label("usad", exact=True)).to_be_enabled()


def test_five_tags_in_an_address_are_refused_with_one_line(serving, visit):
    page = visit(serving(scenarios.battery()).url + "/?tags=" + ",".join([*scenarios.FOUR, "usad"]))
    expect(page.locator("#notice")).to_have_text(
        "A view has at most 4 tags, not 5: take some out of the address."
    )


def test_five_tags_posted_past_the_page_make_no_set(serving, visit):
    """A disabled checkbox is no control: callbacks are plain POSTs."""
    store = scenarios.battery()
    page = visit(serving(store).url)
    page.wait_for_selector(".tag-row")
    page.evaluate(
        "dash_clientside.set_props('tags', {value: ['over_temp','under_temp','over_voltage','under_voltage','usad']})"
    )
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#notice")).to_have_text("At most 4 tags can be combined: take 1 off.")
    assert not store.made


def test_check_draws_the_chosen_tags_with_their_limits(serving, visit):
    page = visit(serving(scenarios.battery()).url)
    tick(page, "over_temp", "under_voltage")
    page.get_by_role("button", name="check").click()
    expect(page).to_have_url(re.compile(r"/\?tags=over_temp,under_voltage$"))
    page.wait_for_selector("#values-chart .scatterlayer .trace")
    traces = {trace["name"]: trace for trace in figure_of(page, "values-chart")["data"]}
    assert len(traces["over_temp"]["x"]) > 50
    assert traces["over_temp WARN"]["y"] == [50, 50]
    assert traces["under_voltage WARN"]["y"] == [3.15, 3.15]
    assert traces["over_temp WARN"]["line"]["dash"] == "dash"
    ends = page.locator("#values-chart .annotation").all_text_contents()
    assert any("under_voltage" in text and "3.9 V" in text for text in ends)


def test_the_table_has_the_documents_columns(serving, visit):
    page = visit(serving(scenarios.battery()).url)
    tick(page, "over_temp")
    expect(page.locator(".ag-row")).to_have_count(1)
    heads = page.locator(".ag-header-cell-text").all_inner_texts()
    assert heads[:6] == ["TAG", "Value", "Action", "MAX_count", "SAFETY_VALUE", "WARN_THRESHOLD"]
    cells = page.locator(".ag-row .ag-cell").all_inner_texts()
    assert cells[:6] == ["over_temp", "33 °C", "null", "2", "40", "50"]


def test_create_shows_the_sos_of_a_known_set_whatever_the_order(serving, visit):
    store = scenarios.overheat()
    page = visit(serving(store).url)
    tick(page, *reversed(scenarios.FOUR))
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile(r"/s/1$"))
    expect(page.locator(".sos-number")).to_have_text("0.70")
    expect(page.locator(".sos-gauge .chip-word")).to_have_text("warning")
    expect(page.locator(".weakest-name")).to_have_text("over_temp")
    assert len(store.made) == 2


def test_create_of_a_new_set_says_when_its_first_value_comes_and_then_shows_it(serving, visit):
    store = scenarios.normal()
    page = visit(serving(store).url)
    tick(page, "over_temp", "under_temp")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".first-value strong")).to_have_text("first value at 10:05 KST")
    page.wait_for_function("/^in \\d+ s$/.test(document.querySelector('.first-value .age').dataset.age)")
    scenarios.advance(store, 1)
    expect(page.locator(".sos-number")).to_have_text("1.00")


def test_create_without_a_tag_says_what_to_do(serving, visit):
    page = visit(serving(scenarios.battery()).url)
    page.wait_for_selector(".tag-row")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#notice")).to_have_text("Choose at least one tag first.")
    tick(page, "over_temp")
    expect(page.locator("#notice")).to_be_empty()


def test_a_deep_link_shows_the_set_and_back_and_forward_work(serving, visit):
    server = serving(scenarios.overheat())
    page = visit(server.url + "/s/1?range=24h")
    expect(page.locator(".sos-number")).to_have_text("0.70")
    expect(page.get_by_label("24 h")).to_be_checked()
    expect(page.get_by_label("over_temp", exact=True)).to_be_checked()
    page.get_by_role("link", name=re.compile("Set 2")).click()
    expect(page.locator("#sos-panel h2")).to_have_text("State of Safety of set 2")
    expect(page.get_by_label("over_temp", exact=True)).not_to_be_checked()
    page.go_back()
    expect(page.locator("#sos-panel h2")).to_have_text("State of Safety of set 1")
    expect(page.get_by_label("over_temp", exact=True)).to_be_checked()
    expect(page.get_by_label("24 h")).to_be_checked()
    page.go_forward()
    expect(page.locator("#sos-panel h2")).to_have_text("State of Safety of set 2")


def test_create_works_again_after_going_back(serving, visit):
    page = visit(serving(scenarios.overheat()).url)
    for _ in range(2):
        tick(page, *scenarios.FOUR)
        page.get_by_role("button", name="Create").click()
        expect(page.locator("#sos-panel h2")).to_have_text("State of Safety of set 1")
        page.go_back()
        expect(page.locator("#sos-panel h2")).to_have_text("No set chosen")


def test_an_unknown_set_is_named_in_one_line(serving, visit):
    page = visit(serving(scenarios.normal()).url + "/s/77")
    expect(page.locator("#notice")).to_contain_text("There is no set 77")
    expect(page.locator("#sos-panel h2")).to_have_text("No set chosen")


def test_the_sets_are_listed_worst_first(serving, visit):
    page = visit(serving(scenarios.overheat()).url)
    first = page.locator(".set-entry").first
    expect(first).to_contain_text("warning")
    expect(first).to_contain_text("weakest over_temp")
    expect(page.locator(".set-entry").nth(1)).to_contain_text("safe")


def test_clicking_a_point_explains_that_minute(serving, visit):
    page = visit(serving(scenarios.overheat()).url + "/s/1")
    expect(page.locator("#explain-title")).to_contain_text("Minute 2026-01-01 10:04 KST")
    page.wait_for_selector("#sos-chart .nsewdrag")
    plot = page.locator("#sos-chart .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.3)
    expect(page.locator("#explain-title")).to_contain_text(re.compile(r"Minute 2026-01-01 09:2\d KST"))
    expect(page).to_have_url(re.compile(r"/s/1\?at=2026-01-01T09:2\d$"))
    expect(page.locator(".sos-number")).to_have_text("0.70")


def test_the_minute_before_is_explained_by_keyboard_too(serving, visit):
    page = visit(serving(scenarios.overheat()).url + "/s/1")
    expect(page.locator("#explain-title")).to_contain_text("10:04 KST")
    page.locator("#earlier").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#explain-title")).to_contain_text("10:03 KST")
    page.locator("#newest").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#explain-title")).to_contain_text("10:04 KST")


def test_two_readers_do_not_influence_each_other(serving, visit):
    server = serving(scenarios.overheat())
    one, other = visit(server.url), visit(server.url)
    tick(one, "over_temp")
    tick(other, "usad")
    for page in (one, other):
        page.get_by_role("button", name="check").click()
        page.wait_for_selector("#values-chart .scatterlayer .trace")
    assert _line_names(one) == ["over_temp"]
    assert _line_names(other) == ["usad"]


def _line_names(page: Page) -> list[str]:
    return [trace["name"] for trace in figure_of(page, "values-chart")["data"] if " " not in trace["name"]]


def test_the_keyboard_alone_chooses_tags_and_creates(serving, visit):
    page = visit(serving(scenarios.overheat()).url)
    for tag in scenarios.FOUR:
        page.get_by_label(tag, exact=True).focus()
        page.keyboard.press("Space")
        expect(page.get_by_label(tag, exact=True)).to_be_checked()
        expect(page.get_by_label(tag, exact=True)).to_be_focused()
    page.get_by_role("button", name="Create").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".sos-number")).to_have_text("0.70")


def test_a_new_minute_takes_the_focus_from_nobody(serving, visit):
    store = scenarios.overheat()
    page = visit(serving(store).url + "/s/1")
    box, link = page.get_by_label("over_temp", exact=True), page.locator("#set-2")
    expect(page.locator("#sos-panel")).to_contain_text("10:04 KST")
    for minute, focused in (("10:05", box), ("10:06", link)):
        focused.focus()
        scenarios.advance(store, 1)
        expect(page.locator("#sos-panel")).to_contain_text(f"{minute} KST")
        expect(page.locator(".set-entry").first).to_be_visible()
        expect(focused).to_be_focused()
