"""Random changes to a batch of training images: pure functions, (n, channels, height, width) in and out."""

from collections.abc import Callable

import torch
from torch.nn import functional

from gpcore.nets.network import Images
from gpcore.recipe import Augmentation
from gpcore.training.photographic import photographic

CROP_PADDING = 1
"""Pixels of zeros around an image before it is cropped to its size: FashionMNIST's items nearly fill their images."""


def unchanged(images: Images, generator: torch.Generator) -> Images:
    """Returns the images unchanged; draws no random numbers."""
    return images


def flip(images: Images, generator: torch.Generator) -> Images:
    """Mirrors every image left to right with probability 1/2."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def flip_crop(images: Images, generator: torch.Generator) -> Images:
    """Applies `flip`, then moves every image by up to a pixel in each direction; new pixels are 0."""
    n, channels, height, width = images.shape
    padded = functional.pad(flip(images, generator), [CROP_PADDING] * 4)
    corners = torch.randint(2 * CROP_PADDING + 1, (2, n), generator=generator).to(images.device)
    rows = corners[0, :, None] + torch.arange(height, device=images.device)
    columns = corners[1, :, None] + torch.arange(width, device=images.device)
    picture = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[picture, channel, rows[:, None, :, None], columns[:, None, None, :]]


AUGMENTATIONS: dict[Augmentation, Callable[[Images, torch.Generator], Images]] = {
    "none": unchanged,
    "flip": flip,
    "flip-crop": flip_crop,
    "photo": photographic,
}
