"""Estimates how long training takes on this machine, from earlier runs."""

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
"""A training image costs as much as three evaluated ones: one forward and two backward passes (3.3 were measured)."""


@dataclass(frozen=True)
class Estimate:
    """The estimated seconds of a run, from the median of `runs` earlier ones on the same device and dataset."""

    seconds: float
    runs: int


def estimate(recipe: Recipe, earlier: Sequence[RunRecord], device: str) -> Estimate | None:
    """Estimates a run's time: epochs × looks × the median seconds per look of earlier runs.

    A look is one image passing through the network once; an epoch trains on its images and then evaluates them and all test
    images. The pooling hardly matters. Returns None if no similar run has been measured on this device.
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
    """Returns the looks of an epoch of a recipe, given a run on the same dataset, which has the number of test images."""
    whole = run.progress.get("training_images", 0) + run.recipe.held_out if run.recipe.train_images is None else 0
    known = TRAINING_IMAGES.get(cast(DatasetName, recipe.dataset)) or whole
    images = recipe.train_images or max(0, known - recipe.held_out) or None
    if images is None or run.last is None:
        return None
    return images * (STEP_COST + 1) + sum(map(sum, run.last.confusion))


def seconds_left(run: RunRecord) -> float | None:
    """Estimates the remaining time of an active run: from its own epochs, or in the first one from its images per second."""
    step, steps, speed = (run.progress.get(name) for name in ("step", "steps", "images_per_second"))
    if step is None or not steps:
        return None
    if run.epochs_done:
        done = max(step / steps * run.recipe.epochs, run.epochs_done)
        return max(0.0, run.recipe.epochs - done) * run.seconds / run.epochs_done
    return (steps - step) * run.recipe.batch_size / speed if speed else None
