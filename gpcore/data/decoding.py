"""Any bytes that claim to be a picture, as pixels: limited before anything is unpacked, one clear sentence for the rest.

photo = decode(path.read_bytes(), path.name)
photo.pixels  # uint8 (height, width, 3)
"""

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
from jaxtyping import UInt8

from gpcore.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""What is opened, by Pillow's names."""

READABLE = "JPEG, PNG, WebP, AVIF, GIF or BMP"

MAX_BYTES = 20 * 2**20
"""The largest file that is looked at: 20 MiB."""

MAX_PIXELS = 64_000_000
"""The most pixels that are ever unpacked: 64 megapixels, enough for the largest ordinary phone photographs."""

MAX_PIXELS_WHOLE = 24_000_000
"""The same for all formats but JPEG, which alone can be unpacked at a fraction of its size."""

MIN_SIDE = 8
"""Pixels along the shorter side below which nothing can be recognised."""

MAX_ASPECT = 20.0
"""How many times longer than wide a picture may be."""

WORKING_SIDE = 640
"""Pixels along the longer side that a photograph is reduced to: all that is ever shown, and far more than 28."""

KNOWN_STRANGERS = (
    (b"<svg", "is an SVG drawing, not a photograph: export it as PNG"),
    (b"ftypheic", "is a HEIC photograph, which can't be read here: share it as JPEG (on an iPhone: “Most compatible”)"),
    (b"ftypheix", "is a HEIC photograph, which can't be read here: share it as JPEG (on an iPhone: “Most compatible”)"),
    (b"ftypmif1", "is a HEIF photograph, which can't be read here: share it as JPEG (on an iPhone: “Most compatible”)"),
    (b"%PDF", "is a PDF document: save the picture in it as JPEG or PNG"),
)


@dataclass(frozen=True)
class Photo:
    """A picture as it is meant to be seen.

    `pixels` (height, width, 3) are its colours, `opaque` (height, width) is False where it was transparent (there `pixels`
    are white), and None for a picture without transparency. `notes` tell, in whole sentences, what had to be ignored.
    """

    name: str
    pixels: UInt8[np.ndarray, "height width 3"]
    opaque: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_photo(path: Path) -> Photo:
    """The photograph in a file; raises ImageError as `decode` does, and where the file can't be read."""
    try:
        with open(path, "rb") as file:
            return decode(file.read(MAX_BYTES + 1), path.name)
    except OSError as error:
        raise ImageError(f"{path} can't be read ({error.strerror}): check the path.") from error


def decode(data: bytes, name: str) -> Photo:
    """The picture in `data`: turned upright as its EXIF block says, in 8-bit colour, at most `WORKING_SIDE` pixels long.

    Its size is known from the header before a single pixel is unpacked; JPEG files are unpacked at a fraction of their
    resolution, which makes a 12-megapixel photograph about ten times faster.

    Raises:
        ImageError: empty, too large, animated, cut short, no picture, of a kind that is not read, or without a content.
    """
    shown = shown_name(name)
    if not data:
        raise ImageError(f"{shown} is empty: choose a file with a picture in it.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{shown} is larger than {MAX_BYTES >> 20} MiB: reduce it, or send it as JPEG.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is checked here, and of metadata that nobody needs
        image = _opened(data, shown)
        _check_shape(image, shown)
        upright, notes = _upright(_unpacked(image, shown), shown)
    return _with_content(Photo(shown, *_as_colours(upright), notes))


def shown_name(name: str) -> str:
    """The last part of a file's name, without what a terminal, a page or a path could take for something else.

    >>> shown_name("../../etc/<b>shoe</b>.png")
    'b_.png'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = "".join(character if character.isalnum() or character in " ._-()+,=@" else "_" for character in last)
    return cleaned.strip(" .")[-80:] or "picture"


def _opened(data: bytes, name: str) -> PIL.Image.Image:
    """The picture's header, read and understood; nothing is unpacked yet."""
    try:
        return PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise ImageError(_too_many_pixels(name)) from error
    except Exception as error:  # a decoder's ways to fail on arbitrary bytes can't be listed
        known = next((text for mark, text in KNOWN_STRANGERS if mark in data[:1024]), None)
        raise ImageError(f"{name} {known or f'is no picture that can be read: send {READABLE}'}.") from error


def _check_shape(image: PIL.Image.Image, name: str) -> None:
    width, height = image.size
    most = MAX_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS_WHOLE
    if width * height > most:
        raise ImageError(_too_many_pixels(name, image.size, most))
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} has {width:,}×{height:,} pixels: at least {MIN_SIDE} are needed in each direction.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{name} has {width:,}×{height:,} pixels: crop it, it may be {MAX_ASPECT:.0f} times as long as wide.")
    # A JPEG with a second picture behind it, as some phones write it, is an "MPO" to Pillow, and no animation.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{name} is an animation: send one picture of it.")


def _too_many_pixels(name: str, size: tuple[int, int] | None = None, most: int = MAX_PIXELS) -> str:
    pixels = f"{size[0]:,}×{size[1]:,}" if size else "too many"
    return f"{name} unpacks to {pixels} pixels: reduce it to at most {most // 1_000_000} megapixels."


def _unpacked(image: PIL.Image.Image, name: str) -> PIL.Image.Image:
    """The pixels, at a size not much above `WORKING_SIDE`."""
    try:
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG only: skip the finest frequencies instead of unpacking them
        image.load()
        factor = max(image.size) // WORKING_SIDE
        reducible = image.mode in ("L", "RGB", "RGBA", "CMYK", "LA")
        return image.reduce(factor) if factor > 1 and reducible else image
    except Exception as error:  # see _opened
        raise ImageError(f"{name} is damaged or cut short: open it in another program and save it again.") from error


def _upright(image: PIL.Image.Image, name: str) -> tuple[PIL.Image.Image, tuple[str, ...]]:
    """The image turned as the camera was held."""
    try:
        return PIL.ImageOps.exif_transpose(image), ()
    except Exception:  # see _opened
        return image, (f"The EXIF block of {name} is damaged, so the picture is shown as it was stored.",)


def _as_colours(image: PIL.Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """8-bit colours over white, and where the image is opaque if it knows transparency."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip to 255
        image = PIL.Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
    transparent = "A" in image.getbands() or "transparency" in image.info
    image = image.convert("RGBA" if transparent else "RGB")
    if max(image.size) > WORKING_SIDE:
        scale = WORKING_SIDE / max(image.size)
        width, height = (max(1, math.floor(side * scale + 0.5)) for side in image.size)
        image = image.resize((width, height), PIL.Image.Resampling.BOX)
    array = np.asarray(image)
    if not transparent or (array[..., 3] == 255).all():
        return np.ascontiguousarray(array[..., :3]), None
    alpha = array[..., 3:].astype(np.float32) / 255
    over_white = array[..., :3] * alpha + 255 * (1 - alpha)
    return np.rint(over_white).astype(np.uint8), array[..., 3] >= 128


def _with_content(photo: Photo) -> Photo:
    if photo.opaque is not None and not photo.opaque.any():
        raise ImageError(f"{photo.name} is fully transparent: there is nothing to see in it.")
    if photo.opaque is None and np.ptp(photo.pixels.reshape(-1, 3), axis=0).max() == 0:
        raise ImageError(f"{photo.name} is all one colour: there is nothing to see in it.")
    return photo
