"""The canvas: a FashionMNIST item of any size, anywhere in an image of 64×64 pixels, among clutter cut from other items.

It separates the poolings: the smaller the item, the fewer cells of a class map cover it, and the more the mean depends on
everything else. Everything is drawn from a seed and is the same for every size: two canvases that differ in their items' size
hold the same items, in the same order, at the same relative places, on the same clutter.

    pixels = canvases(items, percent=5, pieces=8, seed=0)
    pixels = draw(items, Places(side, top, left), clutter(items, 8, generator))    # items exactly where you want them
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from gpcore.recipe import LARGEST_ITEM, SMALLEST_ITEM

SIDE = 64
"""Height and width of a canvas."""

ITEM = 28
"""Height and width of an item in FashionMNIST, including its black margin."""

PIECE = 8
"""Height and width of a piece of clutter, in pixels of the item that it is cut from."""

MARGIN = 4
"""Pixels along an item's edges where no piece is cut: most items are black there."""

AT_ONCE = 500
"""Canvases drawn at once: few enough to stay in the processor's cache."""

Items = UInt8[Tensor, "n 1 28 28"]
Canvases = UInt8[Tensor, "n 1 64 64"]


@dataclass(frozen=True)
class Places:
    """Positions of items on their canvases: the `side` of each and its upper left corner, all in pixels."""

    side: Int64[Tensor, " n"]
    top: Int64[Tensor, " n"]
    left: Int64[Tensor, " n"]

    @classmethod
    def drawn(cls, count: int, percent: float | None, generator: torch.Generator) -> "Places":
        """Places drawn uniformly among those where the whole item is on the canvas.

        An item's square covers `percent` of the canvas, from 2 to 100; for None it is drawn for each item, uniformly in its
        logarithm.
        """
        sizes, downs, rights = torch.rand(3, count, generator=generator)
        low = math.log(SMALLEST_ITEM / LARGEST_ITEM)
        areas = (low * sizes).exp() if percent is None else torch.full((count,), percent / 100)
        side = (SIDE * areas.sqrt()).round().long()
        free = SIDE - side + 1
        return cls(side, (downs * free).long(), (rights * free).long())

    @property
    def areas(self) -> Float[Tensor, " n"]:
        """The share of the canvas that each item's square takes."""
        return (self.side / SIDE) ** 2


def draw(items: Items, places: Places, background: Canvases) -> Canvases:
    """Draws items, scaled to their sides, at their places, on a background that is visible where they are black.

    Scaling and moving are linear in rows and in columns, so a canvas is `A item B^T` with 64×28 matrices A and B: linear
    interpolation, over as many pixels as one of the canvas covers where an item is reduced.
    """
    matrices, first = _placements()
    rows, columns = (first[places.side] + start for start in (places.top, places.left))
    drawn = torch.empty_like(background)
    for part in torch.arange(len(items)).split(AT_ONCE):
        standing = matrices[rows[part]] @ items[part, 0].float() @ matrices[columns[part]].transpose(1, 2)
        pixels = standing.round_().clamp_(0, 255).to(torch.uint8)
        drawn[part, 0] = torch.where(pixels > 0, pixels, background[part, 0])
    return drawn


@lru_cache(maxsize=1)
def _placements() -> tuple[Float[Tensor, "places 64 28"], Int64[Tensor, " sides"]]:
    """Returns for every side and start a matrix that scales 28 pixels to that side and places them among 64 zeros.

    Those of side s begin at index `first[s]`, in the order of their starts.
    """
    smallest = round(SIDE * math.sqrt(SMALLEST_ITEM / 100))
    matrices: list[Tensor] = []
    first = torch.zeros(SIDE + 1, dtype=torch.int64)
    for side in range(smallest, SIDE + 1):
        first[side] = len(matrices)
        pixels = torch.eye(ITEM)[None, None]
        scaling = functional.interpolate(pixels, (side, ITEM), mode="bilinear", antialias=True)[0, 0]
        matrices += [functional.pad(scaling, (0, 0, start, SIDE - side - start)) for start in range(SIDE - side + 1)]
    return torch.stack(matrices), first


def clutter(items: Items, pieces: int, generator: torch.Generator) -> Canvases:
    """Returns for each item a canvas with square pieces of other items; where two overlap, the brighter one shows."""
    count = len(items)
    flat = torch.zeros(count, SIDE * SIDE, dtype=torch.uint8)
    window = torch.arange(PIECE)
    square = (window[:, None] * SIDE + window).flatten()
    for _ in range(pieces):
        others = (torch.arange(count) + torch.randint(1, max(count, 2), (count,), generator=generator)) % count
        cut = torch.randint(MARGIN, ITEM - PIECE - MARGIN + 1, (2, count), generator=generator)
        rows, columns = cut[:, :, None] + window
        piece = items[others[:, None, None], 0, rows[:, :, None], columns[:, None, :]].flatten(1)
        corner = torch.randint(SIDE - PIECE + 1, (2, count), generator=generator)
        pixels = (corner[0] * SIDE + corner[1])[:, None] + square
        flat.scatter_(1, pixels, torch.maximum(flat.gather(1, pixels), piece))
    return flat.view(count, 1, SIDE, SIDE)


def canvases(items: Items, percent: float | None, pieces: int, seed: int) -> Canvases:
    """Returns a canvas for each item, which covers `percent` of it, with `pieces` of clutter, all drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    places = Places.drawn(len(items), percent, generator)
    return draw(items, places, clutter(items, pieces, generator))
