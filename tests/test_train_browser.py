"""The Train page in a real browser: a pair is started, watched, left and found again."""

import pytest

pytestmark = pytest.mark.browser

LINES = "document.querySelectorAll('svg.marks')[0]?.querySelectorAll('.mark-line path[d]') ?? []"
"""The curves of the first chart."""

POINTS = f"({LINES})[0]?.getAttribute('d').split('L').length ?? 0"


def number(page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def wait_for_points(page, more_than: int) -> int:
    page.wait_for_function(f"{POINTS} > {more_than}")
    return page.evaluate(POINTS)


def test_a_pair_is_trained_watched_left_and_found_again(server, browser_page):
    page = browser_page
    page.set_default_timeout(90_000)
    page.goto(server)
    page.get_by_role("link", name="Train").click()
    page.get_by_text("New run").wait_for()
    number(page, "Epochs", "6")
    page.get_by_text("More", exact=True).click()
    number(page, "Train images", "4000")
    page.get_by_role("button", name="Train the pair").click()
    page.wait_for_function(f"({LINES}).length == 2")
    points = wait_for_points(page, 10)

    page.reload()
    wait_for_points(page, points - 1)

    page.get_by_role("button", name="Stop").first.wait_for()
