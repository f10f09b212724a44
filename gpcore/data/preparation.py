"""Prepares a photograph, step by step, as a 28×28 picture like FashionMNIST's.

FashionMNIST's pictures come from product photographs on white (Xiao et al. 2017, arXiv:1708.07747, figure 1): trimmed,
subsampled so that the longest edge has 28 pixels, sharpened, extended to 28×28, negated, turned to grey. `prepare` follows the
same steps. A photograph has no white background, so its object is cut out first.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from gpcore.data.decoding import Photo
from gpcore.data.foreground import Levels, Mask, find_foreground

Image = UInt8[np.ndarray, "28 28"]
Kind = Literal["dataset image", "product picture", "photograph"]
Foreground = Literal["automatic", "swapped", "everything"]
Polarity = Literal["automatic", "negated", "kept"]

SIDE = 28

TRIM = 0.05
"""How far a pixel may be from the background's colour, as a part of the range, and still be trimmed: the paper's value."""

SHARPENING = 0.8
"""Share of (image − its blur) that is added: the paper sharpens by a Gaussian of radius 1 and does not state the amount."""

NARROWING = 0.85
"""Clothes laid flat are wider than FashionMNIST's, which are worn: widths are multiplied by this. On the 350 development
photographs on which it was chosen, it gains 2 to 9 points over 1.0, depending on the run (benchmarks/photos.py)."""

PLAIN = 3.0
"""Largest grey-level deviation of an artificial background: none of 500 photographs was mistaken for one."""


VISIBLE, SEEN = 32, 0.4
"""The grey level from which a pixel of the object can be seen on black, and the share of them below which light and dark are
exchanged: a white garment would be negated to black."""

FLAT = 4.0
"""Grey levels within which an object is flat, such as an icon: it becomes white."""

FRAME_TOLERANCE, FRAME_EDGE = 12, 0.98
"""Grey levels within which a line is of one colour, and the share of the next line that must differ for it to be a frame."""


@dataclass(frozen=True)
class Box:
    """A rectangle as fractions of a photograph's width and height; it may reach beyond the photograph."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE = Box()


@dataclass(frozen=True)
class Correction:
    """A visitor's corrections: search only inside `box`, take the other part, negate or don't."""

    box: Box = WHOLE
    foreground: Foreground = "automatic"
    polarity: Polarity = "automatic"


AUTOMATIC = Correction()


