"""Which pooling makes given numbers of given maps: proved by computing it, in the precision that the network has."""

from collections.abc import Callable

import torch
from torch import Tensor

from gpcore.nets.pooling import AverageMaxPool, AveragePool, GeneralisedMeanPool, GlobalPool, LogSumExpPool, MaxPool

Fit = Callable[[Tensor, Tensor, float, str], GlobalPool | None]
"""Of maps, what they became, how far rounding may lead and the function's name: the pooling that explains them."""


def rounding(maps: Tensor, pooled: Tensor, epsilon: float) -> float:
    """Tolerance for a pooling: its sums are in single precision, its result is in the network's own."""
    single = torch.finfo(torch.float32).eps
    return (16 * single * maps.abs().max() + 2 * max(epsilon - single, 0) * pooled.abs().max()).item() + 1e-30


def known_pool(maps: Tensor, pooled: Tensor, slack: float, name: str) -> GlobalPool | None:
    """The pooling without a parameter that was computed; where several would give the same, the one that its name says."""
    known: list[GlobalPool] = [AveragePool(), MaxPool(), AverageMaxPool()]
    fitting = [pool for pool in known if (pool(maps) - pooled).abs().max() <= slack]
    if len(fitting) > 1:  # every cell of every map is the same, as where rectifiers are all at zero
        return MaxPool() if "max" in name else AveragePool()
    return fitting[0] if fitting else None


def fitted_pool(maps: Tensor, pooled: Tensor, slack: float, name: str) -> GlobalPool | None:
    """GeM or log-sum-exp with the strength that gives these numbers: both grow with it, so halving an interval finds it."""
    if (pooled < maps.mean((2, 3)) - slack).any() or (pooled > maps.amax((2, 3)) + slack).any():
        return None
    kinds = [GeneralisedMeanPool, LogSumExpPool] if maps.min() >= 0 else [LogSumExpPool]
    for kind in kinds:
        low, high = (1 + 1e-6, 64.0) if kind is GeneralisedMeanPool else (1e-3, 64.0)
        for _ in range(50):
            middle = (low + high) / 2
            below = (_of_strength(kind, middle)(maps) - pooled).double().sum() < 0
            low, high = (middle, high) if below else (low, middle)
        pool = _of_strength(kind, low)
        if (pool(maps) - pooled).abs().max() <= 8 * slack:
            return pool
    return None


def _of_strength(kind: type[GlobalPool], strength: float) -> GlobalPool:
    pool = GeneralisedMeanPool(p=strength) if kind is GeneralisedMeanPool else LogSumExpPool(r=strength)
    return pool.requires_grad_(False)
