"""The page on the running platform, in a real browser: what an operator sees of the real data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import chromium, open_page, tick
from tests.support.stack import RunningStack, wait_for

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def page(healthy: RunningStack) -> Iterator[Page]:
    """A tab on the page of the running platform, opened at its start."""
    wait_for(lambda: (row := healthy.newest()) and row["value"] is not None, "a complete minute", 150)
    with chromium() as browser:
        context = browser.new_context(
            viewport={"width": 1440, "height": 1000}, timezone_id="America/New_York"
        )
        tab = open_page(context, healthy.page_url())
        yield tab
        if folder := os.environ.get("SOS_TEST_SCREENSHOTS"):
            tab.screenshot(path=f"{folder}/real-page.png", full_page=True)


def test_the_four_demo_tags_are_live_and_create_finds_their_set(healthy: RunningStack, page: Page) -> None:
    with healthy.sped_up(5):
        expect(page.locator(".tag-row")).to_have_count(4)
        expect(page.locator("#freshness")).to_contain_text("LIVE", timeout=60_000)
        tick(page, "over_temp", "under_temp", "over_voltage", "under_voltage")
        page.get_by_role("button", name="Create").click()
        expect(page).to_have_url(re.compile(r"/s/1$"))
        expect(page.locator(".sos-number")).to_have_text(re.compile(r"^[01]\.\d\d$"), timeout=60_000)


def test_a_new_set_made_on_the_page_has_its_first_value_with_the_next_minute(
    healthy: RunningStack, page: Page
) -> None:
    before = healthy.query("select count(*) from keti.tag_combination_map")[0][0]
    with healthy.sped_up(5):
        tick(page, "over_temp", "over_voltage")
        page.get_by_role("button", name="Create").click()
        expect(page).to_have_url(re.compile(r"/s/\d+$"))
        set_id = int(page.url.rsplit("/", 1)[1])
        assert healthy.query(
            'select "TAG_SET" from keti.tag_combination_map where "SET_ID" = %s', set_id
        ) == [(["over_temp", "over_voltage"],)]
        expect(page.locator(".sos-number")).to_have_text(re.compile(r"^[01]\.\d\d$"), timeout=60_000)
    assert healthy.query("select count(*) from keti.tag_combination_map")[0][0] == before + 1


def test_when_the_bms_is_off_the_line_the_page_says_unknown_and_never_looks_safe(
    healthy: RunningStack, page: Page
) -> None:
    page.goto(healthy.page_url("/s/1"))
    with healthy.sped_up(5):
        healthy.run("demo", "bms", "stop")
        try:
            expect(page.locator(".sos-number")).to_have_text("unknown", timeout=90_000)
            expect(page.locator(".set-entry.opened .chip-word")).to_have_text("unknown", timeout=15_000)
            assert "safe" not in page.locator(".sos-gauge").inner_text()
            expect(page.locator(".missing-list")).to_contain_text("demo-rack")
        finally:
            healthy.run("demo", "bms", "start")
        expect(page.locator(".sos-number")).to_have_text(re.compile(r"^[01]\.\d\d$"), timeout=90_000)
