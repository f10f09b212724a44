"""A small map with its numbers written in the cells."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.drawing.sheets import Matrix, Outline, Sheet
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.recipe import Pool

HEIGHT = 150

BRIGHTEST = 9.0
"""The value that is drawn brightest, whatever else a map holds, so that maps can be compared."""


def map_sheet(grid: Sequence[Sequence[float]], pool: Pool | None = None) -> Sheet:
    """A map in the colours of brightness; the cells that `pool`, GAP or GMP, counts are framed in its colour."""
    values = torch.tensor(grid, dtype=torch.float32)
    rows, columns = values.shape
    low, high = min(0.0, values.min().item()), max(BRIGHTEST, values.max().item())
    cells = Matrix(values, low, high, name="map", written=[[f"{value:g}" for value in row] for row in grid])
    if pool is None:
        return Sheet(1.0, 1.0, HEIGHT, [cells])
    row, column = divmod(int(values.argmax()), columns)
    place = (0.0, 0.0, 1.0, 1.0) if pool == "gap" else (column / columns, row / rows, 1 / columns, 1 / rows)
    return Sheet(1.0, 1.0, HEIGHT, [cells], outlines=[Outline(*place, POOL_COLOURS[pool], 5)])


def gradient_sheet(gradient: Float[Tensor, "height width"], pool: Pool) -> Sheet:
    """How much of the gradient goes to each cell, framed in the pooling's colour: 1 is all of it.

    It is a sheet because a page redraws a dozen of them at every change, which took Plotly most of a second.
    """
    written = [[f"{value:.2f}" for value in row] for row in gradient.tolist()]
    cells = Matrix(gradient, 0.0, 1.0, "weight", name="share of the gradient", written=written)
    return Sheet(1.0, 1.0, HEIGHT, [cells], outlines=[Outline(0, 0, 1, 1, POOL_COLOURS[pool], 3)])
