"""The dashboard as a new user opens it, on the shipped runs, in a real browser."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import Page, expect

from gpcore.runs.store import Store

pytestmark = pytest.mark.browser

expect.set_options(timeout=60_000)  # a busy machine draws slowly, and is none the worse for it

TITLES = {
    "": "Poolscope",
    "first": "Poolscope",
    "inside": "What does pooling see?",
    "compare": "Which pooling wins, and by how much?",
    "train": "Train, watch, leave, come back",
    "classify": "What is in my picture?",
    "lab": "When does the other one win?",
    "learn": "What is global pooling?",
}


@pytest.mark.parametrize("name", TITLES)
def test_a_link_opens_its_page(browser_page: Page, shipped_server: str, name: str) -> None:
    """Also as the first thing that a server is asked for: then app.py, not the page alone, must run."""
    browser_page.goto(f"{shipped_server}/{name}")
    expect(browser_page.get_by_role("heading", name=TITLES[name])).to_be_visible()
    expect(browser_page.get_by_role("link", name="Learn")).to_be_visible()
    expect(browser_page.get_by_test_id("stException")).to_have_count(0)
    expect(browser_page.get_by_text("Page not found")).to_have_count(0)


def test_compare_opens_on_the_article(browser_page: Page, shipped_server: str) -> None:
    browser_page.goto(f"{shipped_server}/compare")
    store = Store(ROOT / "checkpoints", read_only=True)
    for pool in ("gap", "gmp"):
        record = store.run(f"article-{pool}-seed0")
        assert record.last is not None
        assert record.epochs_done == 60
        expect(browser_page.get_by_text(f"{record.last.validation_accuracy:.2%}", exact=True)).to_be_visible(timeout=60_000)
    expect(browser_page.get_by_text("18,370 parameters").first).to_be_visible()
    expect(browser_page.get_by_text(re.compile("article-gap-seed0 is .* points ahead of article-gmp-seed0"))).to_be_visible()
    expect(browser_page.locator(".chart.accuracies .legend", has_text="the article's GAP")).to_be_visible()


def test_inside_opens_on_the_trouser_that_both_recognise(browser_page: Page, shipped_server: str) -> None:
    browser_page.goto(f"{shipped_server}/inside")
    expect(browser_page.get_by_text("Test image 2: Trouser")).to_be_visible(timeout=60_000)
    for name in ("GAP", "GMP"):
        expect(browser_page.get_by_text(f"{name}, epoch 60, answers")).to_be_visible()
    expect(browser_page.get_by_text("Trouser ✓")).to_have_count(2)


def test_an_example_is_classified_by_both(browser_page: Page, shipped_server: str) -> None:
    browser_page.goto(f"{shipped_server}/classify")
    browser_page.get_by_role("tab", name="Examples").click(timeout=60_000)
    browser_page.get_by_role("button", name="Try all of them").click()
    expect(browser_page.get_by_text(re.compile("photo-gap-seed0: "))).to_be_visible(timeout=60_000)
    expect(browser_page.get_by_text(re.compile("photo-gmp-seed0: "))).to_be_visible()
    for place in range(2):
        expect(browser_page.locator(f".st-key-answer-{place} canvas")).to_have_attribute("aria-label", re.compile(r"\d+ ?%"))


def test_a_cell_is_painted_by_keyboard_and_the_link_keeps_it(browser_page: Page, shipped_server: str) -> None:
    browser_page.goto(f"{shipped_server}/learn")
    first = browser_page.locator(".st-key-painted button").first
    expect(first).to_be_visible(timeout=60_000)
    first.focus()
    browser_page.keyboard.press("Enter")
    for _ in range(2):
        expect(browser_page.get_by_text("(9 + 0 + 0 + 0 + 9 + 0 + 0 + 0 + 0) / 9 = 2.00")).to_be_visible()
        expect(browser_page).to_have_url(re.compile("map=9-0-0-0-9-0-0-0-0"))
        browser_page.reload()


@pytest.mark.parametrize("path", ["", "first", "compare"])  # Compare opened at / once
def test_a_link_with_several_runs_opens_all_of_them(browser_page: Page, shipped_server: str, path: str) -> None:
    runs = ("modern-gap-seed0", "modern-gmp-seed0", "photo-gap-seed0")
    browser_page.goto(f"{shipped_server}/{path}?" + "&".join(f"runs=checkpoints/{run}" for run in runs))
    for run in runs:
        expect(browser_page.get_by_text(f"{run} · validation accuracy")).to_be_visible()


def test_the_first_page_fits_one_screen(browser_page: Page, shipped_server: str) -> None:
    browser_page.set_viewport_size({"width": 1280, "height": 720})
    browser_page.goto(shipped_server)
    for seen in ("Global average pooling", "Global max pooling", "The article", "Here", "Understand", "Train live"):
        expect(browser_page.get_by_role("main").get_by_text(seen, exact=True)).to_be_in_viewport(ratio=1)
    for place, (score, what) in enumerate((("+66.1", "mean"), ("+45.0", "maximum"))):
        drawing = browser_page.locator(f".st-key-first-{place} canvas")
        expect(drawing).to_be_in_viewport(ratio=1)
        expect(drawing).to_have_attribute("aria-label", re.compile(rf"Trouser.*{what}.*{re.escape(score)}"))
    browser_page.get_by_role("main").get_by_role("link", name="Understand").click()
    expect(browser_page.get_by_role("heading", name="What is global pooling?")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [name for name in TITLES if name != "first"])
def test_no_page_has_a_serious_fault_of_accessibility(browser, shipped_server: str, name: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{shipped_server}/{name}")
    expect(page.get_by_role("heading", name=TITLES[name])).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    page.wait_for_timeout(500)  # what fades in has too little contrast
    found = Axe().run(page).response["violations"]
    context.close()
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")] == []
