"""Where a pooled score comes from, cell by cell, adding up exactly: pure functions over tensors.

For every pooling `score = sum over cells of weight * map + remainder`. GAP weighs all cells alike, GMP one cell alone,
attention by learned weights, log-sum-exp by a softmax; its remainder has a formula of its own and is not just the difference.

    found = evidence(network.pool, network.maps(images)[0])
    found.shares[1]        # what each cell adds to the score of class 1
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.nets.network import Network
from gpcore.nets.pooling import GlobalPool

Cells = Float[Tensor, "rows columns"]


@dataclass(frozen=True)
class Evidence:
    """The scores of one image taken apart.

    `shares = weights * maps` is what each cell adds to its class's score, `remainders` what the pooling adds besides
    (`remainder_name` describes it; None if it is zero), and `scores` the pooling's own output.
    """

    maps: Float[Tensor, "classes rows columns"]
    weights: Float[Tensor, "classes rows columns"]
    remainders: Float[Tensor, " classes"]
    scores: Float[Tensor, " classes"]
    remainder_name: str | None

    @property
    def shares(self) -> Float[Tensor, "classes rows columns"]:
        return self.weights * self.maps

    @property
    def totals(self) -> Float[Tensor, " classes"]:
        """`sum(shares) + remainders`, to be compared with `scores`."""
        return self.shares.double().sum((1, 2)) + self.remainders

    @property
    def largest_error(self) -> float:
        """The largest difference between a total and its score, relative to the score or to 1, whichever is larger."""
        return ((self.totals - self.scores).abs() / self.scores.abs().clamp(min=1)).max().item()

    def strongest_cell(self, label: int) -> tuple[int, int]:
        """(row, column) of the cell that adds most to the score of class `label`; for GMP the one that decides."""
        # GMP's single cell may be negative; then every cell with weight 0 would look stronger.
        shares = self.shares[label].masked_fill(self.weights[label] == 0, -torch.inf)
        return divmod(int(shares.argmax()), shares.shape[1])


@dataclass(frozen=True)
class Contest:
    """Two classes set against each other: `margin = sum over cells of (shares of winner - shares of rival) + remainder`.

    A cell above zero speaks for the winner, one below zero for the rival.
    """

    winner: int
    rival: int
    cells: Cells
    remainder: float
    margin: float


@dataclass(frozen=True)
class Gradients:
    """Of one class's score: `cells` with respect to its class map, `pixels` with respect to the image."""

    cells: Cells
    pixels: Float[Tensor, "channels height width"]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels from the image's upper left corner; it may extend beyond the image into its padding."""

    top: int
    left: int
    height: int
    width: int


def evidence(pool: GlobalPool, maps: Float[Tensor, "classes rows columns"]) -> Evidence:
    """The scores of one image's class maps, taken apart."""
    with torch.inference_mode():
        batch = maps[None]
        return Evidence(maps, pool.weights(batch)[0], pool.remainder(batch)[0], pool(batch)[0], pool.remainder_name)


def evidence_of(network: Network, image: Float[Tensor, "1 channels height width"]) -> Evidence:
    """Returns the evidence for one image, whether the network pools class maps or features.

    For class maps this is `evidence`. For features h, pooled with weights p and followed by a linear layer `W, b`, a cell
    adds `sum over features of W p h` to a class's score. These are the `maps`, with weights of 1. The bias is the remainder,
    together with `W` times the pooling's own.

    Raises:
        InsightError: the network pools nothing.
    """
    pool = network.pool
    with torch.inference_mode():
        if network.has_class_maps:
            return evidence(pool, network.maps(image)[0])
        features = network.features(image)
        linear = cast(nn.Linear, network.head[1])
        shares = torch.einsum("cf,fij->cij", linear.weight, (pool.weights(features) * features)[0])
        remainders = linear.bias + linear.weight @ pool.remainder(features)[0]
        name = f"bias and {pool.remainder_name}, weighed" if pool.remainder_name else "bias"
        return Evidence(shares, torch.ones_like(shares), remainders, network(image)[0], name)


def contest(found: Evidence, winner: int) -> Contest:
    """The winner set against the class that comes closest to it."""
    others = found.scores.index_fill(0, torch.tensor(winner), -torch.inf)
    rival = int(others.argmax())
    return Contest(
        winner,
        rival,
        found.shares[winner] - found.shares[rival],
        (found.remainders[winner] - found.remainders[rival]).item(),
        (found.scores[winner] - found.scores[rival]).item(),
    )


def gradients(network: Network, image: Float[Tensor, "1 channels height width"], label: int) -> Gradients:
    """Returns the gradient of the score of class `label`: GMP sends it through one cell, GAP equally through all."""
    with torch.enable_grad():
        pixels = image.clone().requires_grad_()
        maps = network.maps(pixels)
        by_cell, by_pixel = torch.autograd.grad(network.pool(maps)[0, label], (maps, pixels))
    return Gradients(by_cell[0, label], by_pixel[0])


def receptive_field(network: Network, row: int, column: int, layer: int | None = None) -> Box:
    """Returns the box of all pixels that one cell of a layer can depend on.

    Through a window of size k, stride s and padding p the field grows by `(k - 1) * jump` and starts `p * jump` earlier,
    and the distance between neighbouring cells, `jump`, is multiplied by s (Dumoulin and Visin 2016).
    """
    size, start, jump = 1, 0, 1
    for kernel, stride, padding in _windows(network, layer):
        size, start, jump = size + (kernel - 1) * jump, start - padding * jump, jump * stride
    return Box(start + row * jump, start + column * jump, size, size)


def own_pixels(network: Network, row: int, column: int, layer: int | None = None) -> Box:
    """Returns the pixels at the centre of a cell's receptive field, which belong to no other cell of the layer."""
    jump = cell_size(network, layer)
    return Box(row * jump, column * jump, jump, jump)


def cell_size(network: Network, layer: int | None = None) -> int:
    """Pixels from one cell of a layer to the next."""
    size = 1
    for _, stride, _ in _windows(network, layer):
        size *= stride
    return size


def on_the_image(cells: Cells, cell: int, height: int, width: int) -> Float[Tensor, "height width"]:
    """Returns a map enlarged to its image: bilinear between the centres of its cells, of `cell` pixels each.

    Max pooling drops the last pixels where a map does not divide evenly (28 → 14 → 7 → 3): cells reach to pixel 24 of 28. The
    pixels beyond repeat the last cell; stretching the map would shift it.
    """
    rows, columns = cells.shape
    laid = functional.interpolate(cells[None, None], scale_factor=cell, mode="bilinear", align_corners=False)
    return functional.pad(laid, (0, width - columns * cell, 0, height - rows * cell), mode="replicate")[0, 0]


def _windows(network: Network, layer: int | None) -> list[tuple[int, int, int]]:
    """Kernel size, stride and padding of every module before a layer that looks at more than one cell or skips any.

    The inner modules of a trunk's stages count in their order: what leads past them looks at no more cells.
    """
    parts = [part for module in network.network[:layer] for part in module.modules()]
    return [_window(part) for part in parts if isinstance(part, nn.Conv2d | nn.MaxPool2d)]


def _window(module: nn.Conv2d | nn.MaxPool2d) -> tuple[int, int, int]:
    kernel, stride, padding = (
        value[0] if isinstance(value, tuple) else int(value) for value in (module.kernel_size, module.stride, module.padding)
    )
    # Layers that come from TensorFlow pad by themselves, and more behind than before.
    return kernel, stride, (kernel - stride) // 2 if type(module).__name__ == "Conv2dSame" else padding
