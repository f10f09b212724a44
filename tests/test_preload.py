"""What the page's header names, fetched; and a real browser that finds what it needs among it."""

import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect


def named(address: str) -> list[str]:
    with urllib.request.urlopen(address) as answer:
        return re.findall(r"<\./([^>]+)>; rel=modulepreload", answer.headers["Link"])


def test_every_module_in_the_header_is_there_once(server: str) -> None:
    modules = named(server)
    assert len(modules) == len(set(modules)) > 20
    for module in modules:
        with urllib.request.urlopen(f"{server}/{module}") as answer:
            assert "javascript" in answer.headers["Content-Type"]


def test_only_pages_have_the_header(server: str) -> None:
    with urllib.request.urlopen(f"{server}/_stcore/health") as answer:
        assert answer.headers["Link"] is None


@pytest.mark.browser
def test_all_that_the_first_chart_needs_is_fetched_with_the_page(shipped_server: str, browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.goto(shipped_server, wait_until="commit")
    expect(browser_page.locator(".st-key-standings circle").first).to_be_visible(timeout=60_000)
    wanted = [url.split("/static/")[1] for url in asked if url.endswith(".js")]
    drawn_by = [each for each in wanted if re.search("DataFrame|Selectbox|BidiComponent", each)]
    assert len(drawn_by) == 3
    assert {f"static/{each}" for each in drawn_by} <= set(named(shipped_server))
