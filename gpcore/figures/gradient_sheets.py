"""A small map with its numbers written in the cells."""

from jaxtyping import Float
from torch import Tensor

from gpcore.drawing.sheets import Matrix, Outline, Sheet
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.recipe import Pool

HEIGHT = 150


def gradient_sheet(gradient: Float[Tensor, "height width"], pool: Pool) -> Sheet:
    """How much of the gradient goes to each cell, framed in the pooling's colour: 1 is all of it.

    It is a sheet because a page redraws a dozen of them at every change, which took Plotly most of a second.
    """
    written = [[f"{value:.2f}" for value in row] for row in gradient.tolist()]
    cells = Matrix(gradient, 0.0, 1.0, "weight", name="share of the gradient", written=written)
    return Sheet(1.0, 1.0, HEIGHT, [cells], outlines=[Outline(0, 0, 1, 1, POOL_COLOURS[pool], 3)])
