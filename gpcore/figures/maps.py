"""A grid of maps as one Plotly figure, and the same grid as a picture without a browser (`figures/picture.py`)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int64
from torch import Tensor

from gpcore.figures.plain import bare_figure
from gpcore.figures.theme import NEUTRAL

GRID_HEIGHT = 310
"""Pixels, the same for every layer, so that the page does not jump while its reader moves through the network."""

GAP = 0.1
"""Between two maps, as a part of a map's width."""

BRIGHTNESS = "Viridis"
"""The scale of all maps: dark is low and bright is high, in any theme, and colour-blind people see the same order."""


@dataclass(frozen=True)
class MapGrid:
    """What a grid of maps shows: the maps in the order of `numbers`, each with a title above it.

    `shades` are `maps` scaled to [0, 1]; `weights`, where the maps are class maps, say how much each cell counts;
    `chosen` is the number of the map to be framed in `colour`; `dead` are the numbers of maps that are zero everywhere.
    """

    maps: Float[Tensor, "channels rows columns"]
    shades: Float[Tensor, "channels rows columns"]
    numbers: Int64[Tensor, " shown"]
    titles: list[str]
    dead: frozenset[int]
    colour: str = NEUTRAL
    chosen: int | None = None
    weights: Float[Tensor, "channels rows columns"] | None = None

    @property
    def columns(self) -> int:
        """Maps side by side: so many that the rows come out even where that is possible, and the grid is wide, not tall."""
        count = len(self.numbers)
        root = math.ceil(math.sqrt(count))
        return next((width for width in range(root, 2 * root + 1) if count % width == 0), root)

    @property
    def rows(self) -> int:
        return math.ceil(len(self.numbers) / self.columns)

    @property
    def title_height(self) -> float:
        """Room for a map's title, as a part of its width: two lines where there are few maps, one where there are many."""
        return 0.56 if any("<br>" in title for title in self.titles) else 0.3

    def corner(self, place: int) -> tuple[float, float]:
        """Left and top edge of the map at a place, with maps one unit wide and y downwards."""
        row, column = divmod(place, self.columns)
        return column * (1 + GAP), self.title_height + row * (1 + self.title_height)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole grid in maps' widths."""
        return self.columns * (1 + GAP) - GAP, self.rows * (1 + self.title_height)


def grid_figure(grid: MapGrid) -> go.Figure:
    """All maps in one trace, whatever their number, with the raw values on hover."""
    traces = [_cells(grid), _titles(grid)]
    if grid.weights is not None:
        traces.append(_weights(grid))
    if grid.dead:
        traces.append(_dead_marks(grid))
    return bare_figure(traces, grid.size, GRID_HEIGHT, shapes=_frame(grid))


def rows_of(grid: MapGrid) -> list[dict[str, object]]:
    """Every cell of a grid as a row: the numbers behind the figure."""
    _, height, width = grid.maps.shape
    names = dict(zip(grid.numbers.tolist(), grid.titles, strict=True))
    return [
        {"map": number, "title": names[number].split("<br>")[0], "row": row, "column": column, "value": value}
        for number in grid.numbers.tolist()
        for (row, column), value in zip(np.ndindex(height, width), grid.maps[number].flatten().tolist(), strict=True)
    ]


def _cells(grid: MapGrid) -> dict[str, Any]:
    """The maps laid out in one matrix whose empty rows and columns are the room between them."""
    values, shades, texts = (_laid_out(grid, part) for part in (grid.maps, grid.shades, _numbered(grid)))
    x, y = _edges(grid)
    return {
        "type": "heatmap",
        "x": x,
        "y": y,
        "z": shades,
        "zmin": 0,
        "zmax": 1,
        "customdata": values,
        "text": texts,
        "colorscale": BRIGHTNESS,
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "map %{text:d}: %{customdata:.5g}<extra></extra>",
    }


def _numbered(grid: MapGrid) -> np.ndarray:
    channels, height, width = grid.maps.shape
    return np.broadcast_to(np.arange(channels, dtype=np.float32)[:, None, None], (channels, height, width))


