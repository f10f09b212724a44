"""Global poolings: maps (n, channels, height, width) in, one number per map (n, channels) out.

Every pooling is a pure function under a thin module. Besides `forward`, a module has `weights`, the weight of each cell, so
that every score can be split: `score = sum(weights * maps) + remainder`. The remainder is zero for poolings that are weighted
sums of cells; the others describe it in `remainder_name`.

nets/heads.py places a pooling on one map per class or on the features.
"""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.recipe import HEAD_LABELS, Pool

Maps = Float[Tensor, "n channels height width"]
Scores = Float[Tensor, "n channels"]


def average_pool(maps: Maps) -> Scores:
    """Global average pooling: `s = mean(x)` (Lin et al. 2014, "Network in network")."""
    return maps.mean((2, 3))


def max_pool(maps: Maps) -> Scores:
    """Global max pooling: `s = max(x)` (Oquab et al. 2015, "Is object localization for free?").

    Of several equal maxima, the first one, row by row, counts and receives the gradient, as in a max-pooling layer whose
    kernel is as large as the map.
    """
    return functional.adaptive_max_pool2d(maps, 1).flatten(1)


def log_sum_exp_pool(maps: Maps, r: float) -> Scores:
    """Log-sum-exp pooling: `s = log(mean(exp(r x))) / r` (Pinheiro and Collobert 2015).

    `r` in (0, inf): towards 0 it becomes the mean, towards infinity the maximum. Computed from the maximum, so that no
    exponential overflows.
    """
    top = _top(maps)  # before r, so that no product overflows in half precision either
    return top[:, :, 0, 0] + (r * (maps - top)).exp().mean((2, 3)).log() / r


def average_max_pool(maps: Maps) -> Scores:
    """Mixed pooling with equal parts: `s = (mean(x) + max(x)) / 2` (Lee et al. 2016, "Generalizing pooling functions")."""
    return average_pool(maps) / 2 + max_pool(maps) / 2  # each half by itself: the sum would overflow in half precision


def generalised_mean_pool(maps: Maps, p: float | Float[Tensor, ""]) -> Scores:
    """Generalised-mean pooling, GeM: `s = mean(x^p)^(1/p)` for `x >= 0` (Radenović et al. 2018, "Fine-tuning CNN image
    retrieval with no human annotation").

    `p` in [1, inf): 1 is the mean, towards infinity it becomes the maximum. A negative number has no fractional power, so GeM
    is undefined on class maps, whose cells can be evidence *against* a class. Rectifying them would leave a class without
    positive cells no gradient; a softplus would make every score positive. The exponential does neither, and
    `log(GeM_p(exp(x)))` is `log_sum_exp_pool` with r = p, which is GeM's signed twin.

    Computed relative to the maximum, so that no power overflows; a map of zeros is 0, with gradient 0.
    """
    top = _top(maps)
    return _relative_mean(maps, top, p) * top[:, :, 0, 0]


def attention_pool(maps: Maps, attention: Float[Tensor, "n height width"]) -> Scores:
    """Attention pooling: `s = sum(a x)`, the same `a` in every channel, `a >= 0` and `sum(a) = 1` (Ilse et al. 2018).

    With equal `a` it is the mean; with a single nonzero `a` it is that cell, which all maps together select.
    """
    return (attention[:, None] * maps).sum((2, 3))


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


def generalised_mean_weights(maps: Maps, p: float | Float[Tensor, ""]) -> Maps:
    """`(x / s)^(p - 1) / cells`: the gradient of the score s.

    GeM doubles where its map doubles, so by Euler's theorem `sum(weights * maps)` is the score exactly. The weights add up
    to 1 for p = 1 and for a flat map, and to less elsewhere. A map of zeros has zeros.
    """
    top = _top(maps)
    mean = _relative_mean(maps, top, p)[:, :, None, None]
    return (maps / top.clamp(min=torch.finfo(maps.dtype).tiny) / mean).pow(p - 1) / (maps.shape[2] * maps.shape[3])


def _top(maps: Maps) -> Float[Tensor, "n channels 1 1"]:
    # Detached: it affects GeM's rounding only, so it needs no gradient.
    return maps.amax((2, 3), keepdim=True).detach()


def _relative_mean(maps: Maps, top: Float[Tensor, "n channels 1 1"], p: float | Float[Tensor, ""]) -> Scores:
    """`mean((x / top)^p)^(1/p)`: the mean is at least 1 / cells; where all x are 0 it is 0, and its root has no gradient."""
    mean = (maps / torch.where(top > 0, top, 1)).pow(p).mean((2, 3))
    return torch.where(top[:, :, 0, 0] > 0, mean, 1).pow(1 / p)


def no_remainder(maps: Maps) -> Scores:
    """Returns zeros, the remainder of a weighted sum of cells."""
    return torch.zeros_like(maps[:, :, 0, 0])


