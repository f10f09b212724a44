"""How long training takes on this machine, judged by what it took before."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from gpcore.recipe import DatasetName, Recipe
from gpcore.runs.records import RunRecord

TRAINING_IMAGES: dict[DatasetName, int] = {
    "fashion-mnist": 60_000,
    "mnist": 60_000,
    "kmnist": 60_000,
    "cifar10": 50_000,
    "canvas": 20_000,
}
"""The training images of the known datasets, so that a run can be estimated before its dataset is read."""

STEP_COST = 3
"""A training image costs as much as three that are only looked at: forward, and backward twice (3.3 were measured)."""


@dataclass(frozen=True)
class Estimate:
    """The seconds that a run should take, by the median of `runs` earlier ones on the same device and dataset."""

    seconds: float
    runs: int


def estimate(recipe: Recipe, earlier: Sequence[RunRecord], device: str) -> Estimate | None:
    """How long a run should take: epochs × looks × the median seconds per look of earlier runs.

    A look is one image going through the network once; an epoch trains on its images and then evaluates them and all test
    images. The pooling makes no difference that counts. None where no run like it has been measured on this device.
    """
    measured = [
        run.seconds / (run.epochs_done * looks)
        for run in earlier
        if run.device == device and run.recipe.dataset == recipe.dataset and (looks := _looks(run.recipe, run))
    ]
    latest = [run for run in earlier if run.last and run.recipe.dataset == recipe.dataset]
    looks = _looks(recipe, latest[-1]) if latest else None
    if not measured or looks is None:
        return None
    return Estimate(recipe.epochs * looks * statistics.median(measured), len(measured))


def _looks(recipe: Recipe, run: RunRecord) -> int | None:
    """The looks of an epoch of a recipe, given a run on the same dataset that knows how many test images there are."""
    whole = run.progress.get("training_images", 0) + run.recipe.held_out if run.recipe.train_images is None else 0
    known = TRAINING_IMAGES.get(cast(DatasetName, recipe.dataset)) or whole
    images = recipe.train_images or max(0, known - recipe.held_out) or None
    if images is None or run.last is None:
        return None
    return images * (STEP_COST + 1) + sum(map(sum, run.last.confusion))


def seconds_left(run: RunRecord) -> float | None:
    """How long a run under way still takes: at its own pace, once an epoch is over; by its images per second before that."""
    step, steps, speed = (run.progress.get(name) for name in ("step", "steps", "images_per_second"))
    if step is None or not steps:
        return None
    if run.epochs_done:
        done = max(step / steps * run.recipe.epochs, run.epochs_done)
        return max(0.0, run.recipe.epochs - done) * run.seconds / run.epochs_done
    return (steps - step) * run.recipe.batch_size / speed if speed else None