def _laid_out(grid: MapGrid, values: Tensor | np.ndarray) -> np.ndarray:
    """Maps in a matrix of `rows` × `columns` maps, an empty row before and an empty column after each of them."""
    _, height, width = grid.maps.shape
    matrix = np.full((grid.rows, height + 1, grid.columns, width + 1), np.nan, np.float32)
    for place, number in enumerate(grid.numbers.tolist()):
        row, column = divmod(place, grid.columns)
        matrix[row, 1:, column, :-1] = values[number]
    return matrix.reshape(grid.rows * (height + 1), grid.columns * (width + 1))


def _edges(grid: MapGrid) -> tuple[np.ndarray, np.ndarray]:
    """Where the columns and the rows of that matrix begin and end."""
    _, height, width = grid.maps.shape
    lefts = np.arange(grid.columns) * (1 + GAP)
    tops = grid.title_height + np.arange(grid.rows) * (1 + grid.title_height)
    x = lefts[:, None] + np.append(np.arange(width) / width, 1.0)
    y = tops[:, None] + np.concatenate([[-grid.title_height], np.arange(height) / height])
    return np.append(x.ravel(), lefts[-1] + 1 + GAP).astype(np.float32), np.append(y.ravel(), tops[-1] + 1).astype(np.float32)


def _titles(grid: MapGrid) -> dict[str, Any]:
    corners = [grid.corner(place) for place in range(len(grid.numbers))]
    bold = [number == grid.chosen for number in grid.numbers.tolist()]
    return {
        "type": "scatter",
        "x": [left + 0.5 for left, _ in corners],
        "y": [top - 0.03 for _, top in corners],
        "text": [f"<b>{title}</b>" if strong else title for title, strong in zip(grid.titles, bold, strict=True)],
        "textposition": "top center",
        "textfont": {"size": 11 if len(grid.titles) <= 16 else 10},
        "mode": "text",
        "hoverinfo": "skip",
    }


def _frame(grid: MapGrid) -> list[dict[str, Any]]:
    """Around the chosen map."""
    if grid.chosen is None:
        return []
    left, top = grid.corner(grid.numbers.tolist().index(grid.chosen))
    line = {"color": grid.colour, "width": 4}
    return [{"type": "rect", "x0": left, "y0": top, "x1": left + 1, "y1": top + 1, "line": line}]


def _weights(grid: MapGrid) -> dict[str, Any]:
    """A dot in every cell, its area in proportion to the cell's weight: nine small ones for GAP, one large one for GMP."""
    assert grid.weights is not None
    _, height, width = grid.weights.shape
    x, y, weights = [], [], []
    for place, number in enumerate(grid.numbers.tolist()):
        left, top = grid.corner(place)
        for row, column in np.ndindex(height, width):
            weights.append(grid.weights[number, row, column].item())
            x.append(left + (column + 0.5) / width)
            y.append(top + (row + 0.5) / height)
    largest = max(6.0, min(15.0, 48 / max(height, width)))
    shown = np.array(weights) > 0
    return {
        "type": "scatter",
        "x": np.array(x)[shown],
        "y": np.array(y)[shown],
        "mode": "markers",
        "marker": {
            "size": largest * np.sqrt(np.array(weights)[shown]),
            "color": "white",
            "opacity": 0.8,
            "line": {"color": "black", "width": 1},
        },
        "hoverinfo": "skip",
    }


def _dead_marks(grid: MapGrid) -> dict[str, Any]:
    """A mark on every dead map."""
    corners = [grid.corner(place) for place, number in enumerate(grid.numbers.tolist()) if number in grid.dead]
    return {
        "type": "scatter",
        "x": [left + 0.5 for left, _ in corners],
        "y": [top + 0.5 for _, top in corners],
        "mode": "text",
        "text": ["dead"] * len(corners),
        "textfont": {"color": "#c9c5d6", "size": 10},
        "hoverinfo": "skip",
    }
