"""The Train page in a real browser: a pair is started, watched, left, found again, stopped, resumed, finished, compared."""

import re

import pytest

pytestmark = pytest.mark.browser

POINTS = "document.querySelectorAll('.js-plotly-plot')[0].data.find(trace => trace.mode).x.length"
"""How many points the first curve of the first chart has."""

RANGE = "document.querySelectorAll('.js-plotly-plot')[0]._fullLayout.xaxis.range"


def number(page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def wait_for_points(page, more_than: int) -> int:
    page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot')[0]?.data.length && {POINTS} > {more_than}")
    return page.evaluate(POINTS)


def test_a_pair_is_trained_watched_left_found_again_and_compared(server, browser_page):
    page = browser_page
    page.set_default_timeout(90_000)
    page.goto(server)
    page.get_by_role("link", name="Train").click()
    page.get_by_text("New run").wait_for()
    number(page, "Epochs", "4")
    page.get_by_text("More", exact=True).click()
    number(page, "Train images", "4000")
    page.get_by_role("button", name="Train the pair").click()
    points = wait_for_points(page, 2)
    assert page.evaluate("document.querySelectorAll('.js-plotly-plot')[0].data.filter(trace => trace.mode).length") == 2
    points = wait_for_points(page, points)

    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    zoomed = page.evaluate(RANGE)
    points = wait_for_points(page, points)
    assert page.evaluate(RANGE) == zoomed
    assert zoomed[0] > 0

    page.reload()
    wait_for_points(page, points)

    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("stopped").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("stopped").wait_for(state="detached")
    page.wait_for_function("document.body.innerText.match(/finished/g)?.length == 2")
    page.get_by_text(re.compile(r"4 of 4 epochs")).first.wait_for()
    assert page.get_by_role("progressbar").count() == 0

    page.get_by_role("link", name="Compare").click()
    page.get_by_role("combobox").first.click()
    page.get_by_text("runs/modern-gap-seed0").first.wait_for()
