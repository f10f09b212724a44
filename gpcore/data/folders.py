"""A folder of pictures as tensors: decoded in parallel at a given size, in bounded memory, and cached for the next time."""

import hashlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from jaxtyping import Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from gpcore.data.decoding import decode, is_blank, read_bytes, read_size
from gpcore.data.folder_layout import Layout, Passed, list_folder
from gpcore.data.locations import cache_folder, short
from gpcore.errors import DatasetError, ImageError

FOLDER_SIZE = 64
"""Default length of the longer side for pictures that are large or differ in size."""

KEPT_SIZE = 128
"""Pictures of one common size up to this are not resized."""

MOST_BYTES = 256 * 2**20
"""The largest file of a folder that is opened."""

READERS = min(4, os.cpu_count() or 1)
"""Pictures that are decoded at once: each may take 0.25 GB while it is unpacked."""

WORTH_KEEPING = 2.0
"""Seconds of reading from which the result is cached."""

KEPT_BYTES = 8 * 2**30
"""Limit of the cache for all folders; the oldest entry is deleted first."""

NAMED = 10
"""Most files named in a sentence; the others are counted."""

ALIKE = 3.0
"""Grey levels (root mean square, at 16×16) below which a test picture is nearly the same as a training picture."""

VERSION = "1"
"""A part of the cache's key: increase it when the same files would be read differently."""

Progress = Callable[[int, int], object]


def no_progress(done: int, count: int) -> None:
    """Reports nothing."""


@dataclass
class Reading:
    """A folder as it was read.

    `images` (n, channels, height, width) are the training pictures and then the test pictures of `layout`, in its order, and
    have one channel if all are grey. `broken` files are left out of both.
    """

    layout: Layout
    size: tuple[int, int]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    broken: list[Passed] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    images: UInt8[Tensor, "n channels height width"] = field(default_factory=lambda: torch.empty(0, 1, 1, 1, dtype=torch.uint8))

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """The classes of the images."""
        return torch.tensor([label for _, label in self.layout.items], dtype=torch.int64)

    @property
    def notes(self) -> list[str]:
        """Returns what was done to the pictures and what was left out, in whole sentences."""
        return [
            sentence for sentence in (self._resized(), self._passed_over(), self._left_out(), *self._untested()) if sentence
        ]

    def _resized(self) -> str | None:
        width, height = self.size
        (usual, count), *others = self.sizes.most_common()
        if others:
            differ = sum(self.sizes.values()) - count
            return (
                f"{count:,} pictures have {usual[0]}×{usual[1]} pixels, {differ:,} another size: all were fitted into "
                f"{width}×{height}, the rest black."
            )
        if usual != self.size:
            return f"The pictures have {usual[0]}×{usual[1]} pixels: all were brought to {width}×{height}."
        return None

    def _passed_over(self) -> str | None:
        skipped = self.layout.skipped
        return f"Passed over: {_listed(skipped)}." if skipped else None

    def _left_out(self) -> str | None:
        return f"Broken, and left out: {_listed(self.broken)}." if self.broken else None

    def _untested(self) -> list[str]:
        return [
            f"{name} has no test pictures, so its accuracy can't be measured: give it five pictures or more, or a test/ folder."
            for name, count in self.layout.counts().items()
            if not count["test"]
        ]

    def refusal(self) -> str | None:
        """Returns why nothing can be trained on this folder, if that is so."""
        folder, counts = short(self.layout.folder), self.layout.counts()
        if empty := [name for name, count in counts.items() if not count["train"]]:
            return f"{folder} has no readable training pictures of {', '.join(empty)}: add some."
        if not self.layout.test:
            return f"{folder} has no test images: give every class at least five images, or add a test/ folder."
        if (self.images == self.images[:1]).all():
            kind = "are all alike" if len(self.blank) < len(self.images) else "are all of one colour"
            return f"The pictures in {folder} {kind}: there is nothing to learn. Check what was saved into it."
        return None

    def report(self) -> dict[str, Any]:
        """Returns what `python -m gpcore check` prints."""
        problems = self.notes
        if self.blank:
            problems.append(f"{len(self.blank):,} pictures are blank: {_named(self.blank)}.")
        if pairs := self._leaked():
            problems.append(
                f"{len(pairs):,} test pictures are nearly the same as a training picture, so the accuracy comes out too high: "
                f"{_named(pairs)}."
            )
        if refused := self.refusal():
            problems.append(refused)
        return {
            "classes": self.layout.counts(),
            "size": list(self.size),
            "channels": self.images.shape[1],
            "sizes": {f"{width}×{height}": count for (width, height), count in self.sizes.most_common(NAMED)},
            "skipped": [asdict(each) for each in self.layout.skipped],
            "broken": [asdict(each) for each in self.broken],
            "problems": problems,
        }

    def _leaked(self) -> list[str]:
        """Test pictures of which a training picture is nearly a copy."""
        small = torch.cat([_thumbnails(part) for part in self.images.split(1000)])
        count, varied = len(self.layout.train), small.std(1) > ALIKE
        found = []
        for number, picture in enumerate(small[count:][:5000], start=count):
            nearest = torch.cdist(picture[None], small[:count]).min(1)
            if varied[number] and nearest.values.item() / picture.numel() ** 0.5 < ALIKE:
                test, train = (self.layout.items[index][0] for index in (number, int(nearest.indices)))
                found.append(f"{self.layout.inside(test)} and {self.layout.inside(train)}")
        return found


