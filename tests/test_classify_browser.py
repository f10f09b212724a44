"""Every way to upload pictures on *Classify*, and all actions on them, in a real browser."""

import base64
import csv
import io
import re

import numpy as np
import PIL.Image
import pytest
from conftest import ROOT
from playwright.sync_api import Page, expect

from gpcore.drawing.sheets import palette

pytestmark = pytest.mark.browser

SLOW = 90_000
"""Milliseconds that a busy machine may need."""

PASTE = """
(field, content) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture
def page(browser_page: Page, server: str) -> Page:
    browser_page.set_default_timeout(SLOW)
    browser_page.goto(f"{server}/classify")
    expect(browser_page.get_by_text("Drop a picture above, or try an example.")).to_be_visible(timeout=SLOW)
    return browser_page


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def expect_answered(page: Page) -> None:
    for pool in ("gap", "gmp"):
        expect(page.get_by_text(re.compile(rf"^article-{pool}-seed0: \w+"))).to_be_visible(timeout=SLOW)


def downloaded(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="All answers (CSV)").click()
    return list(csv.DictReader(io.StringIO(download.value.path().read_text())))


def test_a_hundred_files_are_answered_at_once_and_a_broken_one_does_not_stop_them(page, fashion):
    images = fashion.test.images[:100, 0].numpy()
    files = [{"name": f"{n:03}.png", "mimeType": "image/png", "buffer": png(image)} for n, image in enumerate(images)]
    files.insert(50, {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(files)
    expect_answered(page)
    rows = downloaded(page)
    assert [row["name"] for row in rows] == [file["name"] for file in files]
    assert rows[50]["problem"].startswith("broken.png is not a picture")
    assert all(row["article-gap-seed0"] in fashion.classes for row in rows[:50] + rows[51:])
    page.get_by_role("button", name="Clear all pictures").click()
    expect(page.get_by_text("Drop a picture above, or try an example.")).to_be_visible(timeout=SLOW)


def test_a_picture_can_be_pasted(page, fashion):
    page.get_by_role("tab", name="Paste").click()
    field = page.get_by_test_id("stChatInputTextArea")
    content = base64.b64encode(png(fashion.test.images[0, 0].numpy())).decode()
    field.evaluate(PASTE, content)
    expect(page.get_by_text("pasted.png").first).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Send message").click()  # which can be clicked only once the picture has been uploaded
    expect_answered(page)


def test_a_photograph_can_be_taken_with_the_camera(page):
    page.get_by_role("tab", name="Camera").click()
    page.wait_for_function("document.querySelector('video')?.readyState >= 2")  # before that there is nothing to take
    page.get_by_role("button", name="Take Photo").click()
    expect_answered(page)


def test_a_box_dragged_around_the_object_is_what_the_networks_see(page):
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(ROOT / "examples" / "trouser-on-wood.jpg")
    expect_answered(page)
    page.get_by_text("The wrong part was cut out?").click()
    photo = page.locator("[class*=st-key-crop] .nsewdrag").first
    last_step = page.get_by_test_id("stImage").last
    before = last_step.locator("img").get_attribute("src")
    photo.hover()  # once it stands still
    box = photo.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    expect(last_step.locator("img")).not_to_have_attribute("src", before, timeout=SLOW)
    expect_answered(page)


def test_an_answer_is_drawn_heard_told_and_saved(page):
    """Of a wide white photograph with a grey square in its middle: pixels of the real canvas against the formula."""
    pixels = np.full((200, 300, 3), 255, np.uint8)
    pixels[50:150, 100:200] = 90
    brought = {"name": "square.png", "mimeType": "image/png", "buffer": png(pixels)}
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(brought)
    expect_answered(page)
    figure = page.locator(".st-key-answer-0 .sheet")
    expect(figure.get_by_role("img", name=re.compile(r"^article-gap-seed0: .+ \d+%, .+ \d+%, .+ \d+%$"))).to_be_visible()
    matrix, photograph = figure.evaluate(
        "({ sheet }) => [{ ...sheet.matrices[0], values: [...sheet.matrices[0].values] }, sheet.photographs[0]]"
    )
    unit = figure.evaluate(
        "(figure) => Math.min(figure.clientWidth / figure.sheet.width, figure.sheet.pixels / figure.sheet.height)"
    )
    left = figure.evaluate("(figure) => figure.clientWidth / 2") - unit * figure.evaluate("({ sheet }) => sheet.width / 2")
    colour = "(figure, [x, y]) => [...figure.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    corner, top = photograph["places"][0]
    across, down = corner + 0.5 * photograph["width"], top + 0.5 * photograph["height"]
    row, column = int((down - matrix["y"]) / matrix["height"] * 3), int((across - matrix["x"]) / matrix["width"] * 3)
    assert (row, column) == (1, 1)  # the object lies in the middle of its box
    value = matrix["values"][4]
    shade = round(255 * min(max((value - matrix["low"]) / (matrix["high"] - matrix["low"]), 0), 1))
    wanted = 0.45 * 90 + 0.55 * palette("brightness")[shade, :3]
    assert figure.evaluate(colour, [left + unit * across, unit * down])[:3] == pytest.approx(wanted, abs=3)
    beside = figure.evaluate(colour, [left + unit * (corner + 0.1), unit * down])
    assert beside[:3] == pytest.approx([255] * 3, abs=2)  # nothing is laid over what the network did not see
    figure.locator("canvas").hover(position={"x": left + unit * across, "y": unit * down})
    expect(figure.locator(".note")).to_have_text(re.compile(r"row 2, column 2: −?[\d.]+$"))
    with page.expect_download() as download:
        figure.get_by_role("button", name="Save as PNG").click()
    assert download.value.suggested_filename == "article-gap-seed0-square.png"
    with PIL.Image.open(download.value.path()) as saved:
        shown = saved.convert("RGB").getpixel((round(3 * (left + unit * across)), round(3 * unit * down)))
    assert shown == pytest.approx(wanted, abs=3)


def test_a_picture_can_be_sent_on_to_inside(page, fashion):
    sent = {"name": "boot.png", "mimeType": "image/png", "buffer": png(fashion.test.images[0, 0].numpy())}
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sent)
    expect_answered(page)
    page.get_by_role("button", name="Look inside both networks with this picture").click()
    expect(page.get_by_role("heading", name="What does pooling see?")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("boot.png").first).to_be_visible(timeout=SLOW)
    shown = page.locator(".st-key-maps-0 .sheet")
    expect(shown).to_be_visible(timeout=SLOW)
