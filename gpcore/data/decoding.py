"""Decodes any bytes into pixels: checks limits before it unpacks anything, and refuses everything else with one sentence.

photo = decode(path.read_bytes(), path.name)
photo.pixels  # uint8 (height, width, 3)
"""

import contextlib
import errno
import functools
import io
import math
import os
import stat
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pillow_heif
from jaxtyping import UInt8

from gpcore.errors import ImageError

UNSAFE = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""Formats that Pillow opens with another program, with the operating system, or not at all."""

GUESSED = ("TGA", "SPIDER", "PCD", "IPTC")
"""Formats without a signature in their first bytes, which are tried last."""

READABLE = "JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF, JPEG 2000 or BMP"

MAX_BYTES = 20 * 2**20
"""The largest file that is opened: 20 MiB."""

MAX_PIXELS = 64_000_000
"""The most pixels that are ever unpacked: 64 megapixels, enough for the largest ordinary phone photographs."""

MAX_PIXELS_WHOLE = 24_000_000
"""The limit for all formats except JPEG, which can be unpacked at a fraction of its size."""

MIN_SIDE = 8
"""Pixels along the shorter side below which nothing can be recognised."""

MAX_ASPECT = 20.0
"""The greatest ratio of a picture's sides."""

WORKING_SIDE = 640
"""Pixels along the longer side of a reduced photograph: enough for display, and far more than 28."""

KNOWN_STRANGERS = (
    (b"<svg", "is an SVG drawing, not a photograph: export it as PNG"),
    (b"%PDF", "is a PDF document: save the picture in it as JPEG or PNG"),
)

LIGHT = 192
"""Mean brightness from which a transparent object is shown on black: on white it would hardly be visible."""

ORIENTATION = 274
"""The EXIF tag for the camera's orientation."""


@dataclass(frozen=True)
class Photo:
    """A picture in its intended orientation and colours.

    `pixels` (height, width, 3) are its colours, `opaque` (height, width) is False where it was transparent (there `pixels`
    are white, or black around a light object), and None for a picture without transparency. `notes` are
    sentences on what was ignored; `oriented` is whether its EXIF block has the camera's orientation.
    """

    name: str
    pixels: UInt8[np.ndarray, "height width 3"]
    opaque: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    oriented: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def turned(self) -> "Photo":
        """Returns the picture turned a quarter to the right."""
        opaque = None if self.opaque is None else np.rot90(self.opaque, -1)
        return replace(self, pixels=np.ascontiguousarray(np.rot90(self.pixels, -1)), opaque=opaque)


def read_photo(path: Path) -> Photo:
    """Returns the photograph in a file; raises ImageError as `decode` does, and where the file can't be read."""
    return decode(read_bytes(path), path.name)


def read_bytes(path: Path, at_most: int = MAX_BYTES) -> bytes:
    """Returns the content of a regular file, up to one byte more than `at_most`; ImageError where it can't be read."""
    try:
        with open(path, "rb", opener=_not_waiting) as file:
            return file.read(at_most + 1)
    except OSError as error:
        raise ImageError(f"{path} can't be read ({error.strerror}): check the path.") from error


def _not_waiting(path: str, flags: int) -> int:
    """Opens a regular file, and refuses others, such as a named pipe, which would wait for a writer."""
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return number