class GlobalPool(nn.Module):
    """The base of all poolings: their label, their score, and how the score is split over cells.

    Args:
        channels: the number of maps; only poolings with weights for each map use it.
    """

    label: ClassVar[str]
    remainder_name: ClassVar[str | None] = None

    def __init__(self, channels: int = 1) -> None:
        super().__init__()

    def forward(self, maps: Maps) -> Scores:
        """One number per map."""
        raise NotImplementedError

    def weights(self, maps: Maps) -> Maps:
        """The weight of each cell."""
        raise NotImplementedError

    def remainder(self, maps: Maps) -> Scores:
        """The part of the score besides the weighted cells; zero by default."""
        return no_remainder(maps)


class AveragePool(GlobalPool):
    """`average_pool` as a module."""

    label = HEAD_LABELS["gap"]

    def forward(self, maps: Maps) -> Scores:
        return average_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return average_weights(maps)


class MaxPool(GlobalPool):
    """`max_pool` as a module."""

    label = HEAD_LABELS["gmp"]

    def forward(self, maps: Maps) -> Scores:
        return max_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return max_weights(maps)


class LogSumExpPool(GlobalPool):
    """`log_sum_exp_pool` as a module.

    With `p = softmax(r x)` the score is exactly `sum(p x) + (H(p) - log(cells)) / r`, H being the entropy: the second term
    is the remainder. It is never positive, and 0 only where all cells are equal.
    """

    label = HEAD_LABELS["lse"]
    remainder_name = "(entropy − log cells) / r"

    def __init__(self, channels: int = 1, r: float = 4.0) -> None:
        super().__init__(channels)
        self.r = r

    def forward(self, maps: Maps) -> Scores:
        return log_sum_exp_pool(maps, self.r)

    def weights(self, maps: Maps) -> Maps:
        return log_sum_exp_weights(maps, self.r)

    def remainder(self, maps: Maps) -> Scores:
        return log_sum_exp_remainder(maps, self.r)


class AverageMaxPool(GlobalPool):
    """`average_max_pool` as a module."""

    label = HEAD_LABELS["avgmax"]

    def forward(self, maps: Maps) -> Scores:
        return average_max_pool(maps)

    def weights(self, maps: Maps) -> Maps:
        return (average_weights(maps) + max_weights(maps)) / 2


class GeneralisedMeanPool(GlobalPool):
    """`generalised_mean_pool` as a module with one learned p for all maps, initially 3, as in the paper.

    `p = 1 + exp(log_excess)`, so that no step of the optimiser can go below the mean, where p is 1.
    """

    label = HEAD_LABELS["gem"]

    def __init__(self, channels: int = 1, p: float = 3.0) -> None:
        super().__init__(channels)
        self.log_excess = nn.Parameter(torch.tensor(math.log(p - 1)))

    @property
    def p(self) -> Float[Tensor, ""]:
        """The learned exponent."""
        return 1 + self.log_excess.exp()

    def forward(self, maps: Maps) -> Scores:
        return generalised_mean_pool(maps, self.p)

    def weights(self, maps: Maps) -> Maps:
        return generalised_mean_weights(maps, self.p)


class AttentionPool(GlobalPool):
    """`attention_pool` as a module with learned weights: gated attention (Ilse et al. 2018, "Attention-based deep multiple
    instance learning").

    With h the values of one cell in all channels, `e = w · (tanh(V h) * sigmoid(U h))`, and `a = softmax(e)` over the cells.
    The weights are not the gradient, since `a` depends on the maps too, but they are exactly each cell's weight in the score.
    """

    label = HEAD_LABELS["attention"]

    def __init__(self, channels: int = 1, hidden: int = 16) -> None:
        super().__init__(channels)
        self.value = nn.Linear(channels, hidden, bias=False)
        self.gate = nn.Linear(channels, hidden, bias=False)
        self.rating = nn.Linear(hidden, 1, bias=False)

    def forward(self, maps: Maps) -> Scores:
        return attention_pool(maps, self.attention(maps))

    def attention(self, maps: Maps) -> Float[Tensor, "n height width"]:
        """The weight of each cell, the same in every channel."""
        cells = maps.flatten(2).transpose(1, 2)
        rated = self.rating(self.value(cells).tanh() * self.gate(cells).sigmoid())[:, :, 0]
        return torch.softmax(rated, dim=1).unflatten(1, maps.shape[2:])

    def weights(self, maps: Maps) -> Maps:
        return self.attention(maps)[:, None].expand_as(maps)


POOLS: dict[Pool, type[GlobalPool]] = {
    "gap": AveragePool,
    "gmp": MaxPool,
    "lse": LogSumExpPool,
    "avgmax": AverageMaxPool,
    "gem": GeneralisedMeanPool,
    "attention": AttentionPool,
}
"""The heads that pool; `heads.HEADS` has all heads with their placements."""
