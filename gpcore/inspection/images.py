"""Turns images of any kind into a batch for a network: tensors unchanged, pictures prepared first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gpcore.data.decoding import read_photo
from gpcore.errors import ImageError

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""The mean and deviation for torchvision's and most of timm's networks."""

USUAL_SIZE = 224
"""Side of the default example in pixels."""

CROP = 0.875
"""The part of a picture's shorter side that is kept, as in torchvision's own preparation (224 of 256)."""

Picture = Tensor | np.ndarray | PIL.Image.Image | str | Path
Transform = Callable[[PIL.Image.Image], Tensor]


@dataclass(frozen=True)
class Preparation:
    """How pictures become a network's input: the shorter side resized, the middle cut out, then mean and deviation."""

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, model: nn.Module, size: tuple[int, int, int] | None) -> "Preparation":
        """Uses timm's own configuration, if the network has one; otherwise ImageNet's, or [0, 1] for grey images."""
        known: dict[str, Any] = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
        channels, height, width = size or known.get("input_size") or (_channels(model), USUAL_SIZE, USUAL_SIZE)
        usual = (IMAGENET_MEAN, IMAGENET_DEVIATION) if channels == 3 else ((0.0,) * channels, (1.0,) * channels)
        mean, deviation = known.get("mean", usual[0]), known.get("std", usual[1])
        return cls(channels, height, width, tuple(mean), tuple(deviation))

    def __call__(self, picture: PIL.Image.Image) -> Float[Tensor, "channels height width"]:
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        scale = max(self.height / picture.height, self.width / picture.width) / (CROP if self.height > 64 else 1)
        size = max(self.width, round(picture.width * scale)), max(self.height, round(picture.height * scale))
        left, top = (size[0] - self.width) // 2, (size[1] - self.height) // 2
        cut = picture.resize(size, PIL.Image.Resampling.BILINEAR).crop((left, top, left + self.width, top + self.height))
        pixels = torch.from_numpy(np.array(cut)).reshape(self.height, self.width, self.channels).permute(2, 0, 1)
        return self.normalised(pixels.float() / 255)

    def example(self) -> Float[Tensor, "1 channels height width"]:
        """Returns noise, always the same: on a flat image every pooling would have the same result."""
        noise = torch.rand(1, self.channels, self.height, self.width, generator=torch.Generator().manual_seed(0))
        return self.normalised(noise[0])[None]

    def shown(self, x: Float[Tensor, "channels height width"]) -> np.ndarray:
        """Returns an input as visible pixels (height, width, 3)."""
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        pixels = (x.float().cpu() * deviation + mean).clamp(0, 1).mul(255).round().byte()
        return pixels[:3].expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()

    def normalised(self, pixels: Float[Tensor, "*n channels height width"]) -> Float[Tensor, "*n channels height width"]:
        """Subtracts the mean and divides by the deviation."""
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        return (pixels - mean) / deviation


def _channels(model: nn.Module) -> int:
    """Those of the first convolution."""
    return next((module.in_channels for module in model.modules() if isinstance(module, nn.Conv2d)), 3)


def as_batch(images: Picture | Iterable[Picture], transform: Transform) -> Float[Tensor, "n channels height width"]:
    """One image or several as a batch: tensors of floats are taken as the network's input, everything else is prepared.

    Raises:
        ImageError: something is not a picture.
    """
    if isinstance(images, Tensor):
        if images.ndim not in (3, 4) or not images.is_floating_point():
            raise ImageError(
                f"The tensor has shape {tuple(images.shape)} and type {images.dtype}: give floats of shape (channels, height, "
                "width), or (n, channels, height, width), prepared as for the network."
            )
        return images if images.ndim == 4 else images[None]
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = list(images)
    several = [images] if isinstance(images, np.ndarray | PIL.Image.Image | str | Path) else list(images)
    if not several:
        raise ImageError("There is no image: give at least one.")
    return torch.stack([one if isinstance(one, Tensor) else transform(_picture(one)) for one in several])


def _picture(image: Picture) -> PIL.Image.Image:
    if isinstance(image, str | Path):
        return PIL.Image.fromarray(read_photo(Path(image)).pixels)
    if isinstance(image, PIL.Image.Image):
        return image
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2:] in ((1,), (3,), (4,))):
        return PIL.Image.fromarray(image.squeeze() if image.shape[2:] == (1,) else image)
    kind = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    raise ImageError(f"{kind} is not a picture: give a path, a PIL image, uint8 of (height, width, 3), or a tensor of floats.")
