"""Charts of really trained runs, and how a browser draws, hides, reads and saves them."""

import io
import re

import numpy as np
import PIL.Image
import pytest
from conftest import ROOT
from playwright.sync_api import Locator, Page, expect

from gpcore.figures.epoch_curves import Curve, accuracies, losses, styles
from gpcore.runs.store import Store
from gpcore.verdicts.published import ARTICLE_MILESTONES

SHOWN = "checkpoints/article-gap-seed0"


@pytest.fixture(scope="module")
def curves() -> list[Curve]:
    store = Store(ROOT / "checkpoints", read_only=True)
    runs = [store.run(run) for run in ("article-gap-seed0", "article-gmp-seed0", "modern-gap-seed0")]
    return [Curve(run.title, run.recipe.pool, store.epochs(run.id)) for run in runs]


def test_every_run_is_a_strong_line_and_a_thin_one(curves: list[Curve]) -> None:
    for chart, fields in ((accuracies(curves), "accuracy"), (losses(curves), "loss")):
        for minor, kind in ((False, "validation"), (True, "training")):
            lines = [line for line in chart.lines if line.minor is minor]
            assert [line.name for line in lines] == [curve.name for curve in curves]
            for line, curve in zip(lines, curves, strict=True):
                assert line.x == [epoch.epoch for epoch in curve.epochs]
                assert line.y == pytest.approx([getattr(epoch, f"{kind}_{fields}") for epoch in curve.epochs], rel=1e-4)


def test_the_article_is_marked_once_for_each_pooling(curves: list[Curve]) -> None:
    marks = [line for line in accuracies(curves, milestones=True).lines if line.notes]
    assert [mark.name for mark in marks] == ["the article's GAP", "the article's GMP"]
    assert marks[0].notes == [point.words for point in ARTICLE_MILESTONES["gap"]]
    assert not any(line.notes for line in accuracies(curves).lines)


def test_runs_of_one_pooling_share_its_colour_and_differ_in_the_stroke(curves: list[Curve]) -> None:
    (first, solid), (other, _), (second, dashed) = styles(curves)
    assert first == second != other
    assert solid == []
    assert dashed != []


def test_a_chart_shows_itself_in_a_notebook(curves: list[Curve], browser_page: Page) -> None:
    browser_page.set_content(accuracies(curves)._repr_html_())
    frame = browser_page.frame_locator("iframe")
    expect(frame.locator("canvas")).to_be_visible()
    expect(frame.locator(".legend")).to_contain_text(curves[0].name)


@pytest.fixture
def chart(browser_page: Page, shipped_server: str) -> Locator:
    """The accuracies of one run on *Compare*."""
    browser_page.goto(f"{shipped_server}/compare?runs={SHOWN}")
    chart = browser_page.locator(".st-key-curves .chart.accuracies")
    expect(chart.locator("canvas")).to_be_visible(timeout=60_000)
    chart.scroll_into_view_if_needed()
    return chart


def count_blue(pixels: bytes) -> int:
    """Pixels in about GAP's colour."""
    shown = np.asarray(PIL.Image.open(io.BytesIO(pixels)).convert("RGB")).reshape(-1, 3).astype(int)
    return int((np.abs(shown - (0x2A, 0x86, 0xD8)).max(1) < 40).sum())


@pytest.mark.browser
def test_a_chart_reads_its_runs_under_the_pointer_and_hides_one(chart: Locator, curves: list[Curve]) -> None:
    over = chart.locator(".u-over")
    width = over.bounding_box()["width"]
    over.hover(position={"x": width * 30 / 59, "y": 50})
    read = chart.locator(".read").inner_text()
    found = re.match(r"epoch (\d+)", read)
    assert found, read
    epoch = curves[0].epochs[int(found[1]) - 1]
    legend = chart.locator(".legend button").first
    expect(legend).to_contain_text(f"{epoch.validation_accuracy * 100:.2f} %")
    expect(legend).to_contain_text(f"{epoch.training_accuracy * 100:.2f} %")
    before = count_blue(chart.locator("canvas").screenshot())
    legend.click()
    expect(legend).to_have_attribute("aria-pressed", "false")
    assert count_blue(chart.locator("canvas").screenshot()) < before / 2
    legend.click()
    assert count_blue(chart.locator("canvas").screenshot()) > before * 0.9


@pytest.mark.browser
def test_a_chart_is_saved_with_its_names(chart: Locator, browser_page: Page) -> None:
    with browser_page.expect_download() as download:
        chart.get_by_role("button", name="Save as PNG").click()
    assert download.value.suggested_filename == "accuracy.png"
    saved = download.value.path().read_bytes()
    picture = PIL.Image.open(io.BytesIO(saved))
    box = chart.locator("canvas").bounding_box()
    assert picture.width == pytest.approx(3 * box["width"], abs=3)
    assert picture.height > 3 * box["height"]
    assert count_blue(saved) > count_blue(chart.locator("canvas").screenshot())
