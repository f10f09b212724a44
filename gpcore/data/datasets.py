"""Datasets as tensors: every image of a split in one uint8 tensor, so that no loop ever touches a single image."""

import contextlib
import dataclasses
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float, Float16, Int64, UInt8
from torch import Tensor

from gpcore.data.canvas import canvases
from gpcore.errors import DatasetError, RecipeError
from gpcore.recipe import CANVAS_PREFIX, FOLDER_PREFIX, DatasetName, canvas_settings

FOLDER_SIZE = 64
"""Height and width that a folder's images are fitted into when they are not all of one size."""


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
    """A training split, a test split and the names of the classes, in the order of their labels."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    @property
    def channels(self) -> int:
        return self.test.images.shape[1]


def scaled(
    images: UInt8[Tensor, "n channels height width"] | Float16[Tensor, "n channels height width"],
) -> Float[Tensor, "n channels height width"]:
    """Pixels from 0..255 to [0, 1], as torchvision's `ToTensor` does; features as they are, in single precision."""
    return images.float() if images.is_floating_point() else images.float().div_(255)


def load_dataset(name: str, root: Path) -> Dataset:
    """A dataset by its name; what can be downloaded and is not under `root` yet is downloaded, verified and kept there.

    Raises:
        DatasetError: unknown, missing, damaged, or the folder holds no images.
    """
    if name.startswith(FOLDER_PREFIX):
        return read_folder(Path(name.removeprefix(FOLDER_PREFIX)))
    if name.startswith(CANVAS_PREFIX):
        return _draw_canvases(name, root)
    if name not in DATASETS:
        raise DatasetError(f"There is no dataset {name!r}: choose one of {', '.join(DATASETS)}, or {FOLDER_PREFIX}PATH.")
    return DATASETS[name](name, root)


def test_split_only(name: str, root: Path) -> Dataset:
    """The dataset without its training images, for whoever only looks and never trains: a fraction of the memory."""
    dataset = load_dataset(name, root)
    none = dataset.train.first(0)
    return Dataset(dataset.name, dataset.classes, Split(none.images.clone(), none.labels.clone()), dataset.test)


def _grey_digits(source: str, titles: tuple[str, ...]) -> Callable[[str, Path], Dataset]:
    """How to read a dataset in MNIST's file format."""

    def read(name: str, root: Path) -> Dataset:
        train, test = (_read_split(name, source, root, train=train) for train in (True, False))
        return Dataset(name, titles, train, test)

    return read


def _read_split(name: str, source: str, root: Path, train: bool) -> Split:
    """A split in MNIST's file format: read here where it lies unpacked, since torchvision takes two seconds to import."""
    with contextlib.suppress(*UNREADABLE, OSError):
        part = root / source / "raw" / ("train" if train else "t10k")
        images, labels = _read_idx(f"{part}-images-idx3-ubyte", 3), _read_idx(f"{part}-labels-idx1-ubyte", 1)
        return Split(images.unsqueeze(1), labels.long())
    read = _from_torchvision(name, source, root, train)
    return Split(read.data.unsqueeze(1), read.targets)


def _read_idx(path: str, sides: int) -> Tensor:
    """An array in MNIST's file format: two zeros, its type (8 for bytes), the number of its sides, the sides, the bytes."""
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
    return Dataset(name, tuple(train.classes), *splits)


CANVAS_TRAINING_IMAGES = 20_000
"""Of so many of the training items canvases are made: a third, since an image of 64×64 takes five times as long to learn."""


def _draw_canvases(name: str, root: Path) -> Dataset:
    """FashionMNIST's items on canvases, those of the test split among clutter from the test split."""
    try:
        percent, pieces = canvas_settings(name)
    except RecipeError as error:
        raise DatasetError(str(error)) from error
    fashion = load_dataset("fashion-mnist", root)
    parts = (fashion.train.first(CANVAS_TRAINING_IMAGES), fashion.test)
    splits = [Split(canvases(part.images, percent, pieces, seed), part.labels) for seed, part in enumerate(parts)]
    return Dataset(name, fashion.classes, *splits)


PHOTO_FOLDERS = ("clothes",)
"""Datasets that are folders of photographs under the folder of datasets, and ship with the project."""


def _read_photographs(name: str, root: Path) -> Dataset:
    """Photographs as they lie there, all of one size."""
    return dataclasses.replace(read_folder(photo_folder(name, root)), name=name)


