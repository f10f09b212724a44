"""A sheet on a canvas of a real browser against the same sheet drawn by Pillow, and what happens while photographs decode."""

import base64
import io

import numpy as np
import PIL.Image
import pytest
import torch
from playwright.sync_api import Page, expect

from gpcore.drawing.painter import HEADING, MARGIN, WIDTH, draw_sheets
from gpcore.drawing.sheets import Bar, Matrix, Photograph, Sheet
from ui.components import SHEET_CSS, SHEET_HTML, SHEET_JS

pytestmark = pytest.mark.browser

MOUNT = """
async (script) => {
  window.mounted = (await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })))).default;
  window.show = (data) => mounted({ data: { ...data, name: "sheet", label: "what is heard" }, parentElement: document.body });
  window.colour = (x, y) => [...document.querySelector("canvas").getContext("2d").getImageData(x, y, 1, 1).data];
}
"""

SLOW_TO_DECODE = """
() => {
  const decode = Image.prototype.decode;
  window.decodings = [];
  Image.prototype.decode = function () {
    return new Promise((resolve) => decodings.push(() => decode.call(this).then(resolve)));
  };
}
"""

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (30, 60, 200)


def url_of(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def of_one_colour(colour: tuple[int, int, int]) -> Sheet:
    plain = np.full((10, 10, 3), colour, np.uint8)
    return Sheet(1, 1, 100, [], photographs=[Photograph(url_of(plain), 1, 1, [(0, 0)])])


def areas() -> Sheet:
    """All that covers an area; texts and lines are larger in a picture than on a page."""
    across, down = np.meshgrid(np.linspace(0, 255, 200), np.linspace(0, 255, 120))
    photograph = url_of(np.stack([across, down, 255 - across], 2).astype(np.uint8))
    values = torch.linspace(-1, 1, 12).view(3, 4)
    return Sheet(
        4,
        2,
        380,
        matrices=[
            Matrix(values, -1, 1, x=0.1, y=1.1, name="square", width=1, height=0.8),
            Matrix(values, -1, 1, x=1.9, y=-0.2, name="beyond", opacity=0.55, width=1.5, height=0.9, clip=(2.2, 0.1, 1, 0.6)),
        ],
        photographs=[Photograph(photograph, 1, 0.6, [(0.1, 0.1), (2.2, 0.1)])],
        bars=[Bar(2.2, 1.2, 1.5, 0.3, "#80879238"), Bar(2.2, 1.2, 0.7, 0.3, "#2a86d8")],
    )


@pytest.fixture
def page(browser_page: Page) -> Page:
    style = f"body {{ margin: 0; width: {WIDTH}px; --st-background-color: white }}{SHEET_CSS}"
    browser_page.set_content(f"<style>{style}</style>{SHEET_HTML}")
    browser_page.evaluate(MOUNT, SHEET_JS)
    return browser_page


def drawn(page: Page) -> np.ndarray:
    """The canvas, over white."""
    url = page.evaluate("document.querySelector('canvas').toDataURL()")
    image = PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    white = PIL.Image.new("RGBA", image.size, "white")
    return np.asarray(PIL.Image.alpha_composite(white, image).convert("RGB"), int)


def test_a_canvas_shows_what_pillow_draws(page):
    sheet = areas()
    page.evaluate("(data) => show(data)", sheet.data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    left, top = MARGIN, MARGIN + HEADING
    expected = np.asarray(draw_sheets([sheet], [""], ["black"]), int)[top : top + 380, left : left + WIDTH]
    difference = np.abs(drawn(page) - expected).max(2)
    assert difference.mean() < 1
    assert (difference > 6).mean() < 0.002  # where an edge lies between two pixels: lines, not areas
    for x, y in ((2.0, 0.4), (2.3, 0.05), (3.3, 0.4)):  # the matrix reaches as far, and nothing of it is seen
        assert drawn(page)[round(190 * y), round(190 * x)].tolist() == [255] * 3


def test_the_value_under_the_pointer_is_that_of_its_cell_and_only_where_the_matrix_is_seen(page):
    page.evaluate("(data) => show(data)", areas().data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    note = page.locator(".note")
    for x, y, expected in (
        (0.1 + 3.5 / 4, 1.1 + 0.8 * 0.5 / 3, "square, row 1, column 4: −0.45455"),
        (1.9 + 1.5 * 2.5 / 4, -0.2 + 0.9 * 2.5 / 3, "beyond, row 3, column 3: 0.81818"),
        (2.1, 0.4, ""),  # in the matrix, outside its clip
        (2.4, 1.3, ""),  # on a bar
    ):
        page.mouse.move(190 * x, 190 * y)
        assert note.inner_text() == expected if expected else note.is_hidden()


def test_the_value_under_the_pointer_follows_when_another_sheet_comes_under_it(page):
    page.evaluate("(data) => show(data)", areas().data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    page.mouse.move(190 * (0.1 + 3.5 / 4), 190 * (1.1 + 0.8 * 0.5 / 3))
    other = Sheet(4, 2, 380, [Matrix(torch.full((1, 1), 7.0), 0, 8, "weight", name="Trouser", width=4, height=2)])
    page.evaluate("(data) => show(data)", other.data())
    expect(page.locator(".note")).to_have_text("Trouser, row 1, column 1: 7")


def test_a_photograph_that_came_before_is_drawn_at_once(page):
    page.evaluate("(data) => show(data)", of_one_colour(RED).data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    page.evaluate(SLOW_TO_DECODE)
    again = of_one_colour(RED).data() | {"bars": [vars(Bar(0, 0, 0.5, 0.5, "#2a86d8"))]}
    seen = page.evaluate("(data) => { show(data); return [colour(340, 10), colour(400, 80), decodings.length] }", again)
    assert seen == [[0x2A, 0x86, 0xD8, 255], [*RED, 255], 0]


def test_a_photograph_that_decodes_too_late_is_never_drawn(page):
    page.evaluate("(data) => show(data)", of_one_colour(RED).data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    page.evaluate(SLOW_TO_DECODE)
    late, wanted = of_one_colour(GREEN).data(), of_one_colour(BLUE).data()
    page.evaluate("([late, wanted]) => { show(late); show(wanted) }", [late, wanted])
    assert page.evaluate("colour(380, 50)") == [*RED, 255]  # the sheet before them stays until then: nothing flickers
    page.evaluate("decodings[1]()")
    page.wait_for_function(f"colour(380, 50)[2] === {BLUE[2]}")
    page.evaluate("decodings[0]()")
    page.wait_for_timeout(300)
    assert page.evaluate("colour(380, 50)") == [*BLUE, 255]


def test_a_photograph_that_cannot_be_decoded_leaves_the_rest(page):
    broken = of_one_colour(RED).data() | {"bars": [vars(Bar(0, 0, 0.5, 0.5, "#2a86d8"))]}
    broken["photographs"][0] |= {"source": "data:image/png;base64,AAAA"}
    page.evaluate("(data) => show(data)", broken)
    page.wait_for_function("document.querySelector('.sheet').sheet")
    assert page.evaluate("[colour(340, 10), colour(400, 80)]") == [[0x2A, 0x86, 0xD8, 255], [0, 0, 0, 0]]


def test_a_sheet_with_a_photograph_can_be_saved(page):
    page.evaluate("(data) => show(data)", areas().data())
    page.wait_for_function("document.querySelector('.sheet').sheet")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    with PIL.Image.open(download.value.path()) as image:
        saved = np.asarray(image.convert("RGB").resize((WIDTH, 380), PIL.Image.Resampling.BOX), int)
    assert np.abs(saved - drawn(page))[22:130, 22:206].mean() < 3  # the first photograph


@pytest.mark.parametrize(("shrinks", "height"), [(True, 190), (False, 380)])
def test_on_a_narrow_page_a_sheet_is_as_high_as_it_is_drawn_if_it_says_so(page, shrinks, height):
    page.evaluate("(data) => show(data)", areas().data() | {"shrinks": shrinks})
    page.wait_for_function("document.querySelector('.sheet').sheet")
    page.evaluate("document.body.style.width = '380px'")
    page.wait_for_function("document.querySelector('canvas').width === 380")
    assert page.locator("canvas").evaluate("({ height, clientHeight }) => [height, clientHeight]") == [height, height]


def test_a_screen_reader_hears_the_label(page):
    page.evaluate("(data) => show(data)", areas().data())
    page.get_by_role("img", name="what is heard").wait_for()
