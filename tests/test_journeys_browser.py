"""What people come for, from the first click to the last, in a real browser on the runs that ship."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

expect.set_options(timeout=60_000)  # a busy machine draws slowly


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element with this name has the focus."""
    described = "() => document.activeElement.ariaLabel ?? document.activeElement.innerText ?? ''"
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate(described):
            return
    pytest.fail(f"no way to {name} by keyboard")


def test_a_link_with_a_hidden_answer_opens_on_a_phone_and_is_revealed_there(browser_page: Page, shipped_server: str) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{shipped_server}/inside?predict=true&image=7&tally=3-2-1-0")
    expect(page.get_by_text("Test image 7", exact=True)).to_be_visible()
    expect(page.get_by_text("Shirt ✓")).to_have_count(0)
    page.locator(".st-key-guess").get_by_text("Shirt", exact=True).click()
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("Test image 7: Shirt")).to_be_visible()
    expect(page.get_by_text("Guessed 3 of 4")).to_be_visible()
    expect(page).to_have_url(re.compile("tally=4-3-"))


def test_keyboard_alone_leads_from_the_first_page_to_a_revealed_answer(browser_page: Page, shipped_server: str) -> None:
    page = browser_page
    page.goto(shipped_server)
    expect(page.get_by_role("heading", name="Poolscope")).to_be_visible()
    tab_to(page, "Inside")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Test image 2: Trouser")).to_be_visible()
    page.get_by_text("Predict first").wait_for()
    page.get_by_role("checkbox", name="Predict first").or_(page.get_by_role("switch", name="Predict first")).focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Test image 2", exact=True)).to_be_visible()
    tab_to(page, "Reveal")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Test image 2: Trouser")).to_be_visible()


def test_the_space_bar_reveals_and_asks_about_the_next_image(browser_page: Page, shipped_server: str) -> None:
    page = browser_page
    page.goto(f"{shipped_server}/inside?predict=true&image=2")
    expect(page.get_by_role("button", name="Reveal")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_text("Test image 2: Trouser")).to_be_visible()
    expect(page.get_by_role("button", name="Next image")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_text("Test image 3", exact=True)).to_be_visible()


def test_pointing_at_a_cell_frames_its_pixels_and_a_click_shows_its_evidence(browser_page: Page, shipped_server: str) -> None:
    page = browser_page
    page.goto(f"{shipped_server}/inside?image=2")
    maps, image = page.locator(".st-key-maps-0 .sheet"), page.locator(".st-key-image-sheet .sheet")
    page.wait_for_function("() => document.querySelectorAll('.st-key-maps-0, .st-key-image-sheet').length === 2")
    page.wait_for_timeout(1000)
    spot = """(figure) => { const [m] = figure.sheet.matrices, unit = Math.min(figure.clientWidth / figure.sheet.width,
      figure.sheet.pixels / figure.sheet.height), left = (figure.clientWidth - unit * figure.sheet.width) / 2;
      return { x: left + unit * (m.x + 0.5 * m.width), y: unit * (m.y + 0.5 * m.height) } }"""
    maps.locator("canvas").hover(position=maps.evaluate(spot))
    [mark] = image.evaluate("(figure) => figure.marks")
    # The middle cell of 3×3 has its centre at pixel 12 of 28 and sees 36 pixels, all of them: 6 before the image, 2 behind it.
    assert mark == pytest.approx({"x": 0, "y": 0, "width": 1, "height": 1})
    image.locator("canvas").hover(position={"x": 60, "y": 60})
    assert len(maps.evaluate("(figure) => figure.marks")) == 10
    maps.locator("canvas").click(position=maps.evaluate(spot))
    expect(page.get_by_text("where the score of T-shirt comes from").first).to_be_visible()
    expect(page.locator(".st-key-evidence-0")).to_be_in_viewport()
