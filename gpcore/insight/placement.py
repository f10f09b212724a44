"""The same weights with the pooling before the last layer instead of behind it: for a mean the same function, else another.

With W the 1×1 convolution and F the features, a network on class maps scores `pool(W F)`, one on features `W pool(F)`. A mean
is linear and changes places with W. A maximum does not: behind W it is taken where *one* cell has most of what the class
wants, before W each feature brings its own best cell, and together they may look like no place of the image.
"""

from torch import nn

from gpcore.errors import InsightError
from gpcore.nets.heads import LinearLayer
from gpcore.nets.network import Network
from gpcore.nets.pooling import POOLS


def moved(network: Network) -> Network:
    """A copy of a trained network whose pooling stands on the features, the convolution behind it as a linear layer.

    Raises:
        InsightError: the pooling does not stand on class maps, or has learned something of each of them.
    """
    if not network.has_class_maps:
        raise InsightError("Its pooling does not stand on class maps, so there is nothing to move: choose GAP or GMP.")
    if any(True for _ in network.pool.parameters()):
        raise InsightError(f"{network.pool.label} has learned weights for class maps, which mean nothing on features.")
    convolution = network.head[0]
    assert isinstance(convolution, nn.Conv2d)
    linear = LinearLayer(convolution.in_channels, convolution.out_channels)
    linear.load_state_dict({"weight": convolution.weight[:, :, 0, 0], "bias": convolution.bias})
    return network.with_head(POOLS[network.pool_name](convolution.in_channels), linear).eval().requires_grad_(False)
