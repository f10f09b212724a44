"""The article's network: a trunk of six convolutions, one map per class, and a global pooling or another head."""

import copy
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.errors import DatasetError
from gpcore.nets.heads import HEADS, Shape
from gpcore.nets.network import Network
from gpcore.nets.pooling import GlobalPool
from gpcore.recipe import Initialisation, Placement, Pool

BLOCK, FEATURES = 5, 15
"""`network[:FEATURES]` is the trunk, three blocks of five modules; its output are the features, all 0 or more."""

WIDE_BLOCK = FEATURES - BLOCK
"""The first module of the last block, whose 32 maps fill a processor's vectors."""

GROUPED = 8
"""Channels per image from which oneDNN computes grouped convolutions fast."""

CLASS_MAPS = 16
"""`network[:CLASS_MAPS]` gives the class maps, if the network pools class maps."""

SHRINKS = 8
"""Pixels in a row that become one cell of the features: three times two."""


Initialise = Callable[[Tensor, torch.Generator], float]
"""Fills a weight in place; returns the value for its bias."""


def xavier(weight: Tensor, generator: torch.Generator) -> float:
    """Fills uniformly with variance 2 / (inputs + outputs), as in the article; biases 0.01."""
    nn.init.xavier_uniform_(weight, generator=generator)
    return 0.01


