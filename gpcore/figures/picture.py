"""Grids of maps as a picture, drawn without a browser."""

import re
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

from gpcore.figures.maps import BRIGHTNESS, MapGrid

BACKGROUND, INK, FAINT = "white", "#1a1c20", "#c9c5d6"

GRID_WIDTH = 760
"""Pixels of one grid; several stand side by side."""

MARGIN, HEADING = 24, 46


def draw_grids(grids: Sequence[MapGrid], headings: Sequence[str]) -> PIL.Image.Image:
    """Grids side by side, each under a heading: what the *Inside* page shows."""
    units = [GRID_WIDTH / grid.size[0] for grid in grids]
    height = max(round(unit * grid.size[1]) for unit, grid in zip(units, grids, strict=True))
    picture = PIL.Image.new("RGB", (len(grids) * (GRID_WIDTH + MARGIN) + MARGIN, height + HEADING + 2 * MARGIN), BACKGROUND)
    pen = PIL.ImageDraw.Draw(picture)
    for place, (grid, heading, unit) in enumerate(zip(grids, headings, units, strict=True)):
        left = MARGIN + place * (GRID_WIDTH + MARGIN)
        pen.text((left, MARGIN), heading, grid.colour, PIL.ImageFont.load_default(22))
        _draw(picture, pen, grid, unit, left, MARGIN + HEADING)
    return picture


def _draw(picture: PIL.Image.Image, pen: PIL.ImageDraw.ImageDraw, grid: MapGrid, unit: float, x: float, y: float) -> None:
    font = PIL.ImageFont.load_default(max(11.0, min(18.0, unit * 0.13)))
    side = round(unit)
    for place, number in enumerate(grid.numbers.tolist()):
        left, top = (round(origin + unit * at) for origin, at in zip((x, y), grid.corner(place), strict=True))
        picture.paste(_tile(grid.shades[number].numpy(), side), (left, top))
        title = re.sub("<[^>]+>", "\n", grid.titles[place]).replace("−", "-")  # Pillow's own font has no minus sign
        pen.multiline_text((left + side / 2, top - 4), title, INK, font, anchor="md", align="center", spacing=2)
        if grid.weights is not None:
            _draw_weights(pen, grid.weights[number].numpy(), side, left, top)
        if number in grid.dead:
            pen.text((left + side / 2, top + side / 2), "dead", FAINT, font, anchor="mm")
        if number == grid.chosen:
            pen.rectangle((left - 2, top - 2, left + side + 1, top + side + 1), outline=grid.colour, width=5)


def _tile(shades: np.ndarray, side: int) -> PIL.Image.Image:
    colours = _palette()[np.round(shades * 255).astype(np.uint8)]
    return PIL.Image.fromarray(colours).resize((side, side), PIL.Image.Resampling.NEAREST)


def _draw_weights(pen: PIL.ImageDraw.ImageDraw, weights: np.ndarray, side: int, left: int, top: int) -> None:
    rows, columns = weights.shape
    for (row, column), weight in np.ndenumerate(weights):
        radius = 0.27 * side / max(rows, columns) * float(weight) ** 0.5
        if radius > 0.5:
            centre = left + (column + 0.5) * side / columns, top + (row + 0.5) * side / rows
            pen.circle(centre, radius, fill="white", outline="black")


def _palette() -> np.ndarray:
    """The 256 colours of the page's own scale."""
    sampled = sample_colorscale(get_colorscale(BRIGHTNESS), [shade / 255 for shade in range(256)])
    return np.array([unlabel_rgb(colour) for colour in sampled]).round().astype(np.uint8)
