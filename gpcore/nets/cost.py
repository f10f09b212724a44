"""What a network costs: numbers to learn and arithmetic to do, and how much of each is its head."""

from dataclasses import dataclass

import torch
from torch import nn

from gpcore.nets.network import Network


@dataclass(frozen=True)
class Cost:
    """Of a whole network and of its head, which is all behind the trunk.

    `flops` are floating-point operations for one image, a multiplication and an addition being two, as PyTorch counts them: in
    convolutions and linear layers. The few additions and comparisons of a pooling, a rectifier or a bias are not among them.
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
    from torch.utils.flop_counter import FlopCounterMode  # which brings Triton along: 0.2 s for whoever asks for no cost

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops()
