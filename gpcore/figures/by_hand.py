"""A small map of numbers, drawn so that the numbers can be read."""

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from gpcore.figures.cells import cells
from gpcore.figures.theme import POOL_COLOURS
from gpcore.recipe import Pool


def gradient_grid(gradient: Float[Tensor, "height width"], pool: Pool) -> go.Figure:
    """How much of the gradient goes to each cell, in the pooling's colour: 1 is all of it."""
    values = gradient.tolist()
    rows, columns = ([str(number + 1) for number in range(size)] for size in gradient.shape)
    hidden = {"visible": False, "fixedrange": True}
    return cells(
        strength=values,
        texts=[[f"{value:.2f}" for value in row] for row in values],
        hovers=[[f"row {r}, column {c}: {value:.4f}" for c, value in enumerate(row, 1)] for r, row in enumerate(values, 1)],
        colour=POOL_COLOURS[pool],
        rows=rows,
        columns=columns,
        height=150,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis=hidden,
        yaxis=hidden,
    )