def read_pictures(
    folder: Path,
    size: int | None = None,
    colour: bool = False,
    skip_broken: bool = False,
    progress: Progress = no_progress,
) -> Reading:
    """Returns a folder's pictures, as `look_into` does, ready to train on.

    Raises:
        DatasetError: as `look_into`; files are broken and not to be skipped; nothing can be learnt from the pictures.
    """
    found = look_into(folder, size, colour, progress)
    if found.broken and not skip_broken:
        names = [short(folder / each.file) for each in found.broken]
        verb, them = ("is not an image", "it") if len(names) == 1 else ("are not images", "them")
        reasons = "; ".join(dict.fromkeys(each.why.removesuffix(".") for each in found.broken[:3]))
        raise DatasetError(
            f"{_named(names)} {verb} that can be read ({reasons}), so nothing was read (“Leave out broken files”, or "
            f"--skip-broken, takes the others): remove or replace {them}."
        )
    if refused := found.refusal():
        raise DatasetError(refused)
    return found


def look_into(folder: Path, size: int | None = None, colour: bool = False, progress: Progress = no_progress) -> Reading:
    """Returns the readable part of a folder, and a list of broken files.

    Args:
        folder: one sub-folder per class, or splits with those.
        size: pixels along the longer side of every image. None: pictures of one common size up to `KEPT_SIZE` stay as they
            are; others get `FOLDER_SIZE`. Where shapes differ, all are fitted into a square, the rest black.
        colour: three channels also where all pictures are grey.
        progress: called after every picture with how many are done, and how many there are.

    Raises:
        DatasetError: the folder is not there, or not arranged in classes.
    """
    layout = list_folder(folder)
    kept = cache_folder() / "folders" / f"{_fingerprint(layout, size, colour)}.safetensors"
    if reading := _kept(kept, layout):
        return reading
    started = time.monotonic()
    reading = _read(layout, size, colour, progress)
    if time.monotonic() - started > WORTH_KEEPING:
        _keep(kept, reading)
    return reading


def _read(layout: Layout, size: int | None, colour: bool, progress: Progress) -> Reading:
    with ThreadPoolExecutor(READERS) as pool:
        paths = [path for path, _ in layout.items]
        sizes = dict(zip(paths, pool.map(_size_or_error, paths), strict=True))
        known = Counter(found for found in sizes.values() if not isinstance(found, str))
        reading = Reading(layout, _target(known, size), known)
        good = [path for path in paths if not isinstance(sizes[path], str)]
        pixels = np.zeros((len(good), reading.size[1], reading.size[0], 3), np.uint8)

        def read(number: int) -> tuple[bool, bool] | str:
            try:
                return _read_into(pixels[number], good[number], len(known) == 1)
            except ImageError as error:
                return str(error)

        outcomes = []
        for outcome in pool.map(read, range(len(good))):
            outcomes.append(outcome)
            progress(len(outcomes), len(good))
    failed = {path: why for path, why in sizes.items() if isinstance(why, str)}
    failed |= {path: outcome for path, outcome in zip(good, outcomes, strict=True) if isinstance(outcome, str)}
    reading.broken = [Passed(layout.inside(path), why) for path, why in sorted(failed.items())]
    layout.without(set(failed))
    fine = [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, str)]
    reading.blank = [layout.inside(good[number]) for number in fine if outcomes[number][1]]
    grey = not colour and all(outcomes[number][0] for number in fine)
    pixels = pixels if len(fine) == len(pixels) else pixels[fine]
    reading.images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels[..., :1] if grey else pixels, 3, 1)))
    return reading


