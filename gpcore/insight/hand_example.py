"""Poolings on a map small enough to compute by hand: the pooled value, and its gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.errors import InsightError
from gpcore.nets.pooling import POOLS
from gpcore.recipe import Pool

BY_HAND: tuple[Pool, ...] = ("gap", "gmp", "lse", "avgmax", "gem")
"""The poolings that depend on the map alone. Attention's weights are learned, and `mlp` does not pool."""

Grid = Sequence[Sequence[float | int]]

EXAMPLES: dict[str, tuple[Grid, Grid]] = {
    "a small bright spot against a broad dim one": ([[0, 0, 0], [0, 9, 0], [0, 0, 0]], [[2, 2, 2], [2, 2, 2], [2, 2, 2]]),
    "the same spot in two places": ([[7, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 7]]),
    "one spot against three": ([[0, 0, 0], [0, 6, 0], [0, 0, 0]], [[5, 0, 0], [0, 5, 0], [0, 0, 5]]),
    "evidence against": ([[8, -9, -9], [-9, -9, -9], [-9, -9, -9]], [[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
}
"""Pairs of maps on which poolings disagree, or agree for different reasons."""


@dataclass(frozen=True)
class Pooled:
    """One pooling of one map: the score, and its gradient with respect to each cell."""

    score: float
    gradient: Float[Tensor, "height width"]


def pool_by_hand(grid: Grid, pool: Pool) -> Pooled:
    """Pools one map with the networks' own pooling and returns the score and its gradient.

    Raises:
        InsightError: GeM is asked about a map with a number below 0, which has no fractional power.
    """
    if pool == "gem" and min(map(min, grid)) < 0:
        raise InsightError(
            "GeM is defined for numbers of 0 and more; this map has a negative one. LSE is its signed twin: log(GeM(exp(x)))."
        )
    cells = torch.tensor(grid, dtype=torch.float32, requires_grad=True)
    score = POOLS[pool]()(cells[None, None])[0, 0]
    (gradient,) = torch.autograd.grad(score, cells)
    return Pooled(score.item(), gradient)
