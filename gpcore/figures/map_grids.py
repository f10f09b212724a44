"""A grid of maps: the maps of a layer as one sheet, which a page and the command line draw alike."""

import base64
import io
import math
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from jaxtyping import Float, Int64
from torch import Tensor

from gpcore.drawing.sheets import Disc, Field, Matrix, Outline, Photograph, Sheet, Text
from gpcore.drawing.theme import NEUTRAL

GRID_HEIGHT = 262
"""Height in pixels, the same for every layer, so that the page does not move from layer to layer."""

IMAGE_HEIGHT = 170
"""Pixels of the image that the maps are of."""

GAP = 0.1
"""Space between two maps, as a part of a map's width."""

EDGE = 0.04
"""Space around all maps, for the frame of the chosen one."""

FULL_DISC = 0.22
"""Radius of the disc of a weight of 1, as a part of a cell."""


@dataclass(frozen=True)
class MapGrid:
    """What a grid of maps shows: the maps in the order of `numbers`, each with a title above it.

    `spans` are the values at the ends of each map's colour scale; `weights`, for class maps, is the weight of each cell;
    `chosen` is the number of the map to frame in `colour`; `dead` are the numbers of maps that are zero everywhere.
    """

    maps: Float[Tensor, "channels rows columns"]
    spans: Float[Tensor, "channels 2"]
    numbers: Int64[Tensor, " shown"]
    titles: list[str]
    dead: frozenset[int]
    colour: str = NEUTRAL
    chosen: int | None = None
    weights: Float[Tensor, "channels rows columns"] | None = None
    field: Field | None = None

    @property
    def names(self) -> list[str]:
        """What each map is called under the pointer: its class, or its number."""
        titles = (title.partition("\n")[0].partition("  ")[0] for title in self.titles)
        return [f"map {title}" if title.isdecimal() else title for title in titles]

    @property
    def columns(self) -> int:
        """Returns how many maps are side by side: the rows are equal where possible, and the grid is wider than tall."""
        count = len(self.numbers)
        root = math.ceil(math.sqrt(count))
        return next((width for width in range(root, 2 * root + 1) if count % width == 0), root)

    @property
    def rows(self) -> int:
        return math.ceil(len(self.numbers) / self.columns)

    @property
    def title_height(self) -> float:
        """Room for a map's title, as a part of its width: two lines where there are few maps, one where there are many.

        With more than 64 maps (hidden units), a map is hardly wider than its number is high.
        """
        return 0.56 if any("\n" in title for title in self.titles) else 0.3 if len(self.numbers) <= 64 else 0.5

    def corner(self, place: int) -> tuple[float, float]:
        """Left and top edge of the map at a place, with maps one unit wide and y downwards."""
        row, column = divmod(place, self.columns)
        return EDGE + column * (1 + GAP), self.title_height + row * (1 + self.title_height)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole grid in maps' widths."""
        return self.columns * (1 + GAP) - GAP + 2 * EDGE, self.rows * (1 + self.title_height) + EDGE


def image_sheet(image: Float[Tensor, "1 channels height width"]) -> Sheet:
    """The image itself, on which the cells that are pointed at frame what they see."""
    height, width = image.shape[2:]
    longest = max(height, width)
    across, down = width / longest, height / longest
    seen = Matrix(image[0].mean(0), 0, 1, "photograph", name="image", width=across, height=down)
    if len(image[0]) == 1:
        return Sheet(across, down, IMAGE_HEIGHT, [seen], image=True)
    file = io.BytesIO()
    pixels = (image[0] * 255).round().byte().permute(1, 2, 0).numpy()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    photograph = Photograph(source, across, down, [(0, 0)])
    return Sheet(across, down, IMAGE_HEIGHT, [replace(seen, opacity=0)], photographs=[photograph], image=True)


def grid_sheet(grid: MapGrid) -> Sheet:
    """All maps as one sheet, whatever their number, with the raw values under the pointer."""
    width, height = grid.size
    return Sheet(
        width,
        height,
        GRID_HEIGHT,
        matrices=[_matrix(grid, place) for place in range(len(grid.numbers))],
        discs=[] if grid.weights is None else [disc for place in range(len(grid.numbers)) for disc in _discs(grid, place)],
        outlines=_frame(grid),
        texts=[_title(grid, place) for place in range(len(grid.numbers))] + _dead_marks(grid),
        field=grid.field,
    )


def rows_of(grid: MapGrid) -> list[dict[str, object]]:
    """Every cell of a grid as a row: the numbers behind the figure."""
    _, height, width = grid.maps.shape
    names = dict(zip(grid.numbers.tolist(), grid.titles, strict=True))
    return [
        {"map": number, "title": names[number].split("\n")[0], "row": row, "column": column, "value": value}
        for number in grid.numbers.tolist()
        for (row, column), value in zip(np.ndindex(height, width), grid.maps[number].flatten().tolist(), strict=True)
    ]


def _matrix(grid: MapGrid, place: int) -> Matrix:
    number = int(grid.numbers[place])
    low, high = grid.spans[number].tolist()
    left, top = grid.corner(place)
    return Matrix(grid.maps[number], low, high, x=left, y=top, name=grid.names[place])


def _title(grid: MapGrid, place: int) -> Text:
    left, top = grid.corner(place)
    size = 11 if len(grid.titles) <= 16 else 10
    return Text(grid.titles[place], left + 0.5, top - 0.03, size, bold=int(grid.numbers[place]) == grid.chosen)


def _discs(grid: MapGrid, place: int) -> list[Disc]:
    """A disc in every cell, its area in proportion to the cell's weight: nine small ones for GAP, one large one for GMP."""
    assert grid.weights is not None
    weights = grid.weights[int(grid.numbers[place])].numpy()
    rows, columns = weights.shape
    left, top = grid.corner(place)
    return [
        Disc(left + (column + 0.5) / columns, top + (row + 0.5) / rows, FULL_DISC * math.sqrt(weight) / max(rows, columns))
        for (row, column), weight in np.ndenumerate(weights)
        if weight > 0
    ]


def _frame(grid: MapGrid) -> list[Outline]:
    """Outlines the chosen map."""
    if grid.chosen is None:
        return []
    left, top = grid.corner(grid.numbers.tolist().index(grid.chosen))
    return [Outline(left, top, 1, 1, grid.colour, 4)]


def _dead_marks(grid: MapGrid) -> list[Text]:
    """Marks every dead map."""
    corners = [grid.corner(place) for place, number in enumerate(grid.numbers.tolist()) if number in grid.dead]
    return [Text("dead", left + 0.5, top + 0.5, 10, "middle", colour="#c9c5d6") for left, top in corners]