def _size_or_error(path: Path) -> tuple[int, int] | str:
    try:
        return read_size(path)
    except ImageError as error:
        return str(error)


def _target(sizes: Counter[tuple[int, int]], size: int | None) -> tuple[int, int]:
    """(width, height) of the images."""
    if len(sizes) != 1:
        return (size or FOLDER_SIZE,) * 2
    (width, height) = next(iter(sizes))
    if size is None and max(width, height) <= KEPT_SIZE:
        return width, height
    scale = (size or FOLDER_SIZE) / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read_into(place: UInt8[np.ndarray, "height width 3"], path: Path, of_one_shape: bool) -> tuple[bool, bool]:
    """Fills an image with a picture, and returns whether that is grey and whether it is blank."""
    height, width = place.shape[:2]
    # It is decoded at twice the size, so that the last reduction is of high quality.
    photo = decode(read_bytes(path, MOST_BYTES), path.name, 2 * max(height, width), MOST_BYTES, allow_blank=True)
    image = PIL.Image.fromarray(photo.pixels)
    if image.size != (width, height):
        image = image.resize((width, height)) if of_one_shape else PIL.ImageOps.pad(image, (width, height))
    place[:] = np.asarray(image)
    grey = bool((photo.pixels == photo.pixels[..., :1]).all())
    return grey, is_blank(photo)


def _thumbnails(images: UInt8[Tensor, "n channels height width"]) -> Tensor:
    """Every image as 16×16 grey levels, (n, 256)."""
    return functional.interpolate(images.float().mean(1, keepdim=True), (16, 16), mode="area").flatten(1)


def _named(names: Sequence[str]) -> str:
    further = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {further:,} more" if further > 0 else "")


def _listed(passed: Sequence[Passed]) -> str:
    """Lists skipped files by reason."""
    reasons = itertools.groupby(sorted(passed, key=lambda each: each.why), key=lambda each: each.why)
    return "; ".join(f"{_named([each.file for each in own])} ({why.removesuffix('.')})" for why, own in reasons)


def _fingerprint(layout: Layout, size: int | None, colour: bool) -> str:
    """Returns the cache's key for a folder: its files, their sizes and times, and the options."""
    digest = hashlib.sha256(repr((VERSION, os.fspath(layout.folder), size, colour)).encode("utf-8", "surrogateescape"))
    for path, label in layout.items:
        found = path.stat() if path.exists() else None
        state = (found.st_size, found.st_mtime_ns) if found else None
        digest.update(repr((os.fsencode(path), label, state)).encode())
    return digest.hexdigest()[:32]


def _keep(path: Path, reading: Reading) -> None:
    """Caches a reading; without room or permission, the folder is read again next time."""
    known = {"size": reading.size, "sizes": list(reading.sizes.items()), "blank": reading.blank}
    known |= {"broken": [asdict(each) for each in reading.broken]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}")
        save_file({"images": reading.images}, staged, {"reading": json.dumps(known)})
        os.replace(staged, path)
        files = sorted(path.parent.glob("*.safetensors"), key=lambda each: each.stat().st_mtime, reverse=True)
        sizes = itertools.accumulate(each.stat().st_size for each in files)
        for old in (each for each, total in zip(files, sizes, strict=True) if total > KEPT_BYTES):
            old.unlink(missing_ok=True)
    except (OSError, SafetensorError):
        return


def _kept(path: Path, layout: Layout) -> Reading | None:
    """Returns a cached reading, if it can be read."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            known, images = json.loads(file.metadata()["reading"]), file.get_tensor("images")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    broken = [Passed(**each) for each in known["broken"]]
    lost = {each.file for each in broken}
    layout.without({path for path, _ in layout.items if layout.inside(path) in lost})
    sizes = Counter({tuple(size): count for size, count in known["sizes"]})
    return Reading(layout, tuple(known["size"]), sizes, broken, known["blank"], images)
