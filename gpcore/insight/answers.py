"""A network's answer to a photograph, its confidence, and which part of the photograph the answer comes from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gpcore.data.datasets import PHOTO_FOLDERS, scaled
from gpcore.data.decoding import Photo, read_photo
from gpcore.data.pictures import as_in, as_square
from gpcore.data.preparation import Prepared, prepare
from gpcore.errors import CheckpointError, ImageError
from gpcore.insight.uncertainty import Calibration, calibrate, doubt, read_calibration
from gpcore.nets.network import Network
from gpcore.recipe import FOLDER_PREFIX
from gpcore.runs.run import Run
from gpcore.training.features import evaluation_data

SURE, FAR = 0.9, 8.0
"""A turn is far surer where its answer has this probability, and the chance of being wrong is this many times smaller."""


@dataclass(frozen=True)
class Answer:
    """One network's answer to one photograph.

    `probabilities` (classes,) are calibrated and averaged over the photograph's views, `class_maps` (classes, rows, columns)
    are those of its first view, None for a network that has none, `doubt` is the score of `uncertainty.doubt`, and
    `none_of_these` whether it is too high.
    """

    classes: tuple[str, ...]
    probabilities: Float[np.ndarray, " classes"]
    class_maps: Float[np.ndarray, "classes rows columns"] | None
    doubt: float
    none_of_these: bool
    turned: tuple[int, str] | None = None

    @property
    def prediction(self) -> int:
        """The class with the highest probability."""
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        """Its name."""
        return self.classes[self.prediction]

    def top(self, count: int = 3) -> list[int]:
        """The likeliest classes, the likeliest first."""
        return np.argsort(-self.probabilities, kind="stable")[:count].tolist()

    def named(self, label: int) -> str:
        """A class and how likely it is: `Ankle boot 97%`."""
        return f"{self.classes[label]} {self.probabilities[label]:.0%}"

    @property
    def ranking(self) -> str:
        """The likeliest classes in one line."""
        return ", ".join(map(self.named, self.top()))


def answer(network: Network, calibration: Calibration, classes: tuple[str, ...], prepared: Prepared) -> Answer:
    """Returns a network's answer to a prepared photograph."""
    stacked = torch.from_numpy(np.ascontiguousarray(prepared.views))
    views = scaled(stacked if stacked.ndim == 4 else stacked.unsqueeze(1))
    with torch.inference_mode():
        logits = network(views)
        class_maps = network.maps(views[:1])[0].numpy() if network.has_class_maps else None
        probabilities = calibration.probabilities(logits).mean(0)
        doubtful = doubt(logits).mean().item()
    turned = _surer_turn(network, calibration, classes, views[:1], float(probabilities.max()))
    return Answer(classes, probabilities.numpy(), class_maps, doubtful, doubtful > calibration.threshold, turned)


def _surer_turn(
    network: Network, calibration: Calibration, classes: tuple[str, ...], view: Tensor, probability: float
) -> tuple[int, str] | None:
    """The quarter turns to the right after which a network is far surer, and its answer then, if there are any.

    The prepared image is turned, which costs three more images in place of three more cut-outs.
    """
    if view.shape[2] != view.shape[3]:
        return None
    turns = torch.cat([view.rot90(-quarters, (2, 3)) for quarters in (1, 2, 3)])
    with torch.inference_mode():
        best, labels = calibration.probabilities(network(turns)).max(1)
    quarters = int(best.argmax())
    if best[quarters] < SURE or 1 - probability < FAR * (1 - float(best[quarters])):
        return None
    return quarters + 1, f"{classes[labels[quarters]]} {best[quarters]:.0%}"


def cuts_out(run: Run) -> bool:
    """Returns whether a run takes the images that `prepare` returns: cut out and shaped like FashionMNIST's."""
    return run.recipe.dataset == "fashion-mnist" and not run.recipe.frozen


def prepare_for(run: Run, photo: Photo) -> Prepared:
    """A photograph as an image of the run's dataset.

    Raises:
        ImageError: the run's dataset holds no photographs.
    """
    if cuts_out(run):
        return prepare(photo)
    if run.recipe.frozen:
        return as_square(photo, run.image_shape[1])
    if run.recipe.dataset in PHOTO_FOLDERS or run.recipe.dataset.startswith(FOLDER_PREFIX):
        return as_in(photo, run.image_shape)
    raise ImageError(
        f"{run.id} was trained on {run.recipe.dataset}, which holds no photographs: choose a run on fashion-mnist, clothes or "
        "a folder of your own."
    )


def calibration_path(run: Run, epoch: int) -> Path:
    """Where the calibration of a run's network after an epoch is kept."""
    return run.store.run_folder(run.id) / f"calibration-{epoch:03d}.json"


def calibration_of(run: Run, data: Path) -> Calibration:
    """The calibration of a run's last network: the one kept beside its weights, else measured now on its test images.

    Raises:
        CheckpointError: the run has no weights, or its calibration is damaged.
        DatasetError: it has to be measured, and the dataset is missing.
    """
    saved = run.saved_epochs
    if not saved:
        raise CheckpointError(f"{run.id} has no weights yet: wait for its first epoch to end.")
    path = calibration_path(run, saved[-1])
    return read_calibration(path) if path.exists() else measure_calibration(run, data)


def measure_calibration(run: Run, data: Path) -> Calibration:
    """Measure the calibration of a run's last network on its dataset's test images."""
    return calibrate(run.network(), evaluation_data(run.recipe, data).test, run.saved_epochs[-1])


@dataclass(frozen=True)
class Classified:
    """The result for one file: how it was prepared and the network's answer, or an error."""

    path: Path
    prepared: Prepared | None = None
    answer: Answer | None = None
    error: ImageError | None = None
    notes: tuple[str, ...] = ()

    def to_json(self, run: str) -> dict[str, Any]:
        """The command line's entry: `prediction` is the number of the class, `label` its name."""
        if self.answer is None:
            return {"image": str(self.path), "error": str(self.error)}
        found = self.answer
        return {
            "image": str(self.path),
            "run": run,
            "prediction": found.prediction,
            "label": found.label,
            "probabilities": dict(zip(found.classes, found.probabilities.tolist(), strict=True)),
            "none_of_these": found.none_of_these,
            "notes": list(self.notes),
        }

    @property
    def sentence(self) -> str:
        """The result as one line of text."""
        if self.answer is None:
            return f"{self.path}: {self.error}"
        found = self.answer
        doubtful = " (perhaps none of these)" if found.none_of_these else ""
        return " ".join([f"{self.path}: {found.ranking}{doubtful}", *self.notes])


def turn_hint(photo: Photo, found: Answer) -> str | None:
    """Returns what to say where no EXIF block tells how the camera was held and another turn is far surer."""
    if photo.oriented or found.turned is None:
        return None
    quarters, answer_then = found.turned
    return f"Turned by {90 * quarters}° to the right it would be {answer_then}, far surer: it may be lying on its side."


def classify_files(paths: Iterable[Path], run: Run, data: Path) -> Iterator[Classified]:
    """Yields each file's answer or error; an error does not end the others."""
    network, calibration, classes = run.network(), calibration_of(run, data), run.classes
    for path in paths:
        try:
            photo = read_photo(path)
            prepared = prepare_for(run, photo)
            found = answer(network, calibration, classes, prepared)
            hint = turn_hint(photo, found)
            yield Classified(path, prepared, found, notes=photo.notes + ((hint,) if hint else ()))
        except ImageError as error:
            yield Classified(path, error=error)
