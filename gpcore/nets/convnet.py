"""The article's network: a trunk of six convolutions, one map per class, and a global pooling."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gpcore.nets.pooling import POOLS, GlobalPool
from gpcore.recipe import Pool

CLASS_MAPS = 16
"""`network[:CLASS_MAPS]` gives the class maps: what the pooling sees."""


class ConvNet(nn.Module):
    """The article's network, `scores = pool(maps(x))`, as one `nn.Sequential` of 17 modules named `network`.

    The layer index of the feature-map pages is the `k` of `network[:k]`. With one channel and ten classes it has 18,370
    parameters. All weights start Xavier uniform and all biases at 0.01, drawn from `seed` alone, so that networks that
    differ only in their pooling start alike.

    Args:
        pool: a key of `POOLS`.
        channels: colour channels of the images.
        classes: number of classes, and so of class maps.
        seed: decides the first weights.
    """

    def __init__(self, pool: Pool, channels: int = 1, classes: int = 10, seed: int = 0) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *_block(channels, 8),
            *_block(8, 16),
            *_block(16, 32),
            nn.Conv2d(32, classes, 1),
            POOLS[pool](),
        )
        self._initialise(torch.Generator().manual_seed(seed))
        # Innermost channels make every convolution about 1.4 times as fast on a CPU (benchmarks/step.py).
        self.to(memory_format=torch.channels_last)

    def _initialise(self, generator: torch.Generator) -> None:
        for module in self.network:
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.constant_(cast(Tensor, module.bias), 0.01)

    @property
    def pool(self) -> GlobalPool:
        """The last module: the global pooling."""
        return cast(GlobalPool, self.network[CLASS_MAPS])

    def maps(self, x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n classes rows columns"]:
        """The class maps, one per class: for images of 28×28 pixels, 3×3 cells each."""
        return self.network[:CLASS_MAPS](x)

    def forward(self, x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n classes"]:
        """The pooled scores, before any sigmoid, of images with values in [0, 1]."""
        return self.pool(self.maps(x))


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
