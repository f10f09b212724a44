"""The images of a split before they are in memory: read some at a time, as a pretrained network takes them.

test = pictures("clothes", Path("data"), train=False, side=288)
test.read(0, 32)  # uint8 (32, 3, 288, 288)
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from gpcore.data.datasets import PHOTO_FOLDERS, Dataset, Split, load_dataset, photo_folder
from gpcore.data.decoding import Photo, read_photo
from gpcore.data.folder_layout import Item, list_folder
from gpcore.data.folders import read_pictures
from gpcore.data.preparation import Box, Prepared, Step
from gpcore.errors import DatasetError, ImageError
from gpcore.recipe import FOLDER_PREFIX, folder_settings

PREPARATION = "square 1"
"""The version of `squared`: increase it when that changes, since the features then change too."""


@dataclass(frozen=True)
class Files:
    """Photographs in files, read as squares of `side` pixels."""

    classes: tuple[str, ...]
    items: tuple[Item, ...]
    side: int

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        return torch.tensor([label for _, label in self.items], dtype=torch.int64)

    @cached_property
    def fingerprint(self) -> str:
        """A fingerprint of names, sizes and times: reading thousands of photographs would take too long."""
        digest = hashlib.sha256(PREPARATION.encode())
        for path, label in self.items:
            found = path.stat()
            digest.update(f"{path}\0{label}\0{found.st_size}\0{found.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def read(self, start: int, stop: int) -> UInt8[Tensor, "n 3 side side"]:
        read = [square_of(path, self.side) for path, _ in self.items[start:stop]]
        return torch.from_numpy(np.stack(read))


@dataclass(frozen=True)
class InMemory:
    """A split that is already in memory; the trunk resizes its images."""

    classes: tuple[str, ...]
    split: Split

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        return self.split.labels

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.split.images.numpy().data)
        digest.update(self.split.labels.numpy().data)
        return digest.hexdigest()

    def read(self, start: int, stop: int) -> UInt8[Tensor, "n channels height width"]:
        return self.split.images[start:stop]


Pictures = Files | InMemory
"""Images of a split: their classes, labels, a fingerprint that changes when an image does, and `read` for some of them."""


def pictures(name: str, root: Path, train: bool, side: int) -> Pictures:
    """A split of a dataset by its name.

    Raises:
        DatasetError: unknown, missing, damaged, or the folder holds no images.
    """
    if name in PHOTO_FOLDERS or name.startswith(FOLDER_PREFIX):
        if name in PHOTO_FOLDERS:
            listed = list_folder(photo_folder(name, root))
        else:  # read small first, which is kept: all that is broken is named at once, or left out
            path, size, skip_broken = folder_settings(name)
            listed = read_pictures(Path(path), size, skip_broken=skip_broken).layout
        return Files(listed.classes, tuple(listed.train if train else listed.test), side)
    dataset = load_dataset(name, root)
    return InMemory(dataset.classes, dataset.train if train else dataset.test)


def test_squares(name: str, root: Path, side: int) -> Dataset:
    """Returns the test images of a dataset as squares, for display."""
    test = pictures(name, root, train=False, side=side)
    with ThreadPoolExecutor() as pool:
        starts = range(0, len(test.labels), 16)
        images = torch.cat(list(pool.map(lambda start: test.read(start, start + 16), starts)))
    return Dataset(name, test.classes, Split(images[:0].clone(), test.labels[:0]), Split(images, test.labels))


def as_square(photo: Photo, side: int) -> Prepared:
    """Returns a photograph as a square (`squared`), and that square's mirror image.

    Averaged over both, answers were right for 0.2 of 100 more (docs/photographs.md).
    """
    image = squared(photo.pixels, side)
    width, height = photo.size
    across, down = (1 - min(photo.size) / width) / 2, (1 - min(photo.size) / height) / 2
    steps = Step("as it is", photo.pixels), Step("what the networks see", np.moveaxis(image, 0, 2))
    views = np.stack([image, image[:, :, ::-1]])
    return Prepared("photograph", image, views, Box(across, down, 1 - across, 1 - down), steps)


def as_in(photo: Photo, shape: tuple[int, int, int]) -> Prepared:
    """Returns a photograph like an image from `datasets.read_folder`: scaled to fit, the rest black, grey or in colour."""
    channels, height, width = shape
    fitted = PIL.ImageOps.pad(PIL.Image.fromarray(photo.pixels).convert("L" if channels == 1 else "RGB"), (width, height))
    pixels = np.asarray(fitted)
    image = pixels[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    scale = max(photo.size[0] / width, photo.size[1] / height)
    across, down = ((side * scale / own - 1) / 2 for side, own in zip((width, height), photo.size, strict=True))
    steps = Step("as it is", photo.pixels), Step("as in the dataset", pixels)
    return Prepared("photograph", image, image[None], Box(-across, -down, 1 + across, 1 + down), steps)


def square_of(path: Path, side: int) -> UInt8[np.ndarray, "3 side side"]:
    """Returns a photograph in a file as a square; raises DatasetError if it can't be read."""
    try:
        return squared(read_photo(path).pixels, side)
    except ImageError as error:
        raise DatasetError(f"{path.parent / path.name} can't be used: {error}") from error


def squared(pixels: UInt8[np.ndarray, "height width 3"], side: int) -> UInt8[np.ndarray, "3 side side"]:
    """Returns the largest square in the middle of a photograph, resized, as pretrained networks are trained.

    Squeezing all of a photograph into a square, or padding it, left 2 to 3 of 100 more wrong (docs/photographs.md).
    """
    fitted = PIL.ImageOps.fit(PIL.Image.fromarray(pixels), (side, side), PIL.Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.moveaxis(np.asarray(fitted), 2, 0))
