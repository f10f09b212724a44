"""Swaps the pooling on a trained network's class maps, from the mean through log-sum-exp to the maximum, without training."""

import math
from collections.abc import Sequence

from jaxtyping import Int64
from torch import Tensor

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

STRENGTHS: tuple[float, ...] = (0.0, *(2.0**power for power in range(-10, 7)), math.inf)
"""Log-sum-exp's r, from the mean (0) to the maximum (infinity)."""


def swapped(maps: Maps, strength: float) -> Scores:
    """Returns the scores for one r: the mean for 0, the maximum for infinity."""
    if strength == 0:
        return average_pool(maps)
    return max_pool(maps) if math.isinf(strength) else log_sum_exp_pool(maps, strength)


def accuracy(scores: Scores, labels: Int64[Tensor, " n"], output: Output) -> float:
    """Returns the fraction answered right on a recipe's output."""
    return (answers(output_of(scores, output)) == labels).float().mean().item()


def accuracy_curve(
    maps: Maps,
    labels: Int64[Tensor, " n"],
    output: Output,
    strengths: Sequence[float] = STRENGTHS,
) -> list[float]:
    """Returns the accuracy over all images for every r."""
    return [accuracy(swapped(maps, strength), labels, output) for strength in strengths]


def place_of(pool: GlobalPool) -> float | None:
    """Returns the r of a network's own pooling; None where log-sum-exp does not include it."""
    if isinstance(pool, LogSumExpPool):
        return pool.r
    return {AveragePool: 0.0, MaxPool: math.inf}.get(type(pool))
