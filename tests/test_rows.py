"""Rows of dots: the SVG read by an XML parser, every place against its value, and as a browser draws and saves it."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Page, expect

from gpcore.drawing.rows import BOTTOM, ROW_HEIGHT, TOP, DotRow, Mark, Rows, steps

SVG = "{http://www.w3.org/2000/svg}"

TWO = Rows(
    [
        DotRow("first <b>", "#112233", [Mark(0.2, "seed 0"), Mark(0.4, "seed 1 & more")], Mark(0.3, "mean 30 %"), (0.1, 0.5)),
        DotRow("second", "#445566", [Mark(0.9, "seed 0")]),
    ],
    "accuracy",
)


def percent(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


def test_dots_lie_on_the_scale_that_the_ticks_tell() -> None:
    drawn = ElementTree.fromstring(TWO.svg())
    circles = drawn.findall(f"{SVG}circle")
    places = [percent(circle.get("cx")) for circle in circles]
    ticks = [
        (float(text.text), percent(text.get("x")))
        for text in drawn.findall(f"{SVG}text")
        if re.fullmatch(r"-?[\d.]+", text.text)
    ]
    slope, offset = np.polyfit([value for value, _ in ticks], [place for _, place in ticks], 1)
    assert len(ticks) >= 3
    assert places == pytest.approx([slope * value + offset for value in (0.2, 0.4, 0.9)], abs=0.01)
    assert all(0 < place < 100 for place in places)
    assert [circle.find(f"{SVG}title").text for circle in circles] == ["seed 0", "seed 1 & more", "seed 0"]
    assert float(circles[0].get("cy")) == TOP + ROW_HEIGHT / 2
    interval = next(line for line in drawn.findall(f"{SVG}line") if line.get("x1") != line.get("x2"))
    ends = [percent(interval.get(end)) for end in ("x1", "x2")]
    assert ends == pytest.approx([slope * value + offset for value in (0.1, 0.5)], abs=0.01)
    assert int(drawn.get("height")) == TOP + 2 * ROW_HEIGHT + BOTTOM


def test_names_are_text_and_nothing_of_one_value_or_none_fails() -> None:
    texts = [text.text for text in ElementTree.fromstring(TWO.svg()).iter(f"{SVG}text")]
    assert "first <b>" in texts
    for rows in (
        [],
        [DotRow("one", "#000000", [])],
        [DotRow("one", "#000000", [Mark(0.5, "")])],
        [DotRow("zero", "#000000", [Mark(0, "")])],
    ):
        ElementTree.fromstring(Rows(rows, "x").svg())


@pytest.mark.parametrize(
    ("low", "high", "step", "digits"),
    [(0, 1, 0.2, 1), (0.88, 0.92, 0.01, 2), (-3, 3, 1, 0), (0, 1234, 500, 0), (0, 6, 1, 0), (0.5, 0.5005, 1e-4, 4)],
)
def test_ticks_are_round_and_few(low: float, high: float, step: float, digits: int) -> None:
    assert steps(low, high) == (pytest.approx(step), digits)


def test_the_scale_holds_what_all_is_measured_against() -> None:
    drawn = ElementTree.fromstring(
        Rows([DotRow("far", "#000000", [Mark(5, ""), Mark(6, "")])], "points", line=0, start=8).svg()
    )
    [line] = [line for line in drawn.findall(f"{SVG}line") if line.get("stroke-width") == "1.5"]
    assert 0 < percent(line.get("x1")) < percent(drawn.find(f"{SVG}circle").get("cx")) < 90


@pytest.mark.browser
def test_a_drawing_on_a_page_tells_its_seeds_and_is_saved(browser_page: Page, shipped_server: str) -> None:
    browser_page.goto(f"{shipped_server}/compare")
    browser_page.locator(".st-key-curves canvas").first.wait_for(timeout=60_000)  # nothing above moves any more
    drawing = browser_page.locator(".st-key-standings .drawing")
    dot = drawing.locator("circle").first
    dot.scroll_into_view_if_needed()
    dot.hover(force=True)
    expect(drawing.locator(".note")).to_have_text(re.compile(r"^(seed \d|mean).*\d\d\.\d\d%"))
    with browser_page.expect_download() as download:
        drawing.get_by_role("button", name="Save as PNG").click()
    picture = PIL.Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGB")
    box = drawing.locator(".shown > svg").bounding_box()
    assert picture.height == pytest.approx(3 * box["height"], abs=3)
    names = np.asarray(picture.crop((0, 0, picture.width // 6, picture.height)))
    assert (names < 100).any()  # the names in the margin are in the picture, too
    dots = np.asarray(picture.crop((picture.width // 4, 0, picture.width, picture.height))).reshape(-1, 3).astype(int)
    assert (np.abs(dots - (0x2A, 0x86, 0xD8)).max(1) < 12).sum() > 50  # GAP's diamond
