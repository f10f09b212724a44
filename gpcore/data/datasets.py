"""Datasets as tensors: every image of a split in one uint8 tensor, so that no loop ever touches a single image."""

import contextlib
import dataclasses
import gzip
import os
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float, Float16, Int64, UInt8
from torch import Tensor

from gpcore.data.canvas import canvases
from gpcore.data.folders import Progress, no_progress, read_pictures
from gpcore.errors import DatasetError, RecipeError
from gpcore.recipe import CANVAS_PREFIX, FOLDER_PREFIX, DatasetName, canvas_settings, folder_name, folder_settings


@dataclass(frozen=True)
class Split:
    """Images and their classes: `images` uint8 (n, channels, height, width), or the features that a frozen trunk makes of them
    in half precision, `labels` int64 (n,)."""

    images: UInt8[Tensor, "n channels height width"] | Float16[Tensor, "n channels height width"]
    labels: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> "Split":
        """The first `count` images; all of them for None."""
        return self if count is None else Split(self.images[:count], self.labels[:count])

    def last(self, count: int) -> "Split":
        """The last `count` images."""
        return Split(self.images[len(self) - count :], self.labels[len(self) - count :])

    def to(self, device: torch.device) -> "Split":
        """The same split in the memory of `device`."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """A training split, a test split and the names of the classes, in the order of their labels.

    `notes` are sentences on changes to the pictures of a folder, and on files that were left out.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        return self.test.images.shape[1]


def scaled(
    images: UInt8[Tensor, "n channels height width"] | Float16[Tensor, "n channels height width"],
) -> Float[Tensor, "n channels height width"]:
    """Pixels from 0..255 to [0, 1], as torchvision's `ToTensor` does; features as they are, in single precision."""
    return images.float() if images.is_floating_point() else images.float().div_(255)


def load_dataset(name: str, root: Path, progress: Progress = no_progress) -> Dataset:
    """Loads a dataset by its name; if it is missing under `root`, it is downloaded, verified and kept there, where possible.

    `progress` is called with the number of pictures of a folder that have been read, and their total.

    Raises:
        DatasetError: unknown, missing, damaged, or the folder holds no images.
    """
    if name.startswith(FOLDER_PREFIX):
        path, size, skip_broken = folder_settings(name)
        return dataclasses.replace(read_folder(Path(path), size, skip_broken, progress), name=name)
    if name.startswith(CANVAS_PREFIX):
        return _draw_canvases(name, root)
    if name not in DATASETS:
        raise DatasetError(f"There is no dataset {name!r}: choose one of {', '.join(DATASETS)}, or {FOLDER_PREFIX}PATH.")
    return DATASETS[name](name, root)


def test_split_only(name: str, root: Path) -> Dataset:
    """Returns the dataset without its training images, for evaluation: it takes a fraction of the memory."""
    dataset = load_dataset(name, root)
    none = dataset.train.first(0)
    return dataclasses.replace(dataset, train=Split(none.images.clone(), none.labels.clone()))


def read_folder(folder: Path, size: int | None = None, skip_broken: bool = False, progress: Progress = no_progress) -> Dataset:
    """Returns the pictures of a folder from `folders.read_pictures`; raises DatasetError as that does."""
    found = read_pictures(folder, size, skip_broken=skip_broken, progress=progress)
    count = len(found.layout.train)
    splits = Split(found.images[:count], found.labels[:count]), Split(found.images[count:], found.labels[count:])
    return Dataset(folder_name(str(folder), size, skip_broken), found.layout.classes, *splits, tuple(found.notes))


def _grey_digits(source: str, titles: tuple[str, ...]) -> Callable[[str, Path], Dataset]:
    """Returns a function that reads a dataset in MNIST's file format."""

    def read(name: str, root: Path) -> Dataset:
        train, test = (_read_split(name, source, root, train, len(titles)) for train in (True, False))
        return Dataset(name, titles, train, test)

    return read


def _read_split(name: str, source: str, root: Path, train: bool, classes: int) -> Split:
    """Reads a split in MNIST's file format, without torchvision if it is unpacked, since that takes two seconds to import."""
    with contextlib.suppress(*UNREADABLE, OSError):
        part = root / source / "raw" / ("train" if train else "t10k")
        images, labels = _read_idx(f"{part}-images-idx3-ubyte", 3), _read_idx(f"{part}-labels-idx1-ubyte", 1)
        return _checked(name, Split(images.unsqueeze(1), labels.long()), classes)
    read = _from_torchvision(name, source, root, train)
    return _checked(name, Split(read.data.unsqueeze(1), read.targets), classes)


