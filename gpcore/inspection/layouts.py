"""How a tensor holds maps: channels first or last, cells in a row, or the tokens of a transformer."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Shaped
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """How a tensor holds maps: `first` (n, channels, rows, columns), `last` (n, rows, columns, channels), `cells` (n, channels,
    cells), or `tokens` (n, prefix + cells, channels), with the grid that the cells came from."""

    order: Literal["first", "last", "cells", "tokens"]
    grid: tuple[int, int] = (0, 0)
    prefix: int = 0

    def maps(self, x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n channels rows columns"]:
        """Returns the same values as maps, without the tokens before the patches."""
        match self.order:
            case "first":
                return x
            case "last":
                return x.permute(0, 3, 1, 2)
            case "cells":
                return x.unflatten(2, self._grid(x.shape[2]))
        cells = x[:, self.prefix :].transpose(1, 2)
        return cells.unflatten(2, self._grid(cells.shape[2]))

    def _grid(self, cells: int) -> tuple[int, int]:
        if math.prod(self.grid) == cells:
            return self.grid
        side = math.isqrt(cells)  # of an image of another size
        return (side, side) if side * side == cells else (1, cells)