def photo_folder(name: str, root: Path) -> Path:
    """Where the photographs of a dataset lie; DatasetError if they don't."""
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
"""What torchvision raises for files that are not there, or of which a part is missing."""


def _from_torchvision(name: str, source: str, root: Path, train: bool) -> Any:
    """The torchvision dataset of class `source`, unpacked or downloaded first where that is needed.

    torchvision unpacks in place: a second process may see half a file, and one that was killed leaves it behind. Half a
    file can't be read; whoever meets one waits for whoever unpacks, tries again, and only then unpacks anew.
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
    """Turn everything that can go wrong while files are read or fetched into one sentence."""
    folder = root / source / "raw"
    try:
        yield
    except (*UNREADABLE, urllib.error.URLError, OSError, Timeout) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"The dataset {name} is not in {root.absolute()} and could not be fetched ({reason}): put its original files "
            f"into {folder.absolute()}, connect to the internet and try again, or name another folder with --data."
        ) from error


@dataclass(frozen=True)
class Listing:
    """The files of a folder of images with their labels, not read yet."""

    classes: tuple[str, ...]
    train: list[tuple[str, int]]
    test: list[tuple[str, int]]


def list_folder(folder: Path) -> Listing:
    """The images of a folder with one sub-folder per class.

    With `train/` and `test/` inside, those are the splits. Without, every fifth image of each class, in the order of the
    file names, is a test image.

    Raises:
        DatasetError: no such folder, fewer than two classes, or no images.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder.absolute()}: give the path of a folder with one sub-folder per class.")
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        classes, train_files = _list_images(folder / "train")
        test_classes, test_files = _list_images(folder / "test")
        if classes != test_classes:
            raise DatasetError(f"{folder}: train/ has the classes {', '.join(classes)}, test/ has {', '.join(test_classes)}.")
    else:
        classes, files = _list_images(folder)
        of_class = [[item for item in files if item[1] == label] for label in range(len(classes))]
        test_files = [item for items in of_class for item in items[4::5]]
        train_files = sorted(set(files) - set(test_files))
    if len(classes) < 2:
        raise DatasetError(
            f"{folder} has the one class {classes[0]}: give at least two sub-folders with images of a class each."
        )
    if not test_files:
        raise DatasetError(f"{folder} has no test images: give every class at least five images, or add a test/ folder.")
    return Listing(classes, train_files, test_files)


def read_folder(folder: Path) -> Dataset:
    """A folder of images (`list_folder`). Images of one common size stay as they are; others are fitted into 64×64, the rest
    black. The images are grey if all files are, else colour.

    Raises:
        DatasetError: as `list_folder`, or a file is no image.
    """
    listed = list_folder(folder)
    images = _stack([_open_image(path) for path, _ in listed.train + listed.test])
    labels = torch.tensor([label for _, label in listed.train + listed.test])
    count = len(listed.train)
    train, test = Split(images[:count], labels[:count]), Split(images[count:], labels[count:])
    return Dataset(FOLDER_PREFIX + str(folder), listed.classes, train, test)


def _list_images(folder: Path) -> tuple[tuple[str, ...], list[tuple[str, int]]]:
    """The classes of a folder and its files with their labels, sorted by class and name."""
    from torchvision.datasets import folder as files

    try:
        classes, numbers = files.find_classes(folder)
        return tuple(classes), files.make_dataset(str(folder), numbers, extensions=files.IMG_EXTENSIONS)
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} is no folder of images with one sub-folder per class: {error}.") from error


def _open_image(path: str) -> PIL.Image.Image:
    try:
        with PIL.Image.open(path) as image:
            upright = PIL.ImageOps.exif_transpose(image)
            return upright.convert("L" if upright.mode in ("L", "1") else "RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} is no image that can be read ({error}): remove or replace it.") from error


def _stack(pictures: list[PIL.Image.Image]) -> UInt8[Tensor, "n channels height width"]:
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    sizes = {picture.size for picture in pictures}
    size = sizes.pop() if len(sizes) == 1 else (FOLDER_SIZE, FOLDER_SIZE)
    arrays = [np.asarray(_fitted(picture.convert(mode), size)) for picture in pictures]
    stacked = torch.from_numpy(np.stack(arrays))
    return stacked.unsqueeze(1) if mode == "L" else stacked.permute(0, 3, 1, 2).contiguous()


def _fitted(picture: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    return picture if picture.size == size else PIL.ImageOps.pad(picture, size)
