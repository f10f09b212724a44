"""Small changes to an image, to try what a network makes of them: pure functions, values in [0, 1] in and out."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Change:
    """What is done to an image, in this order: moved, turned and scaled about its centre, made noisy, partly erased.

    `right` and `down` in pixels, `angle` in degrees clockwise, `scale` as a factor, `noise` as the standard deviation of
    what is added to every pixel (always the same draw, so that a link shows the same noise), `rows` and `columns` from the
    first erased pixel to the one after the last. What comes in from outside, and what is erased, is 0.
    """

    right: int = 0
    down: int = 0
    angle: float = 0.0
    scale: float = 1.0
    noise: float = 0.0
    rows: tuple[int, int] = (0, 0)
    columns: tuple[int, int] = (0, 0)


UNCHANGED = Change()


def changed(images: Float[Tensor, "n channels height width"], change: Change) -> Float[Tensor, "n channels height width"]:
    """The images with a change made; with `UNCHANGED` the same, bit for bit."""
    if (change.right, change.down, change.angle, change.scale) != (0, 0, 0.0, 1.0):
        # Imported here, as it takes two seconds, which nobody need wait for who changes nothing.
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import affine

        shift = [change.right, change.down]
        images = affine(images, change.angle, shift, change.scale, [0.0, 0.0], InterpolationMode.BILINEAR)
    if change.noise:
        draw = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(0))
        images = (images + change.noise * draw.to(images.device)).clamp(0, 1)
    return _erased(images, change.rows, change.columns)


def _erased(images: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    if rows[0] == rows[1] or columns[0] == columns[1]:
        return images
    images = images.clone()
    images[:, :, slice(*rows), slice(*columns)] = 0
    return images
