"""A network's cost: its parameters and arithmetic, and the head's part of both."""

from dataclasses import dataclass

import torch
from torch import nn

from gpcore.nets.network import Network


@dataclass(frozen=True)
class Cost:
    """The cost of a whole network and of its head, which is everything after the trunk.

    `flops` are floating-point operations for one image as PyTorch counts them: two for a multiplication and an addition, in
    convolutions and linear layers. The few operations of poolings, rectifiers and biases are not counted.
    """

    parameters: int
    head_parameters: int
    flops: int
    head_flops: int


def cost(network: Network, image_shape: tuple[int, int, int]) -> Cost:
    """The cost of a network for images of (channels, height, width)."""
    trunk, head = network.network[: network.depth], network.head
    image = torch.zeros(1, *image_shape)
    with torch.no_grad():
        features = trunk(image)
    trunk_flops, head_flops = _flops(trunk, image), _flops(head, features)
    return Cost(_count(network), _count(head), trunk_flops + head_flops, head_flops)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _flops(module: nn.Module, x: torch.Tensor) -> int:
    from torch.utils.flop_counter import FlopCounterMode  # it imports Triton, which takes 0.2 s

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops()
