"""Small changes to an image, to test a network's reaction: pure functions, values in [0, 1] in and out."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Change:
    """Changes to an image, applied in this order: move, rotate and scale about its centre, add noise, erase a part.

    `right` and `down` in pixels, `angle` in degrees clockwise, `scale` as a factor, `noise` as the standard deviation of
    what is added to every pixel (always the same draw, so that a link shows the same noise), `rows` and `columns` from the
    first erased pixel to the one after the last. Pixels from outside the image and erased pixels are 0.
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
    """Returns the changed images; with `UNCHANGED` they are the same to the bit."""
    if (change.right, change.down, change.angle, change.scale) != (0, 0, 0.0, 1.0):
        # Imported here, since it takes two seconds and unchanged images don't need it.
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
