"""The features of any network: of a folder of images, stored on disk like a trunk's; of a loader's batches, in memory."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.data.datasets import Dataset, Split
from gpcore.data.folder_layout import list_folder
from gpcore.data.pictures import pictures
from gpcore.errors import DatasetError
from gpcore.inspection.images import Preparation
from gpcore.inspection.inspected import Inside
from gpcore.inspection.swapped import like
from gpcore.inspection.trace import Detour, at_rest
from gpcore.nets.checkpoints import checksum
from gpcore.nets.trunks import Trunk
from gpcore.recipe import FOLDER_PREFIX, TIMM_PREFIX
from gpcore.training.features import Tell, part_features

EVERY = 5
"""Every fifth image of each class is for validation, as in a folder without a test split."""

Batches = Iterable[tuple[Tensor, Tensor]]


class OwnTrunk(Trunk):
    """An inspected network up to its last maps, of images with values in [0, 1]."""

    def __init__(self, inside: Inside) -> None:
        nn.Module.__init__(self)
        self.inside, self.preparation = inside, inside.preparation
        self.name, self.side = f"{TIMM_PREFIX}{type(inside.model).__name__}", inside.preparation.height
        self.shape = inside.found.shape
        places = torch.tensor([inside.found.maps.count, inside.found.pooled.count])
        self.checksum = checksum({**inside.model.state_dict(), "places": places})

    def forward(self, images: Float[Tensor, "n _ height width"]) -> Float[Tensor, "n features rows columns"]:
        found = self.inside.found
        detour = Detour(found.maps, found.pooled, lambda maps, pooled: pooled)
        with detour:
            self.inside.model(like(self.inside.model, _prepared(self.preparation, images)))
        assert detour.maps is not None
        return found.layout.maps(detour.maps).cpu()


def _prepared(preparation: Preparation, images: Float[Tensor, "n _ height width"]) -> Float[Tensor, "n channels _ _"]:
    size = (preparation.height, preparation.width)
    if images.shape[1] != preparation.channels:
        images = images.mean(1, keepdim=True).expand(-1, preparation.channels, -1, -1)
    if images.shape[2:] != size:
        images = functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
    return preparation.normalised(images)


def of_folder(inside: Inside, folder: Path, cache: Path, tell: Tell) -> Dataset:
    """The features of a folder with a sub-folder per class (`list_folder`), computed once and kept under `cache`.

    Raises:
        DatasetError: the folder can't be read, or there is no room for its features.
    """
    folder = folder.absolute()
    listed = list_folder(folder)
    if inside.transform is not inside.preparation:  # a user's function: its changes can't be detected, so nothing is stored
        parts = [
            [inside.features([str(path) for path, _ in part]) for part in _batches(files)]
            for files in (listed.train, listed.test)
        ]
        labels = [torch.tensor([label for _, label in files]) for files in (listed.train, listed.test)]
        train, test = (Split(torch.cat(part).half(), own) for part, own in zip(parts, labels, strict=True))
        return Dataset(f"{FOLDER_PREFIX}{folder}", listed.classes, train, test)
    trunk, name = OwnTrunk(inside), f"{FOLDER_PREFIX}{folder}"
    with at_rest(inside.model):
        train, test = (
            Split(part_features(trunk, images, name, split, cache, tell), images.labels)
            for split in ("train", "test")
            for images in [pictures(name, cache, split == "train", trunk.side)]
        )
    return Dataset(name, listed.classes, train, test)


def of_loader(inside: Inside, loader: Batches, test: Batches | None, classes: Sequence[str]) -> Dataset:
    """Returns the features of a loader's images; without `test`, every fifth image of each class is for validation.

    Raises:
        DatasetError: it gives no images, one class, or classes of fewer than five.
    """
    whole = _split(inside, loader)
    if test is None:
        place = torch.zeros(len(whole), dtype=torch.int64)
        for label in whole.labels.unique():
            place[whole.labels == label] = torch.arange(int((whole.labels == label).sum()))
        held = place % EVERY == EVERY - 1
        train, other = (Split(whole.images[chosen], whole.labels[chosen]) for chosen in (~held, held))
    else:
        train, other = whole, _split(inside, test)
    count = int(max(whole.labels.max(), other.labels.max() if len(other) else 0)) + 1
    if count < 2 or not len(other):
        raise DatasetError(f"{len(whole)} images of {count} classes: give two classes or more, of five images at least.")
    names = tuple(classes) if len(classes) >= count else tuple(map(str, range(count)))
    return Dataset(f"{FOLDER_PREFIX}images", names, train, other)


def _split(inside: Inside, loader: Batches) -> Split:
    parts = [(inside.features(images).half(), torch.as_tensor(labels).cpu().long()) for images, labels in loader]
    if not parts:
        raise DatasetError("The loader gives no images: give batches of images and labels.")
    features, labels = zip(*parts, strict=True)
    return Split(torch.cat(features), torch.cat(labels))


def _batches(files: Sequence[tuple[Path, int]], size: int = 32) -> list[Sequence[tuple[Path, int]]]:
    return [files[start : start + size] for start in range(0, len(files), size)]
