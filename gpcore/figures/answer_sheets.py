"""A network's answer to a photograph as one sheet: the likeliest classes, each with its class map over the photograph."""

import base64
import io

import numpy as np
import PIL.Image
import torch

from gpcore.data.preparation import Box
from gpcore.drawing.sheets import Bar, Matrix, Outline, Photograph, Sheet, Text
from gpcore.drawing.theme import TRACK
from gpcore.insight.answers import Answer

UNIT = 172
"""Greatest width of a tile in pixels; it is narrower on a narrow page."""

TALLEST = 1.25
"""Height of the tallest photograph, as a part of a tile's width; a taller one is scaled down."""

GAP = 0.1
"""Space between two tiles, as a part of a tile's width."""

HEADING, BAR, TOP = 0.15, 0.035, 0.22
"""Where a tile's heading ends and its bar begins, the bar's thickness, and where the photograph begins."""

SHARPEST = 2
"""Device pixels per pixel up to which photographs are sharp."""

SMALL = 3
"""A picture that is enlarged more than this is drawn with square pixels instead of smoothed."""

OPACITY = 0.55
"""Opacity of the class maps, so that the photograph is visible through them."""


def answer_sheet(source: str, size: tuple[int, int], box: Box, answer: Answer, colour: str, framed: bool = False) -> Sheet:
    """Draws the three likeliest classes: each one's probability, and its class map over the photograph, on one common scale.

    `source` is the photograph from `tile_source`, `size` its (width, height), `box` the part of it that the maps cover. For a
    network without class maps the photograph alone is drawn. `framed` marks the largest cell of each map, which is all
    that global max pooling takes.
    """
    labels = answer.top()
    width, height = _fitted(*size)
    lefts = [place * (1 + GAP) + (1 - width) / 2 for place in range(len(labels))]
    maps = _maps(answer, box, lefts, width, height)
    return Sheet(
        len(labels) * (1 + GAP) - GAP,
        TOP + height,
        round(UNIT * (TOP + height)),
        photographs=[Photograph(source, width, height, [(left, TOP) for left in lefts])],
        matrices=maps,
        outlines=[line for own in maps for line in _largest_cell(own)] if framed else [],
        bars=[bar for place, label in enumerate(labels) for bar in _bars(place, answer, label, colour)],
        texts=[_heading(place, answer, label, colour) for place, label in enumerate(labels)],
        shrinks=True,
    )


def tile_source(pixels: np.ndarray) -> str:
    """A photograph (height, width, 3) as a data URL, with no more pixels than a tile shows.

    A small picture is enlarged by a whole number, so that its pixels are equal squares.
    """
    height, width = pixels.shape[:2]
    longest = round(SHARPEST * UNIT * max(_fitted(width, height)))
    times = longest // max(width, height)
    enlarged = pixels.repeat(times, 0).repeat(times, 1) if times > SHARPEST * SMALL else pixels
    return data_url(enlarged, longest)


def data_url(pixels: np.ndarray, longest: int | None = None) -> str:
    """Returns a picture (height, width, 3) as a data URL, scaled so that no side is longer than `longest` pixels."""
    image = PIL.Image.fromarray(pixels)
    if longest:
        image.thumbnail((longest, longest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _fitted(width: int, height: int) -> tuple[float, float]:
    """(width, height) of a photograph in its tile, in tiles' widths."""
    scale = min(1 / width, TALLEST / height)
    return scale * width, scale * height


def _maps(answer: Answer, box: Box, lefts: list[float], width: float, height: float) -> list[Matrix]:
    if answer.class_maps is None:
        return []
    labels = answer.top()
    shown = torch.from_numpy(answer.class_maps[labels])
    low = shown.min().item()
    high = max(shown.max().item(), low + 1e-6)
    return [
        Matrix(
            values,
            low,
            high,
            x=left + box.left * width,
            y=TOP + box.top * height,
            name=answer.classes[label],
            opacity=OPACITY,
            width=(box.right - box.left) * width,
            height=(box.bottom - box.top) * height,
            clip=(left, TOP, width, height),
        )
        for label, left, values in zip(labels, lefts, shown, strict=True)
    ]


def _largest_cell(shown: Matrix) -> list[Outline]:
    """The cell with the largest value, framed white on black, to be seen on anything."""
    rows, columns = shown.values.shape
    row, column = divmod(int(shown.values.argmax()), columns)
    wide, high = shown.width / columns, shown.height / rows
    x, y = shown.x + column * wide, shown.y + row * high
    return [Outline(x, y, wide, high, colour, thick) for colour, thick in (("black", 5), ("white", 2.5))]


def _bars(place: int, answer: Answer, label: int, colour: str) -> list[Bar]:
    """Draws the class's probability as a bar."""
    left = place * (1 + GAP)
    return [
        Bar(left, HEADING, 1, BAR, TRACK),
        Bar(left, HEADING, float(answer.probabilities[label]), BAR, colour),
    ]


def _heading(place: int, answer: Answer, label: int, colour: str) -> Text:
    return Text(answer.named(label), place * (1 + GAP) + 0.5, HEADING - 0.01, 14, bold=True, colour=colour)
