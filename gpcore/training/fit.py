"""The training loop: a generator of events. It never prints, saves, or knows who listens.

    state = TrainingState.fresh(recipe, dataset, device)
    for event in fit(recipe, dataset, state):
        ...

Whenever an event is yielded, `state` is complete: if it is saved and restored there, training continues with bit-identical
weights (on a CPU). There is no other state: the order of the images and their augmentation are drawn from the seed and the
position, and the learning rate is a function of the step.
"""

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from gpcore.data.datasets import Dataset, Split
from gpcore.errors import DatasetError, TrainingError
from gpcore.recipe import Precision, Recipe, Schedule, experiment_of
from gpcore.training.evaluate import Tally, one_thread, tallies
from gpcore.training.stack import Step, stepper
from gpcore.training.state import TrainingState
from gpcore.training.step import generator

REPORT_SECONDS = 0.25
"""Seconds between two reports of batches or evaluated images."""


@dataclass(frozen=True)
class BatchesDone:
    """Steps `first_step`, `first_step + 1`, … (counted from 0 over the whole run) were taken, with these losses."""

    epoch: int
    first_step: int
    losses: list[float]
    learning_rate: float
    images_per_second: float


@dataclass(frozen=True)
class Evaluating:
    """The progress of the evaluation after an epoch, over training and test images together."""

    epoch: int
    done: int
    images: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch ended; both tallies are for the weights after it, validation in float32 for every recipe."""

    epoch: int
    training: Tally
    validation: Tally
    learning_rate: float
    seconds: float


Event = BatchesDone | Evaluating | EpochDone

Happened = tuple[int, Event | TrainingError]
"""The index of a run among those trained together, and its event."""


def one_cycle(step: int, steps: int) -> float:
    """Returns the learning rate as a fraction of its peak (Smith and Topin 2018): up from 1/25 over the first 30 % of the
    steps, then down to 1/250,000, both along half a cosine wave."""
    top, end = 0.3 * steps - 1, steps - 1
    if step <= top:
        return _cosine(1 / 25, 1.0, step / top if top > 0 else 1.0)
    return _cosine(1.0, 1 / 250_000, min(1.0, (step - top) / (end - top)))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[Schedule, Callable[[int, int], float]] = {
    "constant": lambda step, steps: 1.0,
    "one-cycle": one_cycle,
}


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0, of a run of so many steps."""
    return recipe.learning_rate * SCHEDULES[recipe.schedule](step, steps)


def steps_per_epoch(recipe: Recipe, training_images: int) -> int:
    """Batches of an epoch over so many images; the last may be smaller."""
    return math.ceil(training_images / recipe.batch_size)


def splits(recipe: Recipe, dataset: Dataset) -> tuple[Split, Split]:
    """Returns a recipe's training and validation images; the latter are the test images, or held-out training images.

    Raises:
        DatasetError: it wants more training images than there are, or holds out all of them.
    """
    there = len(dataset.train)
    left = there - recipe.held_out
    if left < 1:
        raise DatasetError(f"held_out is {recipe.held_out:,}: {dataset.name} has {there:,} training images, and needs some.")
    if recipe.train_images is not None and recipe.train_images > left:
        without = f", {left:,} without those held out" if recipe.held_out else ""
        raise DatasetError(f"train_images is {recipe.train_images:,}: {dataset.name} has {there:,} training images{without}.")
    validation = dataset.train.last(recipe.held_out) if recipe.held_out else dataset.test
    return dataset.train.first(recipe.train_images or left), validation


def fit(recipe: Recipe, dataset: Dataset, state: TrainingState) -> Iterator[Event]:
    """Trains `state` from its current step up to the recipe's last epoch, and yields the events.

    On a CPU it runs on one thread: this network gains almost nothing from a second one, two runs side by side gain twice as
    much, and the results then do not depend on the number of cores.

    Raises:
        DatasetError: the recipe wants more training images than there are.
        TrainingError: the loss became infinite or not a number.
    """
    for _, event in fit_together([recipe], dataset, [state]):
        if isinstance(event, TrainingError):
            raise event
        yield event


def fit_together(recipes: Sequence[Recipe], dataset: Dataset, states: Sequence[TrainingState]) -> Iterator[Happened]:
    """Trains runs that differ in head and seed alone in step, up to the last epoch; yields pairs of a run and its event.

    On a GPU they are computed as one (stack.py), and an epoch's seconds are those of all of them. The last event of a run
    whose loss is no longer a number is a TrainingError; the others continue.

    Raises:
        DatasetError: the recipes want more training images than there are, or hold out all of them.
    """
    [recipe] = {experiment_of(each) for each in recipes}
    train, test = (split.to(states[0].device) for split in splits(recipe, dataset))
    failed: set[int] = set()
    with one_thread():
        step = stepper(recipes, train, states)
        while states[0].epoch < recipe.epochs:
            epoch = itertools.chain(_train(recipes, train, states, step), _evaluate(recipes, train, test, states))
            for run, event in epoch:
                if run not in failed:
                    yield run, event
                    failed |= {run} if isinstance(event, TrainingError) else set()
                    if len(failed) == len(recipes):
                        return


