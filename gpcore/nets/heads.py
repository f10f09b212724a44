"""Heads: the last two modules of every network, after its trunk, by their names in a recipe.

A head computes one score per class from features (n, features, rows, columns), all 0 or more. There are three kinds:

- `class_map_head`: a 1×1 convolution to one map per class, then the pooling. The article's; scores can be seen cell by cell.
- `feature_head`: the pooling, then a linear layer, as in most libraries. For GAP it is the same function as the first, since a
  mean of weighted sums is the weighted sum of the means; for GMP it is not.
- `linear_head`: linear layers over every cell of every feature. The article argues against it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gpcore.nets.pooling import POOLS
from gpcore.recipe import Placement, Pool

HIDDEN = 128
"""Units of the linear heads' hidden layer: as LeNet-5 has (120), rounded to a power of two."""

DROPOUT = 0.5
"""Share of inputs that `mlp-dropout` drops in training before each linear layer, as AlexNet does (2012)."""


@dataclass(frozen=True)
class Shape:
    """The input and output of a head: channels and cells of the features, and the number of classes."""

    features: int
    rows: int
    columns: int
    classes: int


Head = tuple[nn.Module, nn.Module]


class LinearLayer(nn.Linear):
    """The last module of a head that does not end in a pooling."""

    label: ClassVar[str] = "a linear layer"


class HiddenLayer(nn.Module):
    """Hidden units over all cells of all features: `h = max(0, W x + b)`, with dropout before and after."""

    label: ClassVar[str] = "Hidden"

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(shape.features * shape.rows * shape.columns, HIDDEN)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Float[Tensor, "n features rows columns"]) -> Float[Tensor, "n hidden"]:
        return self.dropout(torch.relu(self.linear(self.dropout(features.flatten(1)))))


def class_map_head(pool: Pool, shape: Shape) -> Head:
    """One map per class, then the pooling of each."""
    return nn.Conv2d(shape.features, shape.classes, 1), POOLS[pool](shape.classes)


def feature_head(pool: Pool, shape: Shape) -> Head:
    """The pooling of each feature, then one score per class."""
    return POOLS[pool](shape.features), LinearLayer(shape.features, shape.classes)


def linear_head(pool: Pool, shape: Shape) -> Head:
    """Linear layers that see every cell."""
    return HiddenLayer(shape, DROPOUT if pool == "mlp-dropout" else 0.0), LinearLayer(HIDDEN, shape.classes)


HEADS: dict[Pool, dict[Placement, Callable[[Pool, Shape], Head]]] = {
    "gap": {"usual": class_map_head, "features": feature_head},
    "gmp": {"usual": class_map_head, "features": feature_head},
    "lse": {"usual": class_map_head, "features": feature_head},
    "avgmax": {"usual": class_map_head, "features": feature_head},
    # GeM is defined for values of 0 and more: rectified features have them, class maps do not (`generalised_mean_pool`).
    "gem": {"usual": feature_head, "features": feature_head},
    "attention": {"usual": class_map_head, "features": feature_head},
    "mlp": {"usual": linear_head, "features": linear_head},
    "mlp-dropout": {"usual": linear_head, "features": linear_head},
}
