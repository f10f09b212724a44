"""The Train page in a real browser: a pair is started, watched, left, found again, stopped, resumed, finished, compared."""

import contextlib
import re
from pathlib import Path

import pytest
import tiny
from playwright.sync_api import Error, Locator, Page, expect

pytestmark = pytest.mark.browser

expect.set_options(timeout=60_000)  # a busy machine draws slowly, and is none the worse for it

ENDLESS = 10_000
"""Epochs that no machine trains while the test looks: nothing here races with the training."""

CURVES = """[...document.querySelectorAll('.st-key-live-losses svg.marks .mark-line path[d]')]
    .map((line) => line.getAttribute('d'))"""
"""The curves of the first chart, as they are drawn."""

FIRST_TICK = "document.querySelector('.st-key-live-losses svg.marks .role-axis-label text').textContent"
"""Where the axis of the first chart begins."""

READOUT = """[...document.querySelectorAll('.st-key-live-losses svg.marks .mark-text.role-mark text')]
    .map((text) => text.textContent).join('; ')"""
"""What the first chart says of the batch under the pointer."""


@pytest.fixture(scope="module")
def images(fashion, tmp_path_factory) -> Path:
    """So few images that an epoch takes a moment."""
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three", images=200)


def start_a_pair(page: Page, images: Path) -> None:
    """As a person does: the click on the button follows right upon the last key."""
    chooser = page.locator(".st-key-new-modern-dataset input")
    chooser.fill(f"folder:{images}")
    chooser.press("Enter")
    page.get_by_label("Epochs", exact=True).fill(str(ENDLESS))
    page.get_by_role("button", name="Train the pair").click()


def wait_for_curves(page: Page) -> None:
    page.wait_for_function(f"() => {{ const d = {CURVES}; return d.length == 2 && d.every((d) => d.split('L').length > 10) }}")


def wait_for_new_data(page: Page) -> None:
    page.wait_for_function(f"(before) => JSON.stringify({CURVES}) != before", arg=page.evaluate(f"JSON.stringify({CURVES})"))


def point_at_chart(page: Page) -> str:
    """Move the pointer over the first chart until it reads a batch there; what it reads."""
    chart = page.locator(".st-key-live-losses svg.marks")
    chart.scroll_into_view_if_needed()
    for move in range(100):
        box = chart.bounding_box()
        page.mouse.move(box["x"] + (0.4 + move / 1000) * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(100)
        if told := page.evaluate(READOUT):
            return told
    pytest.fail("the chart reads nothing under the pointer")


def zoom_in(page: Page, unzoomed: str) -> str:
    """Turn the wheel until the chart is zoomed, once new data came too; where its axis begins then.

    More than once, as a person does: Streamlit may lose a turn that falls into the moment in which new data arrive.
    """
    for _ in range(20):
        page.keyboard.down("Control")
        page.mouse.wheel(0, -600)
        page.keyboard.up("Control")
        wait_for_new_data(page)
        if (zoomed := page.evaluate(FIRST_TICK)) != unzoomed:
            return zoomed
    pytest.fail("the wheel does not zoom")


def batch_read(page: Page) -> int:
    """The batch that is read, beside both losses there; a run may not have come so far yet."""
    told = page.evaluate(READOUT)
    found = re.fullmatch(r"batch ([\d,]+)(; (\d\.\d{4}|–)){2}", told)
    assert found, told
    return int(found[1].replace(",", ""))


def epochs_under_way(page: Page) -> list[int]:
    """The epochs in which the runs being trained are."""
    return [int(found) for found in re.findall(rf"epoch (\d+) of {ENDLESS}", page.locator("body").inner_text())]


def states(page: Page, status: str) -> Locator:
    """The lines that say of runs with a status how they stand."""
    return page.locator("p").filter(has=page.get_by_text(status, exact=True))


def button(page: Page, name: str) -> Locator:
    return page.locator("[class*=st-key-actions-]").get_by_role("button", name=name)


def stop_all(page: Page, stopped: Locator) -> None:
    """Click Stop until both runs stand; a click may fall into the moment in which the buttons are drawn anew."""
    for _ in range(20):
        if stopped.count() == 2:
            return
        with contextlib.suppress(Error):
            button(page, "Stop").first.click(timeout=5000)
        page.wait_for_timeout(2000)
    expect(stopped).to_have_count(2)


def finish_soon(page: Page, number: int) -> None:
    """Give a stopped run fewer epochs in all, and let it go on to them."""
    found = re.search(rf"(\d+) of {ENDLESS} epochs", states(page, "stopped").first.inner_text())
    assert found
    button(page, "Extend").nth(number).click()
    page.get_by_label("Epochs in all").fill(str(int(found[1]) + 3))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_a_pair_is_trained_watched_left_found_again_and_compared(server: str, browser_page: Page, images: Path) -> None:
    page = browser_page
    page.set_default_timeout(60_000)
    page.goto(f"{server}/train")
    start_a_pair(page, images)
    wait_for_curves(page)

    # Hover and zoom survive what comes in meanwhile: the chart is not drawn anew.
    page.evaluate("window.chart = document.querySelector('.st-key-live-losses svg.marks')")
    point_at_chart(page)
    batch, unzoomed = batch_read(page), page.evaluate(FIRST_TICK)
    for _ in range(3):
        wait_for_new_data(page)
        assert 0 < batch_read(page) <= batch  # less once it was joined with its neighbours
    zoomed = zoom_in(page, unzoomed)
    for _ in range(3):
        wait_for_new_data(page)
        assert page.evaluate(FIRST_TICK) == zoomed
    assert page.evaluate("window.chart === document.querySelector('.st-key-live-losses svg.marks')")

    before = epochs_under_way(page)
    page.reload()
    wait_for_curves(page)
    assert len(before) == 2
    assert all(now >= then for now, then in zip(epochs_under_way(page), before, strict=True))

    stopped = states(page, "stopped")
    stop_all(page, stopped)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    button(page, "Resume").first.click()
    expect(stopped).to_have_count(1)
    wait_for_new_data(page)
    stop_all(page, stopped)

    for run in range(2):
        finish_soon(page, run)
    finished = states(page, "finished")
    expect(finished).to_have_count(2)
    for run in finished.all():
        expect(run).to_have_text(re.compile(r"(\d+) of \1 epochs · \d+\.\d%"))
    expect(page.get_by_role("progressbar")).to_have_count(0)

    page.get_by_role("link", name="Compare").click()
    page.get_by_role("combobox", name="Runs to compare").click()
    for pool in ("gap", "gmp"):
        expect(page.get_by_text(f"runs/three-modern-{pool}-seed0")).to_be_visible()