def _train(recipes: Sequence[Recipe], train: Split, states: Sequence[TrainingState], step: Step) -> Iterator[Happened]:
    """Takes the remaining steps of an epoch."""
    recipe, epoch = recipes[0], states[0].epoch + 1
    in_epoch = steps_per_epoch(recipe, len(train))
    order = torch.stack([image_order(each, epoch, len(train)) for each in recipes]).to(train.labels.device)
    batches = order.split(recipe.batch_size, dim=1)[states[0].step - (epoch - 1) * in_epoch :]
    losses, reported = [], time.monotonic()
    for state in states:
        state.network.train()
    for left, batch in zip(reversed(range(len(batches))), batches, strict=True):
        rate = learning_rate(recipe, states[0].step, in_epoch * recipe.epochs)
        losses.append(step(batch, rate))
        for state in states:
            state.step += 1
        elapsed = time.monotonic() - reported
        if elapsed >= REPORT_SECONDS or not left:
            for state in states:
                state.seconds += elapsed
            reported += elapsed
            first, speed = states[0].step - len(losses), len(losses) * recipe.batch_size / max(elapsed, 1e-9)
            # Converting to lists is the only point that waits for an accelerator.
            for run, own in enumerate(torch.stack(losses, 1).tolist()):
                yield from _report(run, BatchesDone(epoch, first, own, rate, speed))
            losses = []


def _report(run: int, batches: BatchesDone) -> Iterator[Happened]:
    """Yields the steps up to a failed one, so that a curve shows what led to it; then the failure."""
    finite = list(itertools.takewhile(math.isfinite, batches.losses))
    if finite:
        yield run, replace(batches, losses=finite)
    if failed := batches.losses[len(finite) :]:
        where = f"in epoch {batches.epoch}, at step {batches.first_step + len(finite):,}"
        yield run, _diverged(f"The loss became {failed[0]} {where}, with a learning rate of {batches.learning_rate:g}")


def _diverged(what: str) -> TrainingError:
    return TrainingError(f"{what}: lower the learning rate and train again.")


def _evaluate(recipes: Sequence[Recipe], train: Split, test: Split, states: Sequence[TrainingState]) -> Iterator[Happened]:
    """Measures both splits with the weights as they are, one run after the other, and closes the epoch of all."""
    epoch, started, measured = states[0].epoch + 1, time.monotonic(), []
    for run, (recipe, state) in enumerate(zip(recipes, states, strict=True)):
        measured.append((yield from _measure(run, recipe, train, test, state)))
    # Not the optimizer's rate: a state restored before its evaluation has taken no step since.
    rate = learning_rate(recipe, state.step - 1, steps_per_epoch(recipe, len(train)) * recipe.epochs)
    seconds = state.seconds + time.monotonic() - started
    for state in states:
        state.epoch, state.seconds = epoch, 0.0
    for run, (training, validation) in enumerate(measured):
        if training.losses.isfinite().all() and validation.losses.isfinite().all():
            yield run, EpochDone(epoch, training, validation, rate, seconds)
        else:
            yield run, _diverged(f"The loss after epoch {epoch} is not a number")


def _measure(
    run: int, recipe: Recipe, train: Split, test: Split, state: TrainingState
) -> Generator[Happened, None, tuple[Tally, Tally]]:
    """Counts over both splits, validation in float32, which is how the weights are used and compared from now on."""
    state.network.eval()
    training: list[Tally] = []
    validation: list[Tally] = []
    looks: list[tuple[list[Tally], Split, Precision]] = [(training, train, recipe.precision), (validation, test, "float32")]
    reported = time.monotonic()
    for parts, split, precision in looks:
        for part in tallies(state.network, split, recipe.output, precision):
            parts.append(part)
            if time.monotonic() - reported >= REPORT_SECONDS:
                done = sum(each.images for each in training + validation)
                yield run, Evaluating(state.epoch + 1, done, len(train) + len(test))
                reported = time.monotonic()
    return sum(training[1:], training[0]), sum(validation[1:], validation[0])


def image_order(recipe: Recipe, epoch: int, images: int) -> Int64[Tensor, " images"]:
    """Returns the order of the images in an epoch (counted from 1): file order, or drawn from the seed and the epoch."""
    if not recipe.shuffle:
        return torch.arange(images)
    return torch.randperm(images, generator=generator(recipe.seed, 0, epoch))
