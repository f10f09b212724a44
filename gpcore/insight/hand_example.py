"""Poolings on a map small enough to follow by hand: the pooled value, and where its gradient goes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.errors import InsightError
from gpcore.nets.pooling import POOLS
from gpcore.recipe import Pool

BY_HAND: tuple[Pool, ...] = ("gap", "gmp", "lse", "avgmax", "gem")
"""The poolings that follow from the map alone. Attention does not: which cell counts is learned; and `mlp` pools nothing."""

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
    """Pool one map and follow the gradient back, by automatic differentiation of the pooling that the networks use.

    Raises:
        InsightError: GeM is asked about a map with a number below 0, which has no fractional power.
    """
    if pool == "gem" and min(map(min, grid)) < 0:
        raise InsightError(
            "GeM is defined for numbers of 0 and more, and here is one below. LSE is its twin for both signs: log(GeM(exp(x)))."
        )
    cells = torch.tensor(grid, dtype=torch.float32, requires_grad=True)
    score = POOLS[pool]()(cells[None, None])[0, 0]
    (gradient,) = torch.autograd.grad(score, cells)
    return Pooled(score.item(), gradient)
