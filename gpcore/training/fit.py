"""The training loop: a generator of events. It never prints, saves, or knows who listens.

    state = TrainingState.fresh(recipe, dataset, device)
    for event in fit(recipe, dataset, state):
        ...

Whenever an event is yielded, `state` is whole: saved there and restored later, training goes on with bit-identical weights
(on a CPU). That is so because nothing else is remembered: the order of the images and their augmentation are drawn from the
seed and the position, and the learning rate is a function of the step.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from gpcore.data.datasets import Dataset, Split
from gpcore.errors import DatasetError, TrainingError
from gpcore.recipe import Precision, Recipe, Schedule, experiment_of
from gpcore.training.evaluate import Tally, one_thread, tallies
from gpcore.training.state import TrainingState
from gpcore.training.step import Step, generator, stepper

REPORT_SECONDS = 0.25
"""How long batches and evaluated images are collected before they are reported."""


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
    """So many of the images that are looked at after an epoch, training and test images together, are done."""

    epoch: int
    done: int
    images: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch ended; both tallies were counted with the weights of that moment, validation in float32 whatever the recipe."""

    epoch: int
    training: Tally
    validation: Tally
    learning_rate: float
    seconds: float


Event = BatchesDone | Evaluating | EpochDone


def one_cycle(step: int, steps: int) -> float:
    """The learning rate as a fraction of its peak (Smith and Topin 2018): up from 1/25 over the first 30 % of the steps,
    then down to 1/250,000, both along half a cosine wave."""
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
    """What a recipe trains on, and what it validates on: the test images, or the training images that it holds out.

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
    """Train `state` up to the recipe's last epoch, from wherever it stands, and tell what happens.

    On a CPU it runs on one thread: this network gains next to nothing from a second one, two runs side by side gain twice
    as much, and the results then do not depend on the number of cores.

    Raises:
        DatasetError: the recipe wants more training images than there are.
        TrainingError: the loss became infinite or not a number.
    """
    for (event,) in fit_together([recipe], dataset, [state]):
        if isinstance(event, TrainingError):
            raise event
        if event is not None:
            yield event


def fit_together(
    recipes: Sequence[Recipe], dataset: Dataset, states: list[TrainingState]
) -> Iterator[Sequence[Event | TrainingError | None]]:
    """Train runs that differ in head and seed alone in step, up to the last epoch, and tell what happens to each.

    On a GPU they are computed as one (step.py), and an epoch's seconds are those of all of them. For a run whose loss is
    no number any more there is a TrainingError; what comes for it after that means nothing.

    Raises:
        DatasetError: the recipes want more training images than there are, or hold out all of them.
    """
    [recipe] = {experiment_of(each) for each in recipes}
    train, test = (split.to(states[0].device) for split in splits(recipe, dataset))
    with one_thread():
        step = stepper(recipes, train, states)
        while states[0].epoch < recipe.epochs:
            started = time.monotonic() - states[0].seconds
            for events in _train_epoch(recipes, train, states, step):
                for state in states:
                    state.seconds = time.monotonic() - started
                yield events
            yield from _evaluate_epoch(recipes, train, test, states, started)


def _train_epoch(
    recipes: Sequence[Recipe], train: Split, states: list[TrainingState], step: Step
) -> Iterator[list[BatchesDone | TrainingError | None]]:
    """Take the steps of the epoch that are left."""
    recipe = recipes[0]
    in_epoch = steps_per_epoch(recipe, len(train))
    epoch, steps = states[0].epoch + 1, in_epoch * recipe.epochs
    order = torch.stack([image_order(each, epoch, len(train)) for each in recipes]).to(train.labels.device)
    first, losses, reported = states[0].step, [], time.monotonic()
    for state in states:
        state.network.train()
    while states[0].step < epoch * in_epoch:
        position = states[0].step - (epoch - 1) * in_epoch
        rate = learning_rate(recipe, states[0].step, steps)
        losses.append(step(order[:, position * recipe.batch_size : (position + 1) * recipe.batch_size], rate))
        for state in states:
            state.step += 1
        elapsed = time.monotonic() - reported
        if elapsed >= REPORT_SECONDS or states[0].step == epoch * in_epoch:
            speed = len(losses) * recipe.batch_size / max(elapsed, 1e-9)
            values = torch.stack(losses, 1).tolist()  # the one moment at which an accelerator is waited for
            yield from _told(values, epoch, first, rate, speed)
            first, losses, reported = states[0].step, [], time.monotonic()


def _told(
    values: Sequence[list[float]], epoch: int, first: int, rate: float, speed: float
) -> Iterator[list[BatchesDone | TrainingError | None]]:
    """The steps of every run, up to the one that failed, so that a curve shows how it came to that; then what failed."""
    finite = [list(itertools.takewhile(math.isfinite, own)) for own in values]
    yield [BatchesDone(epoch, first, own, rate, speed) if own else None for own in finite]
    if any(len(own) < len(all_) for own, all_ in zip(finite, values, strict=True)):
        yield [
            _not_finite(all_[len(own)], epoch, first + len(own), rate) if len(own) < len(all_) else None
            for own, all_ in zip(finite, values, strict=True)
        ]


def _not_finite(loss: float, epoch: int, step: int, rate: float) -> TrainingError:
    return TrainingError(
        f"The loss became {loss} in epoch {epoch}, at step {step:,}, with a learning rate of {rate:g}: "
        "lower the learning rate and train again."
    )


def _evaluate_epoch(
    recipes: Sequence[Recipe], train: Split, test: Split, states: list[TrainingState], started: float
) -> Iterator[list[Evaluating | EpochDone | TrainingError | None]]:
    """Measure both splits with the weights as they stand, one run after the other, and close the epoch."""
    epoch, total = states[0].epoch + 1, len(train) + len(test)
    ended: list[EpochDone | TrainingError | None] = []
    for place, (recipe, state) in enumerate(zip(recipes, list(states), strict=True)):
        sums: list[Tally] = []
        done, reported = 0, time.monotonic()
        state.network.eval()
        # Validation in float32, which is how the weights are used and compared from now on.
        counted: list[tuple[Split, Precision]] = [(train, recipe.precision), (test, "float32")]
        for split, precision in counted:
            parts: list[Tally] = []
            for part in tallies(state.network, split, recipe.output, precision):
                parts.append(part)
                done += part.images
                if time.monotonic() - reported >= REPORT_SECONDS:
                    yield [Evaluating(epoch, done, total) if each == place else None for each in range(len(recipes))]
                    reported = time.monotonic()
            sums.append(sum(parts[1:], parts[0]))
        training, validation = sums
        # Not the optimizer's own: a state that was restored before its evaluation has taken no step since.
        rate = learning_rate(recipe, state.step - 1, steps_per_epoch(recipe, len(train)) * recipe.epochs)
        ended.append(_closed(epoch, training, validation, rate))
    seconds = time.monotonic() - started
    for state in states:
        state.epoch, state.seconds = epoch, 0.0
    yield [replace(each, seconds=seconds) if isinstance(each, EpochDone) else each for each in ended]


def _closed(epoch: int, training: Tally, validation: Tally, rate: float) -> EpochDone | TrainingError:
    if training.losses.isfinite().all() and validation.losses.isfinite().all():
        return EpochDone(epoch, training, validation, rate, 0.0)
    return TrainingError(f"The loss after epoch {epoch} is not a number: lower the learning rate and train again.")


def image_order(recipe: Recipe, epoch: int, images: int) -> Int64[Tensor, " images"]:
    """The order in which an epoch (counted from 1) takes the images: file order, or drawn from the seed and the epoch."""
    if not recipe.shuffle:
        return torch.arange(images)
    return torch.randperm(images, generator=generator(recipe.seed, 0, epoch))
