"""Global poolings: class maps (n, classes, height, width) in, one score per class (n, classes) out.

Every pooling is a pure function under a thin module. Beside `forward`, a module says with `weights` how much each cell
counts, so that every score can be taken apart: `score = sum(weights * maps) + remainder`, where the remainder is zero for
every pooling that is a weighted sum of cells, and named by `remainder_name` for the others.
"""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.recipe import Pool

Maps = Float[Tensor, "n classes height width"]
Scores = Float[Tensor, "n classes"]


def average_pool(maps: Maps) -> Scores:
    """Global average pooling: `s = mean(x)` (Lin et al. 2014, "Network in network")."""
    return maps.mean((2, 3))


def max_pool(maps: Maps) -> Scores:
    """Global max pooling: `s = max(x)` (Oquab et al. 2015, "Is object localization for free?").

    Of several equal maxima the first, row by row, is the one that counts and that gets the gradient, as in a max-pooling
    layer whose kernel is as large as the map.
    """
    return functional.adaptive_max_pool2d(maps, 1).flatten(1)


def log_sum_exp_pool(maps: Maps, r: float) -> Scores:
    """Log-sum-exp pooling: `s = log(mean(exp(r x))) / r` (Pinheiro and Collobert 2015).

    `r` in (0, inf): towards 0 it becomes the mean, towards infinity the maximum. Computed from the maximum, so that no
    exponential overflows.
    """
    cells = maps.shape[2] * maps.shape[3]
    return (torch.logsumexp(r * maps.flatten(2), dim=2) - math.log(cells)) / r


def average_max_pool(maps: Maps) -> Scores:
    """Mixed pooling with equal parts: `s = (mean(x) + max(x)) / 2` (Lee et al. 2016, "Generalizing pooling functions")."""
    return (average_pool(maps) + max_pool(maps)) / 2


def average_weights(maps: Maps) -> Maps:
    """Each of `cells` counts `1 / cells`."""
    return torch.full_like(maps, 1 / (maps.shape[2] * maps.shape[3]))


def max_weights(maps: Maps) -> Maps:
    """1 at the first maximum of every map, 0 elsewhere."""
    _, index = functional.adaptive_max_pool2d(maps, 1, return_indices=True)
    return torch.zeros_like(maps).flatten(2).scatter(2, index.flatten(2), 1.0).view_as(maps)


def log_sum_exp_weights(maps: Maps, r: float) -> Maps:
    """`softmax(r x)` over the cells of each map: also the gradient of the score with respect to them."""
    return torch.softmax(r * maps.flatten(2), dim=2).view_as(maps)


def log_sum_exp_remainder(maps: Maps, r: float) -> Scores:
    """`(H(p) - log(cells)) / r` with `p = softmax(r x)`: what log-sum-exp pooling adds to the weighted sum of the cells.

    It follows from `log p = r x - logsumexp(r x)`; never positive, and 0 only where all cells are equal.
    """
    log_weights = torch.log_softmax(r * maps.flatten(2), dim=2)
    entropy = -(log_weights.exp() * log_weights).sum(2)
    return (entropy - math.log(log_weights.shape[2])) / r


def no_remainder(maps: Maps) -> Scores:
    """Zeros: a weighted sum of cells leaves nothing over."""
    return torch.zeros_like(maps[:, :, 0, 0])


class AveragePool(nn.Module):
    """`average_pool` as a module."""

    label: ClassVar[str] = "GAP"
    remainder_name: ClassVar[str | None] = None

    def forward(self, maps: Maps) -> Scores:
        return average_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return average_weights(maps)

    def remainder(self, maps: Maps) -> Scores:
        return no_remainder(maps)


class MaxPool(nn.Module):
    """`max_pool` as a module."""

    label: ClassVar[str] = "GMP"
    remainder_name: ClassVar[str | None] = None

    def forward(self, maps: Maps) -> Scores:
        return max_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return max_weights(maps)

    def remainder(self, maps: Maps) -> Scores:
        return no_remainder(maps)


class LogSumExpPool(nn.Module):
    """`log_sum_exp_pool` as a module.

    With `p = softmax(r x)` the score is exactly `sum(p x) + (H(p) - log(cells)) / r`, H being the entropy: the second term
    is the remainder. It is never positive, and 0 only where all cells are equal.
    """

    label: ClassVar[str] = "LSE"
    remainder_name: ClassVar[str | None] = "(entropy − log cells) / r"

    def __init__(self, r: float = 4.0) -> None:
        super().__init__()
        self.r = r

    def forward(self, maps: Maps) -> Scores:
        return log_sum_exp_pool(maps, self.r)

    def weights(self, maps: Maps) -> Maps:
        return log_sum_exp_weights(maps, self.r)

    def remainder(self, maps: Maps) -> Scores:
        return log_sum_exp_remainder(maps, self.r)


class AverageMaxPool(nn.Module):
    """`average_max_pool` as a module."""

    label: ClassVar[str] = "Avg+Max"
    remainder_name: ClassVar[str | None] = None

    def forward(self, maps: Maps) -> Scores:
        return average_max_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return (average_weights(maps) + max_weights(maps)) / 2

    def remainder(self, maps: Maps) -> Scores:
        return no_remainder(maps)


GlobalPool = AveragePool | MaxPool | LogSumExpPool | AverageMaxPool

POOLS: dict[Pool, type[GlobalPool]] = {
    "gap": AveragePool,
    "gmp": MaxPool,
    "lse": LogSumExpPool,
    "avgmax": AverageMaxPool,
}
