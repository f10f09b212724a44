"""Another pooling on a trained network's class maps: from the mean through log-sum-exp to the maximum, without training."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from jaxtyping import Float, Int64
from torch import Tensor

from gpcore.errors import InsightError
from gpcore.nets import pooling
from gpcore.nets.pooling import (
    AveragePool,
    GlobalPool,
    LogSumExpPool,
    Maps,
    MaxPool,
    Scores,
    average_pool,
    log_sum_exp_pool,
    max_pool,
)
from gpcore.recipe import Output
from gpcore.training.evaluate import answers, output_of

Path = Literal["log-sum-exp", "GeM"]
"""Two ways from the mean to the maximum; the first is the one that signed maps allow."""

STRENGTHS: tuple[float, ...] = (0.0, *(2.0**power for power in range(-10, 7)), math.inf)
"""Log-sum-exp's r, or GeM's p - 1, from the mean (0) to the maximum (infinity)."""


def generalised_mean_pool(maps: Maps, p: float) -> Scores:
    """GeM (`pooling.generalised_mean_pool`), refused where it has no meaning.

    Raises:
        InsightError: a value is negative, of which no fractional power exists.
    """
    if maps.min() < 0:
        raise InsightError(f"GeM is defined for values of 0 and more; these maps go down to {maps.min():.3g}.")
    return pooling.generalised_mean_pool(maps, p)


def swapped(maps: Maps, strength: float, path: str = "log-sum-exp") -> Scores:
    """The scores at one point of the way: the mean at 0, the maximum at infinity.

    Raises:
        InsightError: there is no such path, or GeM was asked of maps with negative values.
    """
    if path not in get_args(Path):
        raise InsightError(f"path is {path!r}: choose one of {', '.join(get_args(Path))}.")
    if strength == 0:
        return average_pool(maps)
    if math.isinf(strength):
        return max_pool(maps)
    between: Callable[[], Scores] = {
        "log-sum-exp": lambda: log_sum_exp_pool(maps, strength),
        "GeM": lambda: generalised_mean_pool(maps, 1 + strength),
    }[path]
    return between()


def accuracy(scores: Scores, labels: Int64[Tensor, " n"], output: Output) -> float:
    """Fraction answered right on a recipe's output."""
    return (answers(output_of(scores, output)) == labels).float().mean().item()


def accuracy_curve(
    maps: Maps,
    labels: Int64[Tensor, " n"],
    output: Output,
    path: str = "log-sum-exp",
    strengths: Sequence[float] = STRENGTHS,
) -> list[float]:
    """The accuracy over all images at every point of the way."""
    return [accuracy(swapped(maps, strength, path), labels, output) for strength in strengths]


def place_of(pool: GlobalPool) -> float | None:
    """Where on the log-sum-exp way a network's own pooling stands; None for one that is not on it."""
    if isinstance(pool, LogSumExpPool):
        return pool.r
    return {AveragePool: 0.0, MaxPool: math.inf}.get(type(pool))


def allows_gem(maps: Float[Tensor, "..."]) -> bool:
    """Whether GeM has a meaning on these maps: none of their values is negative."""
    return bool(maps.min() >= 0)
