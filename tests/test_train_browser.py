"""The Train page in a real browser: a pair is started, watched, left, found again, stopped, resumed, finished, compared."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

expect.set_options(timeout=60_000)  # a busy machine draws slowly, and is none the worse for it

ENDLESS = 10_000
"""Epochs that no machine trains while the test looks: nothing here races with the training."""

CHART = ".live .chart.losses"
"""The first chart: its plot holds what is drawn and where it is zoomed to."""

CURVES = "(chart) => chart.plot?.series.slice(1).map((line, place) => chart.plot.data[place + 1].filter(Number.isFinite))"
"""The curves of the first chart, as they are drawn."""


@pytest.fixture(scope="module")
def images(fashion, tmp_path_factory) -> Path:
    """A folder with few images, so that an epoch takes a moment."""
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three", images=200)


def start_a_pair(page: Page, images: Path) -> None:
    """Starts a pair as a person does: the click on the button follows the last key at once."""
    chooser = page.locator(".st-key-new-modern-dataset input")
    chooser.fill(f"folder:{images}")
    chooser.press("Enter")
    page.get_by_label("Epochs", exact=True).fill(str(ENDLESS))
    page.get_by_role("button", name="Train the pair").click()


def wait_until(page: Page, holds: Callable[[], object]) -> None:
    """Checks repeatedly while the page keeps running."""
    for _ in range(600):
        if holds():
            return
        page.wait_for_timeout(100)
    pytest.fail("what was waited for did not come")


def curves(page: Page) -> list[list[float]]:
    return page.locator(CHART).evaluate(CURVES) or []


def wait_for_curves(page: Page) -> None:
    page.locator(f"{CHART} canvas").wait_for()
    wait_until(page, lambda: len(curves(page)) >= 2 and len(drawn_runs(page)) == 2 and len(curves(page)[0]) > 10)


def drawn_runs(page: Page) -> list[str]:
    return page.locator(CHART).evaluate(
        "(chart) => chart.chart.lines.filter((line) => line.x.length > 10).map((line) => line.name)"
    )


def wait_for_new_data(page: Page) -> None:
    before = curves(page)
    wait_until(page, lambda: curves(page) != before)


def point_at_chart(page: Page) -> None:
    """Move the pointer to the middle of the first chart."""
    drawn = page.locator(f"{CHART} .u-over")
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])


def zoom_in(page: Page) -> list[float]:
    """Drag across a part of the first chart; the batches from and to which it is drawn then."""
    box = page.locator(f"{CHART} .u-over").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    page.mouse.up()
    wait_until(page, lambda: page.locator(CHART).evaluate("(chart) => chart.zoomed"))
    return shown_batches(page)


def shown_batches(page: Page) -> list[float]:
    return page.locator(CHART).evaluate("(chart) => [chart.plot.scales.x.min, chart.plot.scales.x.max]")


def batch_read(page: Page) -> int:
    """The batch that is read, beside both losses there; a run may not have come so far yet."""
    told = "\n".join(page.locator(f"{CHART} .{part}").inner_text() for part in ("read", "legend"))
    found = re.search(r"batch ([\d,]+)", told)
    assert found, told
    assert len(re.findall(r"\d\.\d{4}|–", told)) == 2, told
    return int(found[1].replace(",", ""))


def epochs_under_way(page: Page) -> list[int]:
    """The epochs in which the runs being trained are."""
    return [int(found) for found in re.findall(rf"epoch (\d+) of {ENDLESS}", page.locator(".live .runs").inner_text())]


def states(page: Page, status: str) -> Locator:
    """The lines with the state of the runs of a status."""
    return page.locator("p").filter(has=page.get_by_text(status, exact=True))


def button(page: Page, name: str) -> Locator:
    return page.locator("[class*=st-key-actions-]").get_by_role("button", name=name)


def stop_all(page: Page, stopped: Locator) -> None:
    """Click the first Stop until both runs stand: once each."""
    for count in range(stopped.count() + 1, 3):
        button(page, "Stop").first.click()
        expect(stopped).to_have_count(count)


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

    # Hover and zoom survive what comes in meanwhile: the chart is not made anew.
    page.locator(CHART).evaluate("(chart) => { window.plot = chart.plot }")
    point_at_chart(page)
    for _ in range(3):
        wait_for_new_data(page)
        assert batch_read(page) > 0
    zoomed = zoom_in(page)
    for _ in range(3):
        wait_for_new_data(page)
        assert shown_batches(page) == zoomed
    assert page.locator(CHART).evaluate("(chart) => window.plot === chart.plot")
    page.locator(f"{CHART} .u-over").dblclick()
    wait_until(page, lambda: shown_batches(page)[1] > zoomed[1])

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
    expect(page.get_by_role("progressbar")).to_have_count(1)  # it moves what stands below it, and the next click is for that
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