def _checked(name: str, split: Split, classes: int) -> Split:
    """Returns the split if every image has a valid label."""
    if len(split.images) != len(split.labels):
        raise DatasetError(
            f"The files of {name} hold {len(split.images):,} images but {len(split.labels):,} labels: get them again."
        )
    if len(split) and not 0 <= split.labels.min() <= split.labels.max() < classes:
        raise DatasetError(
            f"The files of {name} hold labels from {split.labels.min()} to {split.labels.max()}: its {classes} classes have 0 "
            f"to {classes - 1}."
        )
    return split


def _read_idx(path: str, sides: int) -> Tensor:
    """An array in MNIST's file format: two zeros, its type (8 for bytes), the number of its sides, the sides, the bytes."""
    packed = Path(f"{path}.gz")
    if not Path(path).exists() and packed.exists() and not os.access(packed.parent, os.W_OK):  # if it can't be unpacked
        content = np.frombuffer(bytearray(gzip.decompress(packed.read_bytes())), np.uint8)
    else:
        content = np.fromfile(path, np.uint8)
    if content[:4].tolist() != [0, 0, 8, sides]:
        raise ValueError(f"{path} does not begin as bytes with {sides} sides do")
    start = 4 + 4 * sides
    return torch.from_numpy(content[start:].reshape(content[4:start].view(">i4")))


def _read_cifar10(name: str, root: Path) -> Dataset:
    """CIFAR-10; its files are pickles, which torchvision opens only after their md5 sums match the published ones."""
    train, test = (_from_torchvision(name, "CIFAR10", root, train=train) for train in (True, False))
    splits = [
        Split(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in (train, test)
    ]
    return Dataset(name, tuple(train.classes), splits[0], splits[1])


CANVAS_TRAINING_IMAGES = 20_000
"""Training items on canvases: a third of all, since an image of 64×64 takes five times as long to train on."""


def _draw_canvases(name: str, root: Path) -> Dataset:
    """Returns FashionMNIST's items on canvases; the test split's clutter comes from test images."""
    try:
        percent, pieces = canvas_settings(name)
    except RecipeError as error:
        raise DatasetError(str(error)) from error
    fashion = load_dataset("fashion-mnist", root)
    parts = (fashion.train.first(CANVAS_TRAINING_IMAGES), fashion.test)
    splits = [Split(canvases(part.images, percent, pieces, seed), part.labels) for seed, part in enumerate(parts)]
    return Dataset(name, fashion.classes, splits[0], splits[1])


PHOTO_FOLDERS = ("clothes",)
"""Datasets that are folders of photographs under the folder of datasets, and ship with the project."""


def _read_photographs(name: str, root: Path) -> Dataset:
    """Reads photographs that all have one size."""
    return dataclasses.replace(read_folder(photo_folder(name, root)), name=name)


def photo_folder(name: str, root: Path) -> Path:
    """Returns the folder of a dataset's photographs; raises DatasetError if it is missing."""
    if not (root / name).is_dir():
        raise DatasetError(
            f"The dataset {name} is not in {root.absolute()}: it ships with the project, in data/{name}: copy it there, or "
            "name that folder with --data."
        )
    return root / name


FASHION_CLASSES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

DATASETS: dict[DatasetName, Callable[[str, Path], Dataset]] = {
    "fashion-mnist": _grey_digits("FashionMNIST", FASHION_CLASSES),
    "mnist": _grey_digits("MNIST", tuple("0123456789")),
    "kmnist": _grey_digits("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")),
    "cifar10": _read_cifar10,
    "canvas": _draw_canvases,
    "clothes": _read_photographs,
}


UNREADABLE = (RuntimeError, ValueError, AssertionError, EOFError)
"""torchvision's errors for missing or incomplete files."""


def _from_torchvision(name: str, source: str, root: Path, train: bool) -> Any:
    """Returns the torchvision dataset of class `source`, unpacked or downloaded first if needed.

    torchvision unpacks in place: a second process may see half a file, and a killed one leaves it behind. If a file can't be
    read, this waits for another process that unpacks, tries again, and only then unpacks it again.
    """
    from torchvision import datasets as vision

    read = getattr(vision, source)
    with _missing(name, source, root):
        with contextlib.suppress(*UNREADABLE):
            return read(root, train=train, download=False)
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock", timeout=600):
            with contextlib.suppress(*UNREADABLE):
                return read(root, train=train, download=False)
            for original in (root / source / "raw").glob("*.gz"):
                original.with_suffix("").unlink(missing_ok=True)
            return read(root, train=train, download=True)


@contextlib.contextmanager
def _missing(name: str, source: str, root: Path) -> Iterator[None]:
    """Turns every error while files are read or downloaded into one sentence."""
    folder = root / source / "raw"
    try:
        yield
    except (*UNREADABLE, urllib.error.URLError, OSError, Timeout) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"The dataset {name} is not in {root.absolute()} and could not be fetched ({reason}): put its original files "
            f"into {folder.absolute()}, connect to the internet and try again, or name another folder with --data."
        ) from error
