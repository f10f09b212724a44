"""Poolings on a map small enough to follow by hand: the pooled value, and where its gradient goes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.nets.pooling import POOLS
from gpcore.recipe import Pool

Grid = Sequence[Sequence[float | int]]

EXAMPLES: dict[str, tuple[Grid, Grid]] = {
    "a small bright spot against a broad dim one": ([[0, 0, 0], [0, 9, 0], [0, 0, 0]], [[2, 2, 2], [2, 2, 2], [2, 2, 2]]),
    "the same spot in two places": ([[7, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 7]]),
    "one spot against three": ([[0, 0, 0], [0, 6, 0], [0, 0, 0]], [[5, 0, 0], [0, 5, 0], [0, 0, 5]]),
    "evidence against": ([[8, -9, -9], [-9, -9, -9], [-9, -9, -9]], [[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
}
"""Pairs of maps on which poolings do not all agree, or agree for different reasons."""


@dataclass(frozen=True)
class Pooled:
    """What one pooling makes of one map: the score, and the gradient of the score with respect to each cell."""

    score: float
    gradient: Float[Tensor, "height width"]


def pool_by_hand(grid: Grid, pool: Pool) -> Pooled:
    """Pool one map and follow the gradient back, by automatic differentiation of the pooling that the networks use."""
    cells = torch.tensor(grid, dtype=torch.float32, requires_grad=True)
    score = POOLS[pool]()(cells[None, None])[0, 0]
    (gradient,) = torch.autograd.grad(score, cells)
    return Pooled(score.item(), gradient)