def decode(data: bytes, name: str, side: int = WORKING_SIDE, at_most: int = MAX_BYTES, allow_blank: bool = False) -> Photo:
    """Returns the picture in `data`: turned upright as its EXIF block says, in 8-bit colour, at most `side` pixels long.

    This is the only decoder, for photographs and for folders. The size is known from the header before a
    single pixel is unpacked; JPEG files are unpacked at a fraction of their resolution, which makes a 12-megapixel photograph
    about ten times faster. Of several pictures in a file the first one is taken. A smaller picture is not enlarged.

    Args:
        data: the file's content.
        name: its name in messages.
        side: pixels along the longer side, at most.
        at_most: bytes of the largest file that is opened.
        allow_blank: whether a picture of one colour is returned, not refused.

    Raises:
        ImageError: empty, too large, cut short, not a picture, too small, or (unless allowed) blank.
    """
    shown = shown_name(name)
    if len(data) > at_most:
        raise ImageError(f"{shown} is larger than {at_most >> 20} MiB: reduce it, or send it as JPEG.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about limits that are checked here, and about unused metadata
        image = _opened(io.BytesIO(data), shown)
        _check_shape(image, shown)
        several = image.format != "MPO" and _has_several(image)  # an MPO is a phone's photograph with a second one behind it
        upright, notes, oriented = _upright(_unpacked(image, shown, side), shown)
        try:
            pixels, opaque = _as_colours(upright, side)
        except Exception as error:  # see _opened
            raise ImageError(f"{shown} has colours of a kind that can't be read ({image.mode}): save it as PNG.") from error
    if several:
        notes = (*notes, f"{shown} holds several pictures: the first one is used.")
    photo = Photo(shown, pixels, opaque, notes, oriented)
    if not allow_blank:
        _check_content(photo)
    return photo


def shown_name(name: str) -> str:
    """Returns the last part of a file's name, without characters that have a meaning for a terminal, a page or a path.

    >>> shown_name("../../etc/<b>shoe</b>.png")
    'b_.png'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = "".join(character if character.isalnum() or character in " ._-()+,=@" else "_" for character in last)
    return cleaned.strip(" .")[-80:] or "picture"


@functools.cache
def formats() -> tuple[str, ...]:
    """Returns the formats that are opened, by Pillow's names."""
    pillow_heif.register_heif_opener()
    PIL.Image.preinit()
    usual = list(PIL.Image.OPEN)
    PIL.Image.init()
    known = [*usual, *PIL.Image.OPEN]
    first = [name for name in known if name not in UNSAFE and name not in GUESSED]
    return (*dict.fromkeys(first), *GUESSED)


def read_size(path: Path) -> tuple[int, int]:
    """Returns (width, height) of the picture in a file, upright, from its header alone; raises ImageError as `decode` does."""
    shown = shown_name(path.name)
    try:
        with open(path, "rb", opener=_not_waiting) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _opened(file, shown)
            _check_shape(image, shown)
            width, height = image.size
            with contextlib.suppress(Exception):  # see _opened: a damaged EXIF block costs the orientation only
                if image.getexif().get(ORIENTATION, 1) >= 5:
                    return height, width
            return width, height
    except OSError as error:
        raise ImageError(f"{shown} can't be read ({error.strerror or error}): check the path.") from error


def _opened(file: io.BufferedIOBase, name: str) -> PIL.Image.Image:
    """Reads the picture's header; nothing is unpacked yet."""
    try:
        return PIL.Image.open(file, formats=formats())  # type: ignore[arg-type]  # it only reads and seeks
    except PIL.Image.DecompressionBombError as error:
        raise ImageError(_too_many_pixels(name)) from error
    except Exception as error:  # decoders fail on arbitrary bytes with any kind of error
        file.seek(0)
        start = file.read(1024)
        known = next((text for mark, text in KNOWN_STRANGERS if mark in start), None)
        if not start:
            known = "is empty: choose a file with a picture in it"
        raise ImageError(f"{name} {known or f'is not a picture that can be read: send {READABLE}'}.") from error


def _has_several(image: PIL.Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # see _opened
        return False


def _check_shape(image: PIL.Image.Image, name: str) -> None:
    width, height = image.size
    most = MAX_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS_WHOLE
    if width * height > most:
        raise ImageError(_too_many_pixels(name, image.size, most))
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} has {width:,}×{height:,} pixels: at least {MIN_SIDE} are needed in each direction.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{name} has {width:,}×{height:,} pixels: crop it, it may be {MAX_ASPECT:.0f} times as long as wide.")


def _too_many_pixels(name: str, size: tuple[int, int] | None = None, most: int = MAX_PIXELS) -> str:
    pixels = f"{size[0]:,}×{size[1]:,}" if size else "too many"
    return f"{name} unpacks to {pixels} pixels: reduce it to at most {most // 1_000_000} megapixels."


def _unpacked(image: PIL.Image.Image, name: str, side: int) -> PIL.Image.Image:
    """Returns the pixels, at a size not much above `side`."""
    try:
        image.draft(None, (side, side))  # JPEG only: skip the finest frequencies instead of unpacking them
        image.load()
        factor = max(image.size) // side
        reducible = image.mode in ("L", "RGB", "RGBA", "CMYK", "LA")
        return image.reduce(factor) if factor > 1 and reducible else image
    except Exception as error:  # see _opened
        raise ImageError(f"{name} is damaged or cut short: open it in another program and save it again.") from error


def _upright(image: PIL.Image.Image, name: str) -> tuple[PIL.Image.Image, tuple[str, ...], bool]:
    """Returns the image turned upright."""
    try:
        return PIL.ImageOps.exif_transpose(image), (), ORIENTATION in image.getexif()
    except Exception:  # see _opened
        return image, (f"The EXIF block of {name} is damaged, so the picture is shown as it was stored.",), False


def _as_colours(image: PIL.Image.Image, side: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns 8-bit colours, and the opaque part of an image with transparency."""
    image = _in_rgb(image)
    transparent = image.mode == "RGBA"
    if max(image.size) > side:
        scale = side / max(image.size)
        width, height = (max(1, math.floor(length * scale + 0.5)) for length in image.size)
        image = image.resize((width, height), PIL.Image.Resampling.BOX)
    array = np.asarray(image)
    if not transparent or (array[..., 3] == 255).all():
        return np.ascontiguousarray(array[..., :3]), None
    opaque = array[..., 3] >= 128
    brightness = array[opaque][:, :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    ground = 0 if brightness.size and brightness.mean() >= LIGHT else 255
    alpha = array[..., 3:].astype(np.float32) / 255
    return np.rint(array[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8), opaque


def _in_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Returns the image with 8 bits per colour, as RGBA if it has transparency."""
    if image.mode.startswith("I") or image.mode == "F":  # which Pillow would clip to 255
        image = PIL.Image.fromarray(_in_bytes(np.asarray(image), image.mode))
    if image.mode in ("CMYK", "LAB"):
        image = _by_profile(image)
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert(image.mode.upper())
    transparent = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _in_bytes(levels: np.ndarray, mode: str) -> np.ndarray:
    """Grey levels of any range as 0..255: the range is the smallest usual one that holds them all."""
    known = np.nan_to_num(levels.astype(np.float64), posinf=0, neginf=0)
    low, high = min(0.0, known.min()), known.max()
    usual = {"F": (1, 255, 65535), "I": (255, 65535)}.get(mode, (65535,))
    top = next((limit for limit in usual if high <= limit), high)
    return np.rint((known - low) * (255 / (top - low))).astype(np.uint8)


def _by_profile(image: PIL.Image.Image) -> PIL.Image.Image:
    """Converts printing colours (CMYK), with the file's profile if it has one, and Lab colours."""
    profile = image.info.get("icc_profile")
    with contextlib.suppress(PIL.ImageCms.PyCMSError, OSError, ValueError):
        source: Any
        if image.mode == "LAB":
            source = PIL.ImageCms.createProfile("LAB")
        elif profile:
            source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return image
        return PIL.ImageCms.profileToProfile(image, source, PIL.ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    return image


def is_blank(photo: Photo) -> bool:
    """Returns whether nothing can be seen: fully transparent, or all of one colour."""
    if photo.opaque is not None:
        return not photo.opaque.any()
    return bool(np.ptp(photo.pixels.reshape(-1, 3), axis=0).max() == 0)


def _check_content(photo: Photo) -> None:
    if is_blank(photo):
        kind = "fully transparent" if photo.opaque is not None else "all one colour"
        raise ImageError(f"{photo.name} is {kind}: there is nothing to see in it.")
