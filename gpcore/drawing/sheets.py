"""Sheets: maps and other shapes in a plane, drawn by a browser (`sheets.js`), Pillow (`painter.py`) and as SVG (`vector.py`).

Maps of a few cells need no chart library: a canvas draws a hundred of them in the time that Plotly takes for one, and *Inside*
draws four sheets at every step through layers and epochs.
"""

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import PIL.ImageColor
from jaxtyping import Float, UInt8
from plotly.colors import get_colorscale
from torch import Tensor

Scale = Literal["brightness", "for and against", "weight", "photograph", "over a photograph"]
Anchor = Literal["above", "below", "middle"]

STOPS: dict[Scale, list[tuple[float, str]]] = {
    # Dark is low and bright is high in both themes, and colour-blind people see the same order.
    "brightness": [(place, colour) for place, colour in get_colorscale("Viridis")],
    # Purple speaks against, green for, and white for nothing (ColorBrewer's PRGn, safe for colour-blind people).
    "for and against": [(0, "#7b3294"), (0.25, "#c2a5cf"), (0.5, "#f4f2f5"), (0.75, "#a6dba0"), (1, "#008837")],
    "weight": [(0, "#f4f2f5"), (1, "#2f3142")],
    "photograph": [(0, "#000000"), (1, "#ffffff")],
    # Against and for, bright enough for black and white below, and clear where there is nothing.
    "over a photograph": [(0, "#d65cffff"), (0.5, "#80808000"), (1, "#28e164ff")],
}
"""The colours of each scale, at places from 0 (the lowest value) to 1 (the highest)."""


ON_DARK: dict[Scale, list[tuple[float, str]]] = {
    "for and against": [(0, "#c27ddb"), (0.25, "#7a5488"), (0.5, "#24252b"), (0.75, "#2f7a4c"), (1, "#4fd07f")],
    "weight": [(0, "#24252b"), (1, "#dcdaea")],
}
"""The scales whose middle or beginning is nothing, and which would glare on a dark page."""


@dataclass(frozen=True)
class Photograph:
    """A picture as a data URL, drawn `width` × `height` units large with its upper left corner at each of `places`."""

    source: str
    width: float
    height: float
    places: list[tuple[float, float]]


@dataclass(frozen=True)
class Matrix:
    """Values drawn as cells of a rectangle; `low` and below has the scale's first colour, `high` and above its last.

    `name` appears under the pointer, before the value; `written` puts numbers into the cells; only the part of a matrix inside
    its `clip` (x, y, width, height) is drawn.
    """

    values: Float[Tensor, "rows columns"]
    low: float
    high: float
    scale: Scale = "brightness"
    x: float = 0.0
    y: float = 0.0
    name: str = ""
    written: list[list[str]] | None = None
    opacity: float = 1.0
    width: float = 1.0
    height: float = 1.0
    clip: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Bar:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Text:
    """Lines around the point (x, y), `size` pixels high, or smaller where they would be wider than `room` units."""

    text: str
    x: float
    y: float
    size: int = 11
    anchor: Anchor = "above"
    bold: bool = False
    room: float = 1.08
    colour: str | None = None


@dataclass(frozen=True)
class Disc:
    """A white disc with a black edge."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Outline:
    """The edge of a rectangle, `thickness` pixels wide."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    thickness: float
    dotted: bool = False


@dataclass(frozen=True)
class Field:
    """What the cells of a sheet's matrices see of an image: cell 0 begins at pixel `start`, the next one `step` further, and
    each sees `size` pixels, in both directions."""

    start: int
    step: int
    size: int
    height: int
    width: int


@dataclass(frozen=True)
class Sheet:
    """A plane of `width` × `height` units, y downwards, shown in a strip `pixels` high.

    On a page too narrow for it the strip keeps its height, unless the sheet `shrinks`: otherwise everything below would move
    when one sheet replaces another.

    Where it has a `field`, pointing at a cell frames its pixels on the sheets that are `image`s, and the other way round.

    What comes later is drawn over what came before: photographs, matrices, bars, discs, outlines, texts.
    """

    width: float
    height: float
    pixels: int
    matrices: list[Matrix]
    discs: list[Disc] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    photographs: list[Photograph] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    shrinks: bool = False
    field: Field | None = None
    image: bool = False

    def data(self, dark: bool = False) -> dict[str, Any]:
        """The sheet as JSON: values as little-endian float32, palettes as 256 RGBA colours, both in base64."""
        used = sorted({matrix.scale for matrix in self.matrices})
        return {
            "width": self.width,
            "height": self.height,
            "pixels": self.pixels,
            "shrinks": self.shrinks,
            "field": vars(self.field) if self.field else None,
            "image": self.image,
            "palettes": {scale: _base64(palette(scale, dark)) for scale in used},
            "photographs": [vars(photograph) for photograph in self.photographs],
            "matrices": [_matrix_data(matrix) for matrix in self.matrices],
            "bars": [vars(bar) for bar in self.bars],
            "discs": [vars(disc) for disc in self.discs],
            "outlines": [vars(outline) for outline in self.outlines],
            "texts": [vars(text) for text in self.texts],
        }

    def _repr_html_(self) -> str:
        """The sheet as SVG, for a notebook."""
        from gpcore.drawing.vector import sheet_svg  # which imports this module

        return sheet_svg(self)


@cache
def palette(scale: Scale, dark: bool = False) -> UInt8[np.ndarray, "256 4"]:
    """Returns a scale's 256 colours (red, green, blue, opacity), interpolated between its stops."""
    places, names = zip(*(ON_DARK.get(scale, STOPS[scale]) if dark else STOPS[scale]), strict=True)
    colours = np.array([PIL.ImageColor.getcolor(name, "RGBA") for name in names])
    steps = np.linspace(0, 1, 256)
    return np.stack([np.interp(steps, places, channel) for channel in colours.T], axis=1).round().astype(np.uint8)


def colours(matrix: Matrix) -> UInt8[np.ndarray, "rows columns 4"]:
    """The colour of every cell."""
    values = matrix.values.double().numpy()  # in double precision no difference of two finite values is infinite
    shades = (values - matrix.low) / (matrix.high - matrix.low)
    return palette(matrix.scale)[(shades.clip(0, 1) * 255).round().astype(int)]


def is_dark(colour: UInt8[np.ndarray, " channels"]) -> bool:
    """Returns whether white is easier to read on a colour than black: its luma (ITU-R BT.601) is below one half."""
    return bool(np.dot(colour[:3], (0.299, 0.587, 0.114)) < 128)


def _matrix_data(matrix: Matrix) -> dict[str, Any]:
    rows, columns = matrix.values.shape
    values = np.ascontiguousarray(matrix.values.numpy(), "<f4")
    return vars(matrix) | {"values": _base64(values), "rows": rows, "columns": columns}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
