"""Moves a trained network's pooling from behind the last layer to before it: for a mean the same function, otherwise not.

With W the 1×1 convolution and F the features, a network on class maps computes `pool(W F)`, one on features `W pool(F)`. A mean
is linear and commutes with W. A maximum does not: after W it takes the *one* cell with the highest class score; before W each
feature takes its own best cell, and the combination may occur nowhere in the image.
"""

from torch import nn

from gpcore.errors import InsightError
from gpcore.nets.heads import LinearLayer
from gpcore.nets.network import Network
from gpcore.nets.pooling import POOLS


def moved(network: Network) -> Network:
    """Returns a copy of a trained network that pools its features; the convolution follows as a linear layer.

    Raises:
        InsightError: the pooling is not on class maps, or has learned weights for each of them.
    """
    if not network.has_class_maps:
        raise InsightError("Its pooling is not on class maps, so it can't be moved: choose GAP or GMP.")
    if any(True for _ in network.pool.parameters()):
        raise InsightError(f"{network.pool.label} has learned weights for class maps, which mean nothing on features.")
    convolution = network.head[0]
    assert isinstance(convolution, nn.Conv2d)
    linear = LinearLayer(convolution.in_channels, convolution.out_channels)
    linear.load_state_dict({"weight": convolution.weight[:, :, 0, 0], "bias": convolution.bias})
    return network.with_head(POOLS[network.pool_name](convolution.in_channels), linear).eval().requires_grad_(False)