@dataclass(frozen=True)
class Step:
    """One step of the preparation, for display: grey (height, width) or colour (height, width, 3), uint8."""

    title: str
    picture: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A prepared photograph.

    `image` uint8 is what the network gets, of shape (28, 28), or (channels, height, width) where a dataset has other images.
    `views` are it and its variants, over which an answer is averaged, `box` is the part of the photograph that the image shows,
    and `steps` are how it came about.
    """

    kind: Kind
    image: UInt8[np.ndarray, "*channels height width"]
    views: UInt8[np.ndarray, "n *channels height width"]
    box: Box
    steps: tuple[Step, ...]


@dataclass
class Found:
    """The object last found in a photograph, so that corrections that keep the box need no new search.

    Cutting it out takes longer than all other steps together. Only the last box's mask is kept.
    """

    window: Box | None = None
    mask: Mask | None = None

    def inside(self, window: Box, part: Photo) -> Mask:
        """Returns the object in a window of the photograph."""
        if self.mask is None or window != self.window:
            self.window, self.mask = window, find_foreground(part)
        return self.mask


def prepare(photo: Photo, correction: Correction = AUTOMATIC, found: Found | None = None) -> Prepared:
    """Returns the 28×28 picture of a photograph, with all its steps; `found` is the cache of earlier calls for it.

    - A 28×28 picture, light on black, is already like the dataset's: it stays the same to the bit.
    - A product picture, on an artificial background of one colour, follows the paper's steps exactly.
    - In a photograph the object is cut out, its contrast stretched over the whole range, as in nearly every image of the
      dataset, and its width multiplied by `NARROWING`.
    """
    if correction == AUTOMATIC and is_dataset_image(photo):
        image = photo.pixels[..., 0]
        return Prepared("dataset image", image, image[None], WHOLE, (Step("28×28 already", image),))
    part, window = _cropped(photo, correction.box if correction.box != WHOLE else unframed(photo.pixels))
    if part.opaque is None and correction.foreground == "automatic" and _ground_is_plain(part.pixels):
        kind: Kind = "product picture"
        mask, width = _unlike_ground(part.pixels), 1.0
    else:
        kind = "photograph"
        mask, width = _chosen(part, window, correction.foreground, found or Found()), NARROWING
    levels = _levels(part.pixels, mask, kind, correction.polarity)
    image = _on_canvas(levels, mask, width, kind)
    steps = (
        Step("as it is", photo.pixels),
        Step("the object", np.where(mask[..., None], part.pixels, 255).astype(np.uint8)),
        Step("grey, negated, stretched", np.rint(np.where(mask, levels, 0)).astype(np.uint8)),
        Step("28×28", image),
    )
    return Prepared(kind, image, image[None], _seen(mask, width, window), steps)


def unframed(pixels: np.ndarray) -> Box:
    """Returns the part of a picture inside its frames: lines and bars of one colour that end along a straight edge.

    The background of a product picture is not a frame: the first line that is not of its colour still holds a lot of it.
    """
    height, width = pixels.shape[:2]
    top, bottom, left, right = 0, height, 0, width
    for _ in range(2):  # a frame around bars
        inner = pixels[top:bottom, left:right].astype(np.int16)
        above, below = _frame(inner), _frame(inner[::-1])
        across = inner[above : len(inner) - below].swapaxes(0, 1)
        before, after = _frame(across), _frame(across[::-1])
        if bottom - top - above - below < height / 4 or right - left - before - after < width / 4:
            break
        top, bottom, left, right = top + above, bottom - below, left + before, right - after
    return Box(left / width, top / height, right / width, bottom / height)


def _frame(lines: np.ndarray) -> int:
    """How many of the first lines are a frame; one more, where the edge is blurred."""
    colour = np.median(lines[0], axis=0)
    unlike = np.abs(lines - colour).max(2) > FRAME_TOLERANCE
    busy = np.flatnonzero(unlike.mean(1) > 1 - FRAME_EDGE)
    if not len(busy) or not busy[0] or len(lines) < busy[0] + 8:
        return 0
    first = busy[0]
    return int(first) + 1 if unlike[first : first + 2].mean(1).max() >= FRAME_EDGE else 0


def is_dataset_image(photo: Photo) -> bool:
    """Whether a picture is 28×28, grey and light on black, as all of FashionMNIST's are."""
    pixels = photo.pixels
    if photo.opaque is not None or pixels.shape != (SIDE, SIDE, 3) or np.ptp(pixels, axis=2).any():
        return False
    ring = _ring(pixels, 1)[:, 0]
    return bool(np.count_nonzero(ring < 32) > np.count_nonzero(ring > 223))


def _ring(pixels: np.ndarray, width: int) -> np.ndarray:
    """The outermost pixels, (n, 3)."""
    parts = pixels[:width], pixels[-width:], pixels[:, :width], pixels[:, -width:]
    return np.concatenate([part.reshape(-1, 3) for part in parts])


def _ground(pixels: np.ndarray) -> np.ndarray:
    """The colour of the ground: the median of the four corners."""
    corners = pixels[:3, :3], pixels[:3, -3:], pixels[-3:, :3], pixels[-3:, -3:]
    return np.median([corner.reshape(-1, 3).mean(0) for corner in corners], axis=0)


def _ground_is_plain(pixels: np.ndarray) -> bool:
    """Returns whether at least 30 % of the border has exactly the corners' colour, which no photograph has."""
    ring = _ring(pixels, 2).astype(float)
    near = ring[np.abs(ring - _ground(pixels)).max(1) <= TRIM * 255]
    return len(near) >= 0.3 * len(ring) and float(near.std(0).max()) < PLAIN


def _unlike_ground(pixels: np.ndarray) -> Mask:
    unlike = np.abs(pixels - _ground(pixels)).max(2) > TRIM * 255
    return unlike if unlike.any() else np.ones_like(unlike)


def _chosen(part: Photo, window: Box, foreground: Foreground, found: Found) -> Mask:
    if foreground == "everything":
        return np.ones(part.pixels.shape[:2], bool)
    mask = found.inside(window, part)
    swapped = ~mask if foreground == "swapped" else mask
    return swapped if swapped.any() else mask