def kaiming(weight: Tensor, generator: torch.Generator) -> float:
    """Fills normally with variance 2 / inputs, which keeps the scale of a rectifier's output; biases 0."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    return 0.0


INITIALISATIONS: dict[Initialisation, Initialise] = {"xavier": xavier, "kaiming": kaiming}


class ConvNet(Network):
    """The article's network, `scores = pool(maps(x))`, as one `nn.Sequential` of 17 modules named `network`.

    The layer index of the feature-map pages is the `k` of `network[:k]`. With one channel and ten classes it has 18,370
    parameters. The first weights depend on `seed` alone, so networks that differ only in their pooling start with the same.

    Whatever the head (nets/heads.py), the trunk is the same 15 modules, and two follow it: the class maps and their
    pooling, the pooling of the features and a linear layer, or two linear layers.

    Args:
        pool: a key of `HEADS`.
        channels: colour channels of the images.
        classes: number of classes, and so of class maps.
        seed: decides the first weights.
        placement: what the pooling is on.
        size: height and width of the images, in pixels: only the linear heads depend on it.
        initialisation: `xavier`, uniform with biases of 0.01, as in the article (Glorot and Bengio 2010), or `kaiming`, normal
            with variance 2 / inputs and biases of 0 (He et al. 2015).

    Raises:
        DatasetError: the images are too small for three halvings.
    """

    def __init__(
        self,
        pool: Pool,
        channels: int = 1,
        classes: int = 10,
        seed: int = 0,
        placement: Placement = "usual",
        size: tuple[int, int] = (28, 28),
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        if min(size) < SHRINKS:
            raise DatasetError(f"The images are {size[0]}×{size[1]} pixels: the network needs at least {SHRINKS}×{SHRINKS}.")
        self.pool_name = pool
        shape = Shape(32, size[0] // SHRINKS, size[1] // SHRINKS, classes)
        head = HEADS[pool][placement](pool, shape)
        self.network = nn.Sequential(*_block(channels, 8), *_block(8, 16), *_block(16, 32), *head)
        initialise(self.network, initialisation, seed)
        # Innermost channels make every convolution about 1.4 times as fast on a CPU (benchmarks/step.py).
        self.to(memory_format=torch.channels_last)

    @property
    def depth(self) -> int:
        return FEATURES

    @property
    def head(self) -> nn.Sequential:
        return self.network[FEATURES:]

    def with_head(self, *modules: nn.Module) -> Network:
        other = copy.deepcopy(self)
        other.network = nn.Sequential(*other.network[:FEATURES], *modules)
        return other

    def features(self, x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n features rows columns"]:
        """Returns the trunk's output, all 0 or more: for images of 28×28 pixels, 32 maps of 3×3 cells.

        It equals `network[:FEATURES](x)`, with its gradients, up to rounding, in less time (benchmarks/step.py): rectifiers
        work in place and after the 2×2 maximum, on a quarter of the cells; and two images are computed as one with twice
        the channels where that is faster.
        """
        together = _together(x)
        x = _side_by_side(x, together)
        for start in range(0, FEATURES, BLOCK):
            if start == WIDE_BLOCK:
                x, together = _one_by_one(x, together), 1
            first, second = self.network[start], self.network[start + 2]
            x = _halved(_convolved(second, _convolved(first, x, together).relu_(), together)).relu_()
        return x


def initialise(network: nn.Sequential, initialisation: Initialisation, seed: int) -> None:
    """Fills all weights, drawn from the seed, and biases in place."""
    draw, generator = INITIALISATIONS[initialisation], torch.Generator().manual_seed(seed)
    # A pooling's own weights are drawn last, so that all others are the same under every pooling.
    for module in sorted(network, key=lambda module: isinstance(module, GlobalPool)):
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                bias = draw(part.weight, generator)
                if part.bias is not None:
                    nn.init.constant_(part.bias, bias)


def stacked_features(
    weights: Sequence[Tensor], x: Float[Tensor, "runs n channels height width"]
) -> Float[Tensor, "runs n features rows columns"]:
    """Returns `ConvNet.features` of several networks, each on its own images.

    The channels of all networks are joined as those of one, and every convolution has a group for each network.

    Args:
        weights: the trunk's weights and biases in turn, each stacked over the networks.
    """
    runs, x = len(x), x.transpose(0, 1).flatten(1, 2)
    for place in range(0, len(weights), 4):
        for weight, bias in (weights[place : place + 2], weights[place + 2 : place + 4]):
            x = functional.conv2d(x, weight.flatten(0, 1), bias.flatten(), padding=1, groups=runs)
            x = x.relu_() if weight is weights[place] else functional.max_pool2d(x, 2).relu_()
    return x.unflatten(1, (runs, -1)).transpose(0, 1)


def _together(x: Float[Tensor, "n channels height width"]) -> int:
    """Returns how many images to compute side by side: two if the processor computes with 16 numbers at once, since the 8 maps
    of one image would leave half of them idle.
    """
    return 2 if x.device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512" and len(x) % 2 == 0 else 1


def _side_by_side(x: Float[Tensor, "n channels ..."], together: int) -> Float[Tensor, "parts channels_of_all ..."]:
    """Joins the channels of several images as those of one."""
    return x.unflatten(0, (len(x) // together, together)).flatten(1, 2)


def _one_by_one(
    x: Float[Tensor, "parts channels_of_all rows columns"], together: int
) -> Float[Tensor, "n channels rows columns"]:
    """Undo `_side_by_side`."""
    rows = x.permute(0, 2, 3, 1).unflatten(3, (together, x.shape[1] // together))
    return rows.permute(0, 3, 1, 2, 4).flatten(0, 1).permute(0, 3, 1, 2)


def _convolved(layer: nn.Module, x: Float[Tensor, "parts channels ..."], together: int) -> Float[Tensor, "parts maps ..."]:
    """Applies a convolution of the trunk to each of the images side by side."""
    if together == 1:
        return layer(x)
    weight, bias = layer.parameters()
    own = weight.shape[1]
    weights: list[Tensor] = [weight] * together
    if own < GROUPED:  # every map sees all images, with weights of 0 for the others
        weights = [functional.pad(weight, (0, 0, 0, 0, at * own, (together - 1 - at) * own)) for at in range(together)]
    groups = x.shape[1] // weights[0].shape[1]
    return functional.conv2d(x, torch.cat(weights), torch.cat([bias] * together), padding=1, groups=groups)


def _halved(x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n channels rows columns"]:
    """Returns the largest of every 2×2 cells.

    PyTorch's layer also finds each one's position, for the gradient. Without a gradient, two maxima take a quarter of its time
    on a CPU, and an evaluation an eighth less (benchmarks/step.py).
    """
    if x.requires_grad:
        return functional.max_pool2d(x, 2)
    rows, columns = (side // 2 * 2 for side in x.shape[2:])
    x = torch.maximum(x[:, :, 0:rows:2, :columns], x[:, :, 1:rows:2, :columns])
    return torch.maximum(x[..., 0::2], x[..., 1::2])


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
