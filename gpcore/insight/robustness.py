"""Accuracy on disturbed test images: seven disturbances of increasing severity.

Every image has its own direction, angle or place, drawn once: all severities and all networks use the same ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gpcore.data.datasets import Split
from gpcore.errors import InsightError
from gpcore.insight.layer_maps import of_all
from gpcore.nets.network import Images, Network
from gpcore.recipe import Output
from gpcore.training.evaluate import answers, output_of

Disturb = Callable[[Images, float, torch.Generator], Images]


@dataclass(frozen=True)
class Disturbance:
    """A disturbance, its severities and their unit; the first severity changes nothing."""

    title: str
    unit: str
    severities: Sequence[float]
    disturb: Disturb


def shifted(images: Images, pixels: float, generator: torch.Generator) -> Images:
    """Moved by so many pixels, each image in a direction of its own; what comes in is 0."""
    angle = _drawn(images, generator) * 2 * torch.pi
    height, width = images.shape[2:]
    return _resampled(images, angle * 0, torch.ones_like(angle), pixels * angle.cos() / width, pixels * angle.sin() / height)


def turned(images: Images, degrees: float, generator: torch.Generator) -> Images:
    """Turned about the middle by so many degrees, half of the images to either side."""
    side = (_drawn(images, generator) < 0.5) * 2 - 1
    return _resampled(images, side * torch.deg2rad(torch.tensor(degrees)), torch.ones(len(images)))


def scaled_to(images: Images, factor: float, generator: torch.Generator) -> Images:
    """Enlarged about the middle by a factor, or reduced."""
    return _resampled(images, torch.zeros(len(images)), torch.full((len(images),), factor))


def noisy(images: Images, deviation: float, generator: torch.Generator) -> Images:
    """With Gaussian noise of a standard deviation, white being 1."""
    return (images + deviation * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def blurred(images: Images, deviation: float, generator: torch.Generator) -> Images:
    """Blurred by a Gaussian with a standard deviation in pixels."""
    if deviation == 0:
        return images
    from torchvision.transforms.functional import gaussian_blur  # takes two seconds to import

    return gaussian_blur(images, [2 * round(3 * deviation) + 1] * 2, [deviation] * 2)


def faded(images: Images, contrast: float, generator: torch.Generator) -> Images:
    """With a share of its contrast, about the image's own mean."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + contrast * (images - mean)


def occluded(images: Images, share: float, generator: torch.Generator) -> Images:
    """With a black square over a share of the image, anywhere in it."""
    height, width = images.shape[2:]
    rows, columns = round(height * share**0.5), round(width * share**0.5)
    top = (_drawn(images, generator) * (height - rows + 1)).long()[:, None]
    left = (_drawn(images, generator) * (width - columns + 1)).long()[:, None]
    row, column = torch.arange(height), torch.arange(width)
    covered = ((row >= top) & (row < top + rows))[:, :, None] & ((column >= left) & (column < left + columns))[:, None]
    return images * ~covered[:, None]


DISTURBANCES: dict[str, Disturbance] = {
    "shift": Disturbance("Shift", "pixels", (0, 1, 2, 3, 4, 6, 8), shifted),
    "rotation": Disturbance("Rotation", "degrees", (0, 10, 20, 30, 45, 60, 90), turned),
    "scale": Disturbance("Scale", "times as large", (1, 0.85, 0.7, 0.55, 0.4, 0.3, 0.2), scaled_to),
    "noise": Disturbance("Noise", "standard deviation", (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5), noisy),
    "blur": Disturbance("Blur", "pixels of standard deviation", (0, 0.5, 0.75, 1, 1.5, 2, 3), blurred),
    "contrast": Disturbance("Contrast", "of the contrast left", (1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1), faded),
    "occlusion": Disturbance("Occlusion", "of the image covered", (0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6), occluded),
}


def accuracy(network: Network, split: Split, output: Output, disturbance: str, severity: float, seed: int = 0) -> float:
    """Returns the accuracy on a split's disturbed images.

    Raises:
        InsightError: there is no such disturbance.
    """
    if disturbance not in DISTURBANCES:
        raise InsightError(f"disturbance is {disturbance!r}: choose one of {', '.join(DISTURBANCES)}.")
    chosen = DISTURBANCES[disturbance]

    def answered(images: Images) -> Tensor:
        disturbed = images
        if severity != chosen.severities[0]:
            disturbed = chosen.disturb(images, severity, torch.Generator().manual_seed(seed))
        return answers(output_of(network(disturbed), output))

    return (of_all(answered, split) == split.labels).float().mean().item()


def example(images: Images, disturbance: str, seed: int = 0) -> Float[Tensor, "severities channels height width"]:
    """Returns one image, (1, channels, height, width), at every severity of a disturbance, in their order."""
    chosen = DISTURBANCES[disturbance]
    disturbed = [chosen.disturb(images, each, torch.Generator().manual_seed(seed)) for each in chosen.severities[1:]]
    return torch.cat([images, *disturbed]).clamp(0, 1)


def _drawn(images: Images, generator: torch.Generator) -> Float[Tensor, " n"]:
    """A number between 0 and 1 for each image."""
    return torch.rand(len(images), generator=generator)


def _resampled(
    images: Images, angle: Tensor, factor: Tensor, right: Tensor | float = 0.0, down: Tensor | float = 0.0
) -> Images:
    """Turned by `angle` (radians, clockwise), scaled, and moved by shares of the image's width and height; bilinear."""
    cosine, sine = angle.cos() / factor, angle.sin() / factor
    height, width = images.shape[2:]
    right, down = 2 * torch.zeros_like(factor).add(right), 2 * torch.zeros_like(factor).add(down)
    # `affine_grid` maps each pixel to its source, so everything is inverted.
    rows = torch.stack([cosine, sine * height / width, -(cosine * right + sine * height / width * down)], dim=1)
    columns = torch.stack([-sine * width / height, cosine, sine * width / height * right - cosine * down], dim=1)
    grid = functional.affine_grid(torch.stack([rows, columns], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
