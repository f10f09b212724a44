"""Answers over their photograph: positions, the length of the bars, and no unnecessary pixels."""

import base64
import io
import json

import numpy as np
import PIL.Image
import pytest

from gpcore.data.preparation import Box
from gpcore.drawing.painter import HEADING, MARGIN, WIDTH, draw_sheets
from gpcore.drawing.sheets import palette
from gpcore.figures.answer_sheets import UNIT, answer_sheet, tile_source
from gpcore.insight.answers import Answer

BLUE = "#2a86d8"
CLASSES = ("T-shirt", "Bag", "Coat", "Dress")
PROBABILITIES = np.array([0.05, 0.6, 0.1, 0.25], np.float32)
MAPS = np.linspace(-2, 3, 36, dtype=np.float32).reshape(4, 3, 3)
ANSWER = Answer(CLASSES, PROBABILITIES, MAPS, 0.0, False)
BOX = Box(-0.2, 0.1, 0.7, 0.9)  # it reaches beyond the photograph, as that of a tall object does


def grey(width: int, height: int, level: int = 200) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def opened(source: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")


def test_the_photograph_is_sent_once_for_three_tiles():
    source = tile_source(grey(300, 200))
    data = answer_sheet(source, (300, 200), BOX, ANSWER, BLUE).data()
    assert json.dumps(data).count(source) == 1
    assert len(data["photographs"][0]["places"]) == 3


def test_each_tile_names_its_class_and_has_a_bar_as_long_as_its_probability():
    sheet = answer_sheet("", (300, 200), BOX, ANSWER, BLUE)
    assert [text.text for text in sheet.texts] == ["Bag 60%", "Dress 25%", "Coat 10%"]
    assert {text.colour for text in sheet.texts} == {BLUE}
    assert [bar.width for bar in sheet.bars if bar.colour == BLUE] == pytest.approx([0.6, 0.25, 0.1])
    assert ANSWER.ranking == "Bag 60%, Dress 25%, Coat 10%"


@pytest.mark.parametrize(("width", "height"), [(300, 200), (640, 32), (32, 640), (28, 28)])
def test_maps_lie_where_their_box_lies_and_end_where_the_photograph_ends(width, height):
    sheet = answer_sheet("", (width, height), BOX, ANSWER, BLUE)
    [photograph] = sheet.photographs
    assert photograph.width / photograph.height == pytest.approx(width / height)
    assert photograph.width <= 1
    for matrix, (left, top), label in zip(sheet.matrices, photograph.places, (1, 3, 2), strict=True):
        assert np.array_equal(matrix.values, MAPS[label])
        assert (matrix.low, matrix.high) == pytest.approx((MAPS[1:].min(), MAPS[1:].max()))  # one scale for the three
        assert matrix.clip == (left, top, photograph.width, photograph.height)
        across, down = (matrix.x - left) / photograph.width, (matrix.y - top) / photograph.height
        assert (across, down) == pytest.approx((BOX.left, BOX.top))
        assert matrix.width / photograph.width == pytest.approx(BOX.right - BOX.left)
        assert matrix.height / photograph.height == pytest.approx(BOX.bottom - BOX.top)
        assert left >= 0
        assert left + photograph.width <= sheet.width + 1e-9
        assert top + photograph.height == pytest.approx(sheet.height)


def test_a_picture_of_it_has_the_photograph_seen_through_the_maps():
    """Pillow's picture against the formula: 45 % of the photograph, 55 % of the cell's colour, nothing beside the box."""
    sheet = answer_sheet(tile_source(grey(300, 200)), (300, 200), BOX, ANSWER, BLUE)
    pixels = np.asarray(draw_sheets([sheet], [""], ["black"]), float)
    unit = WIDTH / sheet.width

    def at(x: float, y: float) -> np.ndarray:
        return pixels[round(MARGIN + HEADING + unit * y), round(MARGIN + unit * x)]

    [photograph] = sheet.photographs
    left, top = photograph.places[0]
    for row, column in np.ndindex(3, 3):
        across = BOX.left + (column + 0.75) / 3 * (BOX.right - BOX.left)
        down = BOX.top + (row + 0.5) / 3 * (BOX.bottom - BOX.top)
        shade = round(255 * float((MAPS[1, row, column] - MAPS[1:].min()) / (MAPS[1:].max() - MAPS[1:].min())))
        wanted = 0.45 * 200 + 0.55 * palette("brightness")[shade, :3]
        assert at(left + across * photograph.width, top + down * photograph.height) == pytest.approx(wanted, abs=2)
    assert at(left + 0.9 * photograph.width, top + 0.5 * photograph.height) == pytest.approx([200] * 3, abs=2)
    assert at(left - 0.03, top + 0.5 * photograph.height) == pytest.approx([255] * 3)  # where the box is, but no photograph
    bar = sheet.bars[1]
    assert at(bar.x + 0.59, bar.y + 0.5 * bar.height) == pytest.approx([0x2A, 0x86, 0xD8])
    track = np.array([0x80, 0x87, 0x92]) * 0x38 / 255 + 255 * (1 - 0x38 / 255)
    assert at(bar.x + 0.61, bar.y + 0.5 * bar.height) == pytest.approx(track, abs=1)


def test_a_photograph_has_no_more_pixels_than_its_tile_shows():
    assert opened(tile_source(grey(640, 480))).size == (2 * UNIT, 1.5 * UNIT)
    width, height = opened(tile_source(grey(480, 640))).size
    assert height == round(2.5 * UNIT)
    assert width == pytest.approx(0.75 * height, abs=1)
    assert opened(tile_source(grey(100, 90))).size == (100, 90)  # a browser enlarges it as well


def test_a_small_picture_has_square_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8).repeat(3, 2)
    shown = np.asarray(opened(tile_source(pixels)), int)
    assert shown.shape == (336, 336, 3)
    centres = shown.reshape(28, 12, 28, 12, 3)[:, 3:9, :, 3:9].mean((1, 3))
    assert np.abs(centres - pixels).mean() < 3


def test_equal_maps_have_a_scale_too():
    flat = Answer(CLASSES, PROBABILITIES, np.zeros_like(MAPS), 0.0, False)
    assert all(matrix.low < matrix.high for matrix in answer_sheet("", (300, 200), BOX, flat, BLUE).matrices)
