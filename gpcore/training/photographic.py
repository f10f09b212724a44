"""The `photo` augmentation: changes training images to look like prepared photographs.

Clothes on a floor are wider, turned and crumpled; shoes are photographed from above and in pairs; the cut-out is ragged or
includes a piece of the floor; light, prints and checks differ from a shop's. Everything is drawn for a whole batch at once.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from gpcore.nets.network import Images

Planes = Float[Tensor, "n one height width"]

OBJECT = 0.04
"""Brightness above which a pixel belongs to the object instead of the black background."""

UNTOUCHED = 0.15
"""Share of images that stay unchanged, so that the network keeps learning the dataset's own."""


class Draw:
    """Random numbers for a batch of `n` images, drawn on the CPU and moved to the images' device."""

    def __init__(self, images: Images, generator: torch.Generator) -> None:
        self.n, self.device, self.generator = len(images), images.device, generator

    def uniform(self, low: float, high: float) -> Float[Tensor, "n 1 1 1"]:
        """Returns one number for each image."""
        drawn = torch.rand(self.n, 1, 1, 1, generator=self.generator)
        return (low + (high - low) * drawn).to(self.device)

    def chance(self, probability: float) -> Bool[Tensor, "n 1 1 1"]:
        """True for each image with this probability."""
        return self.uniform(0.0, 1.0) < probability

    def field(
        self, cells: tuple[int, int], size: tuple[int, int], channels: int = 1
    ) -> Float[Tensor, "n channels height width"]:
        """Returns smooth noise: variance 1 on a grid of points, interpolated in between."""
        corners = torch.randn(self.n, channels, *cells, generator=self.generator).to(self.device)
        return functional.interpolate(corners, size, mode="bilinear", align_corners=True)


def photographic(images: Images, generator: torch.Generator) -> Images:
    """Returns the images as they might look in prepared photographs; about one in seven stays unchanged."""
    draw = Draw(images, generator)
    low = _is_low(images)
    laid = _bent(_paired(images, low, draw), low, draw)
    cover = (laid.amax(1, keepdim=True) > OBJECT).float()
    cut, kept = _cut(cover, draw)
    surfaced = _surface(laid, cover, draw)
    changed = surfaced * cut + kept * (1 - cut)
    return torch.where(draw.chance(UNTOUCHED), images, _sharpened(changed, draw).clamp(0, 1))


def _paired(images: Images, low: Bool[Tensor, "n 1 1 1"], draw: Draw) -> Images:
    """Turns low, wide objects (shoes from the side) upright, often two of them, as in a photograph from above."""
    mirrored = torch.where(draw.chance(0.5), images.flip(3), images)
    height, width = images.shape[2:]
    upright = functional.interpolate(mirrored.rot90(1, (2, 3)), (height, width))
    middle = upright[..., width // 7 : width - width // 7]
    one = functional.interpolate(middle, (height, (width + 1) // 2), mode="bilinear", antialias=True)
    pair = torch.cat([one, one.flip(3)], dim=3)[..., :width]
    shown = torch.where(draw.chance(0.6), pair, upright)
    return torch.where(low & draw.chance(0.6), shown, mirrored)


def _is_low(images: Images) -> Bool[Tensor, "n 1 1 1"]:
    """Returns whether the top and bottom tenths of an image are empty."""
    margin = images.shape[2] // 9
    brightest = torch.cat([images[:, :, :margin], images[:, :, -margin:]], dim=2).amax((1, 2, 3), keepdim=True)
    return brightest < OBJECT


def _bent(images: Images, low: Bool[Tensor, "n 1 1 1"], draw: Draw) -> Images:
    """Rotates, stretches, shears, moves and crumples the images by a smooth field of shifts; shoes turn by any angle."""
    n, _, height, width = images.shape
    angle = draw.uniform(-0.2, 0.2) * torch.where(low, 3.5, 1.0)
    shear, aspect, scale = draw.uniform(-0.12, 0.12), draw.uniform(-0.25, 0.25).exp(), draw.uniform(0.97, 1.12)
    cosine, sine = angle.cos(), angle.sin()
    down, across = scale * aspect.clamp(min=1), scale / aspect.clamp(max=1)
    rows = torch.cat([across * cosine, across * (shear - sine), draw.uniform(-0.1, 0.1)], dim=3)
    columns = torch.cat([down * sine, down * cosine, draw.uniform(-0.1, 0.1)], dim=3)
    grid = functional.affine_grid(torch.cat([rows, columns], dim=2)[:, 0], [n, 1, height, width], align_corners=False)
    shifts = draw.field((5, 5), (height, width), channels=2) * draw.uniform(0.0, 0.06)
    return functional.grid_sample(images, grid + shifts.permute(0, 2, 3, 1), align_corners=False)


def _surface(images: Images, cover: Planes, draw: Draw) -> Images:
    """Changes contrast, polarity, folds, light and pattern; stretches the result to the full range, as `prepare` does."""
    size = images.shape[2], images.shape[3]
    tone = torch.where(draw.chance(0.3), 1 - images, images) * draw.uniform(0.3, 1.0)
    light, folds = draw.field((3, 3), size), draw.field((6, 14), size)
    tone = tone + light * draw.uniform(0.0, 0.2) + folds * draw.uniform(0.0, 0.16)
    tone = tone + _stripes(draw, size) * draw.uniform(0.0, 0.3) * draw.chance(0.1)
    inside = cover > 0
    low = torch.where(inside, tone, math.inf).amin((1, 2, 3), keepdim=True)
    high = torch.where(inside, tone, -math.inf).amax((1, 2, 3), keepdim=True)
    stretched = ((tone - low) / (high - low).clamp(min=0.02)).nan_to_num(0).clamp(0, 1)
    return stretched.pow(draw.uniform(-0.5, 0.5).exp())


def _stripes(draw: Draw, size: tuple[int, int]) -> Planes:
    """Returns stripes of any direction and width."""
    rows = torch.linspace(-1, 1, size[0], device=draw.device)[:, None]
    columns = torch.linspace(-1, 1, size[1], device=draw.device)
    direction, frequency = draw.uniform(0.0, math.pi), draw.uniform(8.0, 40.0)
    return (frequency * (rows * direction.cos() + columns * direction.sin()) + draw.uniform(0.0, 2 * math.pi)).sin()


def _cut(cover: Planes, draw: Draw) -> tuple[Planes, Planes]:
    """Returns the mask of a ragged cut-out, and the brightness of the background that it includes."""
    size = cover.shape[2], cover.shape[3]
    wider = functional.max_pool2d(cover, 3, 1, 1)
    narrower = 1 - functional.max_pool2d(1 - cover, 3, 1, 1)
    edge = torch.where(draw.chance(0.15), wider, torch.where(draw.chance(0.2), narrower, cover))
    bites = (draw.field((6, 6), size) > 1.5).float() * draw.chance(0.1)
    left_over = (draw.field((5, 5), size) > 1.1).float() * functional.max_pool2d(cover, 7, 1, 3) * draw.chance(0.12)
    return edge * (1 - bites), left_over * (1 - edge) * draw.uniform(0.0, 1.0)


def _sharpened(images: Images, draw: Draw) -> Images:
    """Sharpens or softens: `x + a (x - blur(x))` with a between -0.3 and 1.2."""
    blurred = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    return images + draw.uniform(-0.3, 1.2) * (images - blurred)