def _cropped(photo: Photo, box: Box) -> tuple[Photo, Box]:
    """Returns the part of a photograph inside a box, and that box on whole pixels, at least two in each direction."""
    width, height = photo.size
    left, right = _span(box.left, box.right, width)
    top, bottom = _span(box.top, box.bottom, height)
    area = slice(top, bottom), slice(left, right)
    opaque = None if photo.opaque is None or not photo.opaque[area].any() else photo.opaque[area]
    part = Photo(photo.name, np.ascontiguousarray(photo.pixels[area]), opaque, photo.notes)
    return part, Box(left / width, top / height, right / width, bottom / height)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(0, round(low * size)), size - 2)
    return first, min(size, max(first + 2, round(high * size)))


def _levels(pixels: np.ndarray, mask: Mask, kind: Kind, polarity: Polarity) -> Levels:
    """Returns the brightness in 0..255 for the network: higher means less like the background."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    ground = float(_ground(pixels) @ (0.299, 0.587, 0.114))
    # A product on black is already light on black; everything else is negated, as in the paper.
    negated = polarity == "negated" or (polarity == "automatic" and not (kind == "product picture" and ground < 64))
    levels = _stretched(grey, ground, mask, kind, negated)
    if polarity == "automatic" and _seen_share(levels, mask) < SEEN:
        levels = max(levels, _stretched(grey, ground, mask, kind, not negated), key=lambda each: _seen_share(each, mask))
    return levels


def _stretched(grey: Levels, ground: float, mask: Mask, kind: Kind, negated: bool) -> Levels:
    if negated:
        grey, ground = 255 - grey, 255 - ground
    inside = grey[mask]
    low, high = (ground, inside.max()) if kind == "product picture" else np.percentile(inside, (1, 99))
    if np.ptp(inside) < FLAT:
        return np.full_like(grey, 255 if kind == "photograph" or high > low else 0)
    return np.clip((grey - low) / max(high - low, 1.0), 0, 1) * 255


def _seen_share(levels: Levels, mask: Mask) -> float:
    return float((levels[mask] >= VISIBLE).mean())


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of a mask, the ends not included."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _fitted(height: float, width: float) -> tuple[int, int]:
    """Returns (rows, columns) of an object scaled so that its longest edge has 28 pixels."""
    scale = SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _on_canvas(levels: Levels, mask: Mask, width_factor: float, kind: Kind) -> Image:
    """Returns the object alone, trimmed, its longest edge 28 pixels, centred on black."""
    top, bottom, left, right = _bounds(mask)
    part = np.where(mask, levels, 0)[top:bottom, left:right].astype(np.float32)
    rows, columns = _fitted(bottom - top, (right - left) * width_factor)
    canvas = np.zeros((SIDE, SIDE), np.float32)
    above, before = (SIDE - rows + 1) // 2, (SIDE - columns + 1) // 2  # the dataset rounds to the lower right
    canvas[above : above + rows, before : before + columns] = _resized(part, rows, columns, kind)
    return np.rint(canvas).astype(np.uint8)


def _resized(part: np.ndarray, rows: int, columns: int, kind: Kind) -> np.ndarray:
    if kind == "product picture":  # as in the paper: rows and columns are dropped
        height, width = part.shape
        chosen_rows = ((np.arange(rows) + 0.5) * height / rows).astype(int)
        chosen_columns = ((np.arange(columns) + 0.5) * width / columns).astype(int)
        return part[chosen_rows][:, chosen_columns]
    reduced = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.clip(reduced + SHARPENING * (reduced - cv2.GaussianBlur(reduced, (0, 0), 1.0)), 0, 255)


def _seen(mask: Mask, width_factor: float, window: Box) -> Box:
    """Which part of the whole photograph the 28×28 canvas shows."""
    height, width = mask.shape
    top, bottom, left, right = _bounds(mask)
    side = max(bottom - top, (right - left) * width_factor)
    middle_row, middle_column = (top + bottom) / 2, (left + right) / 2
    half_height, half_width = side / 2, side / width_factor / 2
    across, down = (window.right - window.left) / width, (window.bottom - window.top) / height
    return Box(
        window.left + (middle_column - half_width) * across,
        window.top + (middle_row - half_height) * down,
        window.left + (middle_column + half_width) * across,
        window.top + (middle_row + half_height) * down,
    )
