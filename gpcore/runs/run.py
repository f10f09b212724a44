"""A run for reading: its recipe, its epochs, and its network after any of them."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpcore.data.locations import absolute, store_folder
from gpcore.errors import CheckpointError, DatasetError, StoreError
from gpcore.nets import weights_header
from gpcore.recipe import Recipe, needs_size
from gpcore.runs.records import Epoch, RunRecord
from gpcore.runs.store import Store

if TYPE_CHECKING:
    from gpcore.data.datasets import Dataset
    from gpcore.nets.network import Network

MOST = 20_000
"""Classes, or pixels or channels along a side: a network of more would only take the memory."""

MOST_VALUES = 10_000_000
"""Of one input."""


@dataclass(frozen=True)
class Run:
    """One run of a store, read-only."""

    store: Store
    record: RunRecord

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def recipe(self) -> Recipe:
        return self.record.recipe

    @property
    def epochs(self) -> list[Epoch]:
        """The figures of every epoch so far; StoreError if the run was deleted meanwhile."""
        found = self.store.epochs(self.id)
        if self.record.epochs_done and not found:
            raise StoreError(f"{self.id} was deleted from {self.store.folder} meanwhile: choose another run.")
        return found

    @property
    def saved_epochs(self) -> list[int]:
        """The epochs whose weights are there."""
        files = self.store.run_folder(self.id).glob("epoch-*.safetensors")
        numbers = (path.stem.removeprefix("epoch-") for path in files)
        return sorted(int(number) for number in numbers if number.isascii() and number.isdecimal())

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the network's outputs."""
        return tuple(self._described("classes"))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images it was trained on."""
        channels, height, width = self._described("image_shape")
        return channels, height, width

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of the network's input: of an image, or with a frozen trunk of an image's features."""
        return tuple(self._described("features_shape" if self.recipe.frozen else "image_shape"))

    @property
    def parameters(self) -> int:
        """The number of its network's parameters."""
        return weights_header.count_values(self._weights(None))

    def network(self, epoch: int | None = None) -> "Network":
        """The network after an epoch, the last one by default, in evaluation mode on the CPU.

        Raises:
            CheckpointError: there are no weights of that epoch, or they are damaged.
        """
        # PyTorch takes a second to import, and listing or comparing runs does not need it.
        from gpcore.nets import checkpoints
        from gpcore.nets.frozen import build

        path = self._weights(epoch)
        tensors, _ = checkpoints.read_tensors(path)
        shape, classes = self.input_shape, self._described("classes", epoch)
        if len(shape) != 3 or math.prod(shape) > MOST_VALUES:
            raise CheckpointError(f"{path} is for inputs of {'×'.join(map(str, shape))}, which no network here takes.")
        network = build(self.recipe, shape, len(classes))
        checkpoints.check_numbers(tensors, path)
        checkpoints.load_weights(network, tensors, path)
        return network.eval().requires_grad_(False)

    def check_fits(self, dataset: "Dataset") -> None:
        """Raises DatasetError unless the network can classify the images of `dataset`: same channels, same classes, and for
        linear heads the same size."""
        channels, *size = self.image_shape
        if len(dataset.classes) == len(self.classes) and dataset.classes != self.classes:
            pairs = [(own, other) for own, other in zip(self.classes, dataset.classes, strict=True) if own != other]
            differ = ", ".join(f"{own} there, {other} here" for own, other in pairs[:5])
            raise DatasetError(
                f"{self.id} was trained on other classes than those of {dataset.name}, or in another order ({differ}): choose "
                f"a dataset with the classes {', '.join(self.classes[:20])}."
            )
        if self.recipe.frozen and len(dataset.classes) == len(self.classes):
            return  # a pretrained trunk makes any image its own size
        if (dataset.channels, len(dataset.classes)) != (channels, len(self.classes)):
            raise DatasetError(
                f"{self.id} answers {len(self.classes)} classes of images with {channels} channels; {dataset.name} has "
                f"{len(dataset.classes)} classes and {dataset.channels} channels: choose a dataset like {self.recipe.dataset}."
            )

        found = list(dataset.test.images.shape[2:])
        if needs_size(self.recipe.pool) and size != found:
            raise DatasetError(
                f"{self.id} ends in linear layers, which take images of {size[0]}×{size[1]} pixels; those of {dataset.name} "
                f"have {found[0]}×{found[1]}: choose a run with a pooling."
            )

    def _weights(self, epoch: int | None) -> Path:
        saved = self.saved_epochs
        if not saved:
            raise CheckpointError(f"{self.id} has no weights yet: wait for its first epoch to end.")
        if epoch is not None and epoch not in saved:
            raise CheckpointError(f"{self.id} has no weights of epoch {epoch}: it has {saved[0]} to {saved[-1]}.")
        return self.store.weights(self.id, epoch if epoch is not None else saved[-1])

    def _described(self, key: str, epoch: int | None = None) -> list[Any]:
        """Returns a value from a weights file's header; every epoch has its own, so that one damaged file affects no other."""
        path = self._weights(epoch)
        try:
            told = json.loads(weights_header.read_metadata(path)[key])
        except (KeyError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} has no {key}: it was not written by this program.") from error
        kind = str if key == "classes" else int
        sizes_fit = isinstance(told, list) and (kind is str or all(type(side) is int and 0 < side <= MOST for side in told))
        if not sizes_fit or not 0 < len(told) <= MOST or not all(type(each) is kind for each in told):
            raise CheckpointError(f"{path} says of its {key} what no network has: it was not written by this program.")
        return told


def open_run(run: str | Path, store: str | Path | None = None) -> Run:
    """Opens a run by the path of its folder, or by its id in `store`.

    Raises:
        StoreError: there is no such run.
    """
    folder = Path(run) if Path(run).exists() else absolute(run)
    if (folder.parent / "runs.db").is_file() and folder.is_dir():
        opened = Store(folder.parent, read_only=True)
        return Run(opened, opened.run(folder.resolve().name))
    if Path(run).name != str(run):
        raise StoreError(f"There is no run at {run}: give the path of a run's folder inside its store, or an id with --store.")
    opened = Store(store or store_folder(), read_only=True)
    return Run(opened, opened.run(str(run)))
