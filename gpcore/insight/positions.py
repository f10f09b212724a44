"""One item moved over a canvas: a network's scores at each place."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gpcore.data.canvas import SIDE, Places, clutter, draw
from gpcore.data.datasets import scaled
from gpcore.insight.history import lead
from gpcore.insight.layer_maps import SLICE
from gpcore.nets.network import Network

STEP = 4
"""Pixels from one place to the next: half of a class map's cell."""


@dataclass(frozen=True)
class PositionMap:
    """The scores (rows, columns, classes) of an item of a class, `label`, at each place of its upper left corner."""

    scores: Float[Tensor, "rows columns classes"]
    label: int

    @property
    def lead(self) -> Float[Tensor, "rows columns"]:
        """How far the item's own class is ahead of the best other one: above 0 the answer is right."""
        return lead(self.scores, self.label)

    @property
    def share_right(self) -> float:
        """The share of places at which the answer is right."""
        return (self.lead > 0).float().mean().item()


def slide(
    network: Network, items: UInt8[Tensor, "n 1 28 28"], index: int, label: int, side: int, pieces: int, seed: int = 0
) -> PositionMap:
    """Scores an item, `side` pixels wide, at every fourth pixel of a canvas, always on the same clutter.

    Global poolings take images of any size, so networks trained on 28×28 pixels work too.
    """
    starts = torch.arange(0, SIDE - side + 1, STEP)
    top, left = (grid.flatten() for grid in torch.meshgrid(starts, starts, indexing="ij"))
    background = clutter(items[:200], pieces, torch.Generator().manual_seed(seed))[:1]
    count = len(top)
    places = Places(torch.full((count,), side), top, left)
    canvases = draw(items[index].expand(count, 1, -1, -1), places, background.expand(count, -1, -1, -1))
    with torch.inference_mode():
        scores = torch.cat([network(scaled(part)) for part in canvases.split(SLICE)])
    return PositionMap(scores.view(len(starts), len(starts), -1), label)
