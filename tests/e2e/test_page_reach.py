"""Who can use the page and what it reaches: small screens, other languages, no outside world."""

from __future__ import annotations

import urllib.request
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from sos_ops.errors import DatabaseUnavailableError
from tests.support import scenarios

pytest_plugins = ("tests.support.page_fixtures",)


@pytest.mark.parametrize("scenario", [scenarios.overheat, scenarios.incomplete, scenarios.empty])
def test_a_phone_never_scrolls_sideways(serving, visit, scenario):
    address = "/s/1" if scenario is not scenarios.empty else "/"
    page = visit(serving(scenario()).url + address, viewport={"width": 390, "height": 844})
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_korean_is_one_click_away_and_stays(serving, visit):
    page = visit(serving(scenarios.overheat()).url + "/s/1?range=24h")
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_text("한국어").click()
    page.wait_for_selector("html[lang=ko]")
    expect(page.locator(".sos-gauge .chip-word")).to_have_text("경고")
    expect(page.get_by_text("감시 전용: BMS 자체 보호가 항상 우선합니다.").first).to_be_visible()
    assert "range=24h" in page.url
    page.goto(page.url.split("?")[0])
    assert page.locator("html").get_attribute("lang") == "ko"


def test_the_page_says_that_it_is_supervisory_only(serving, visit):
    page = visit(serving(scenarios.normal()).url)
    expect(
        page.get_by_text("Supervisory only: the BMS's own protection stays primary.").first
    ).to_be_visible()


def test_nothing_is_fetched_from_anywhere_else(serving, visit, browser):
    server = serving(scenarios.overheat())
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/s/1")
    page.wait_for_selector("#values-chart .scatterlayer .trace")
    hosts = {
        urlsplit(url).hostname for url in asked if urlsplit(url).scheme in ("http", "https", "ws", "wss")
    }
    links = {urlsplit(a.get_attribute("href") or "").hostname for a in page.locator("a[href]").all()}
    context.close()
    assert hosts == {"127.0.0.1"}
    assert links <= {None, "127.0.0.1"}


def test_the_console_stays_clean(serving, browser):
    server = serving(scenarios.incomplete())
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(server.url + "/s/1")
    page.wait_for_selector("#values-chart .scatterlayer .trace")
    expect(page.locator("#freshness")).to_contain_text("LIVE")
    context.close()
    assert said == []


def test_the_dark_theme_reaches_the_cards_and_the_grid(serving, visit):
    page = visit(serving(scenarios.overheat()).url + "/s/1")
    page.wait_for_selector(".ag-row")
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    for part in (".card", ".ag-root-wrapper"):
        colour = page.locator(part).first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert max(int(n) for n in colour.removeprefix("rgb(").removesuffix(")").split(",")) < 80, (
            part,
            colour,
        )


def test_health_lives_without_the_database_and_ready_does_not(serving):
    store = scenarios.normal()
    server = serving(store)
    assert _get(server.url + "/health") == (200, "OK")
    assert _get(server.url + "/ready")[0] == 200
    store.failure = DatabaseUnavailableError("PostgreSQL does not answer")
    assert _get(server.url + "/health") == (200, "OK")
    assert _get(server.url + "/ready") == (503, "PostgreSQL does not answer\n")


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own server
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
