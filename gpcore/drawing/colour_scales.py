"""The two ends of a map's colour scale: pure functions over tensors."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.errors import InsightError

SharedBy = Literal["map", "layer", "both"]
"""What shares a colour scale: each map by itself, all maps of a layer, or the layer of all networks shown together."""


def spans(grids: Sequence[Float[Tensor, "_ _ _"]], scale: str) -> list[Float[Tensor, "_ 2"]]:
    """The two ends of each map's colour scale: the lowest and the highest value of all that shares it (`SharedBy`).

    Where all values are equal there is nothing to spread: zeros stay at the lower end, any other value lies in the middle.

    Raises:
        InsightError: there is no such scale.
    """
    if scale not in get_args(SharedBy):
        raise InsightError(f"scale is {scale!r}: choose one of {', '.join(get_args(SharedBy))}.")
    if scale == "map":
        return [_ends(grid.flatten(1)) for grid in grids]
    together = torch.cat([grid.flatten() for grid in grids])
    return [_ends((together if scale == "both" else grid).flatten()[None]).expand(len(grid), 2) for grid in grids]


def ends(values: Float[Tensor, "rows columns"]) -> tuple[float, float]:
    """The two ends of the colour scale of one matrix, by the rule of `spans`."""
    low, high = _ends(values.flatten()[None])[0].tolist()
    return low, high


def _ends(values: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows 2"]:
    """The ends of each row, in double precision, in which neither they nor what lies between can become infinite."""
    low, high = (end.double() for end in values.aminmax(dim=1))
    flat = low == high
    return torch.stack([low - flat * low.abs(), high + flat * torch.where(low == 0, 1, low.abs())], dim=1)
