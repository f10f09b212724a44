"""The *Inside* page in a real browser."""

import csv
import io
import re

import PIL.Image
import pytest
import torch
from playwright.sync_api import Page, expect

from gpcore.drawing.sheets import Matrix, colours

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)

GRID = ".st-key-maps-{} .sheet"


def open_inside(page: Page, server: str, query: str = "") -> None:
    page.goto(f"{server}/inside?{query}")
    expect(page.locator(GRID.format(1))).to_be_visible()


def shown(page: Page, place: int) -> int:
    """How many values a grid of maps holds."""
    return page.locator(GRID.format(place)).evaluate(
        "({ sheet }) => sheet.matrices.flatMap(({ values }) => [...values]).length"
    )


def test_a_person_sees_both_answers_on_the_trouser_and_its_class_maps(browser_page, server):
    open_inside(browser_page, server)
    expect(browser_page.get_by_text("Test image 2: Trouser")).to_be_visible()
    for place, name in enumerate(("GAP", "GMP")):
        expect(browser_page.get_by_text(f"{name}, epoch 2, answers")).to_be_visible()
        assert shown(browser_page, place) == 10 * 9
        dots = browser_page.locator(GRID.format(place)).evaluate("({ sheet }) => sheet.discs.length")
        assert dots == {"GAP": 90, "GMP": 10}[name]
    expect(browser_page.get_by_text("Why", exact=False).first).to_be_visible()


def test_moving_the_layer_redraws_both_grids_and_the_link_restores_the_view(browser_page, server):
    open_inside(browser_page, server)
    browser_page.locator(".st-key-layers button").nth(13).click()
    expect(browser_page.get_by_text("13 · Conv2d 32→32 · 32×7×7")).to_be_visible()
    browser_page.locator(".st-key-next button").first.click()
    expect(browser_page.get_by_text("Test image 3: Trouser")).to_be_visible()
    expect(browser_page).to_have_url(re.compile(r"layer=13.*image=3|image=3.*layer=13"))
    browser_page.reload()
    expect(browser_page.get_by_text("13 · Conv2d 32→32 · 32×7×7")).to_be_visible()
    expect(browser_page.get_by_text("Test image 3: Trouser")).to_be_visible()
    assert shown(browser_page, 0) == shown(browser_page, 1) == 32 * 49


def test_a_grid_has_the_colours_of_its_values_tells_them_and_can_be_saved(browser_page, server):
    open_inside(browser_page, server, "layer=0")
    grid = browser_page.locator(GRID.format(0))
    box = grid.bounding_box()
    (matrix,) = grid.evaluate("({ sheet }) => sheet.matrices.map((matrix) => ({ ...matrix, values: [...matrix.values] }))")
    width, height = grid.evaluate("({ sheet }) => [sheet.width, sheet.height]")
    unit = min(box["width"] / width, box["height"] / height)
    left = (box["width"] - unit * width) / 2
    values = torch.tensor(matrix["values"]).view(28, 28)
    expected = colours(Matrix(values, matrix["low"], matrix["high"], matrix["scale"]))
    pixel = "(figure, [x, y]) => [...figure.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    for row, column in ((0, 0), (5, 14), (20, 11), (27, 27)):
        at = left + unit * (matrix["x"] + (column + 0.5) / 28), unit * (matrix["y"] + (row + 0.5) / 28)
        assert grid.evaluate(pixel, at) == expected[row, column].tolist()
        browser_page.mouse.move(box["x"] + at[0], box["y"] + at[1])
        expect(grid.locator(".note")).to_have_text(
            f"map 0, row {row + 1}, column {column + 1}: {values[row, column].item():.5g}"
        )
    with browser_page.expect_download() as download:
        grid.get_by_role("button", name="Save as PNG").click()
    with PIL.Image.open(download.value.path()) as picture:
        assert picture.size == (3 * round(box["width"]), 3 * round(box["height"]))
        shown = picture.convert("RGBA").getpixel((round(3 * at[0]), round(3 * at[1])))
    assert list(shown) == expected[27, 27].tolist()


def test_a_click_in_the_gallery_opens_the_image_above(browser_page, server):
    open_inside(browser_page, server, "show=Where%20they%20disagree")
    first = browser_page.locator(".st-key-gallery .gallery button").first
    expect(first).to_be_visible()
    name = first.locator("b").inner_text()
    first.click()
    expect(browser_page.get_by_text(re.compile(rf"Test image [\d,]+: {name}"))).to_be_visible()
    expect(browser_page).to_have_url(re.compile(r"image=\d+"))


def test_the_numbers_behind_a_figure_can_be_downloaded(browser_page, server):
    open_inside(browser_page, server)
    with browser_page.expect_download() as download:
        browser_page.get_by_role("button", name="Every cell of every class (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    trouser = [row for row in rows if (row["network"], row["class"]) == ("GMP", "Trouser")]
    shares = [float(row["share"]) for row in trouser]
    assert len(shares) == 9 + 2
    assert sum(shares[:-1]) == pytest.approx(shares[-1], abs=1e-5)


def test_the_epochs_play_by_themselves_and_stop_at_the_last(browser_page, server):
    open_inside(browser_page, server)
    browser_page.locator(".st-key-play button").first.click()
    expect(browser_page.get_by_text("GMP, epoch 1, answers")).to_be_visible()
    expect(browser_page.get_by_text("GMP, epoch 2, answers")).to_be_visible()


def test_a_link_to_an_image_that_is_not_there_is_explained(browser_page, server):
    open_inside(browser_page, server, "image=123456")
    expect(browser_page.get_by_text("The link asks for test image '123456'")).to_be_visible()


def test_a_narrow_page_needs_no_sideways_scrolling(browser_page, server):
    browser_page.set_viewport_size({"width": 390, "height": 844})
    open_inside(browser_page, server)
    wide = "() => document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth"
    assert browser_page.evaluate(wide) <= 0
