"""The training loop: a generator of events. It never prints, saves, or knows who listens.

    state = TrainingState.fresh(recipe, dataset, device)
    for event in fit(recipe, dataset, state):
        ...

Whenever an event is yielded, `state` is whole: saved there and restored later, training goes on with bit-identical weights
(on a CPU). That is so because nothing else is remembered: the order of the images and their augmentation are drawn from the
seed and the position, and the learning rate is a function of the step.
"""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional

from gpcore.data.datasets import Dataset, Split, scaled
from gpcore.errors import DatasetError, TrainingError
from gpcore.nets.convnet import ConvNet
from gpcore.recipe import Recipe, Schedule
from gpcore.training.augment import AUGMENTATIONS
from gpcore.training.evaluate import Tally, one_thread, output_of, tallies

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
    """An epoch ended; both tallies were counted with the weights of that moment."""

    epoch: int
    training: Tally
    validation: Tally
    learning_rate: float
    seconds: float


Event = BatchesDone | Evaluating | EpochDone


@dataclass
class TrainingState:
    """All that training needs to go on: the network, Adam's moments, and how far they got.

    `step` counts the batches done, `epoch` the epochs done and evaluated, `seconds` the time spent in the epoch under way.
    """

    network: ConvNet
    optimizer: torch.optim.Adam = field(init=False)
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        # One kernel for each parameter instead of a dozen: a step of the whole network takes a tenth less (benchmarks/step.py).
        self.optimizer = torch.optim.Adam(self.network.parameters(), fused=True)

    @classmethod
    def fresh(cls, recipe: Recipe, dataset: Dataset, device: torch.device) -> "TrainingState":
        """The state before the first step."""
        _, channels, height, width = dataset.test.images.shape
        size = (height, width)
        network = ConvNet(
            recipe.pool, channels, len(dataset.classes), recipe.seed, recipe.placement, size, recipe.initialisation
        )
        return cls(network.to(device))

    def load_moments(self, moments: dict[int, dict[str, Tensor]]) -> None:
        """Give Adam its memory back: what `optimizer.state_dict()["state"]` was, from wherever it was kept."""
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        # Adam's kernel walks through a parameter and its moments in the order of their memory, which no file keeps.
        for parameter, known in self.optimizer.state.items():
            for name, moment in known.items():
                if moment.shape == parameter.shape:
                    known[name] = torch.empty_like(parameter).copy_(moment)


def find_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA, else Apple's MPS, else the CPU.

    Raises:
        TrainingError: there is no such device on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if not available.get(name, False):
        present = ", ".join(kind for kind, here in available.items() if here)
        raise TrainingError(f"device is {name!r}: this machine has {present}; or choose auto.")
    return torch.device(name)


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


def fit(recipe: Recipe, dataset: Dataset, state: TrainingState) -> Iterator[Event]:
    """Train `state` up to the recipe's last epoch, from wherever it stands, and tell what happens.

    On a CPU it runs on one thread: this network gains next to nothing from a second one, two runs side by side gain twice
    as much, and the results then do not depend on the number of cores.

    Raises:
        DatasetError: the recipe wants more training images than there are.
        TrainingError: the loss became infinite or not a number.
    """
    available = len(dataset.train)
    if recipe.train_images is not None and recipe.train_images > available:
        raise DatasetError(f"train_images is {recipe.train_images:,}: {dataset.name} has {available:,} training images.")
    device = next(state.network.parameters()).device
    train, test = dataset.train.first(recipe.train_images).to(device), dataset.test.to(device)
    with one_thread():
        while state.epoch < recipe.epochs:
            started = time.monotonic() - state.seconds
            for event in _train_epoch(recipe, train, state):
                state.seconds = time.monotonic() - started
                yield event
            yield from _evaluate_epoch(recipe, train, test, state, started)


def _train_epoch(recipe: Recipe, train: Split, state: TrainingState) -> Iterator[BatchesDone]:
    """Take the steps of the epoch that are left."""
    in_epoch = steps_per_epoch(recipe, len(train))
    epoch, steps = state.epoch + 1, in_epoch * recipe.epochs
    order = image_order(recipe, epoch, len(train)).to(train.labels.device)
    first, losses, reported = state.step, [], time.monotonic()
    state.network.train()
    while state.step < epoch * in_epoch:
        position = state.step - (epoch - 1) * in_epoch
        chosen = order[position * recipe.batch_size : (position + 1) * recipe.batch_size]
        rate = learning_rate(recipe, state.step, steps)
        losses.append(_take_step(recipe, train.images[chosen], train.labels[chosen], state, rate))
        state.step += 1
        elapsed = time.monotonic() - reported
        if elapsed >= REPORT_SECONDS or state.step == epoch * in_epoch:
            values = torch.stack(losses).tolist()  # the one moment at which an accelerator is waited for
            finite = list(itertools.takewhile(math.isfinite, values))
            if finite:  # up to the step that failed, so that a curve shows how it came to that
                yield BatchesDone(epoch, first, finite, rate, len(losses) * recipe.batch_size / max(elapsed, 1e-9))
            _check_finite(values, first, epoch, rate)
            first, losses, reported = state.step, [], time.monotonic()


def _take_step(recipe: Recipe, images: Tensor, labels: Tensor, state: TrainingState, rate: float) -> Tensor:
    """One step of Adam on one batch; the loss, still on the device."""
    inputs = AUGMENTATIONS[recipe.augmentation](scaled(images), _generator(recipe.seed, 1, state.step))
    bfloat16 = torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")
    with bfloat16, _seeded(images.device, _seed(recipe.seed, 2, state.step)):
        scores = state.network(inputs)
    loss = functional.cross_entropy(output_of(scores.float(), recipe.output), labels)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    return loss.detach()


def _evaluate_epoch(
    recipe: Recipe, train: Split, test: Split, state: TrainingState, started: float
) -> Iterator[Evaluating | EpochDone]:
    """Measure both splits with the weights as they stand, and close the epoch."""
    epoch, total, done = state.epoch + 1, len(train) + len(test), 0
    sums: list[Tally] = []
    reported = time.monotonic()
    state.network.eval()
    for split in (train, test):
        parts: list[Tally] = []
        for part in tallies(state.network, split, recipe.output):
            if not part.losses.isfinite().all():
                raise TrainingError(f"The loss after epoch {epoch} is not a number: lower the learning rate and train again.")
            parts.append(part)
            done += part.images
            if time.monotonic() - reported >= REPORT_SECONDS:
                yield Evaluating(epoch, done, total)
                reported = time.monotonic()
        sums.append(sum(parts[1:], parts[0]))
    # Not the optimizer's own: a state that was restored before its evaluation has taken no step since.
    rate = learning_rate(recipe, state.step - 1, steps_per_epoch(recipe, len(train)) * recipe.epochs)
    seconds = time.monotonic() - started
    state.epoch, state.seconds = epoch, 0.0
    training, validation = sums
    yield EpochDone(epoch, training, validation, rate, seconds)


def image_order(recipe: Recipe, epoch: int, images: int) -> Int64[Tensor, " images"]:
    """The order in which an epoch (counted from 1) takes the images: file order, or drawn from the seed and the epoch."""
    if not recipe.shuffle:
        return torch.arange(images)
    return torch.randperm(images, generator=_generator(recipe.seed, 0, epoch))


def _generator(seed: int, purpose: int, position: int) -> torch.Generator:
    """A generator of its own for every purpose and position, so that training can go on from anywhere."""
    return torch.Generator().manual_seed(_seed(seed, purpose, position))


def _seed(seed: int, purpose: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, purpose, position)).generate_state(1)[0])


@contextlib.contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """What dropout draws inside comes from this seed; PyTorch gives it no generator of its own."""
    if device.type != "cpu":
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
        return
    # torch.manual_seed would also take a millisecond to note a seed for every kind of accelerator that there might be.
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def _check_finite(losses: list[float], first_step: int, epoch: int, rate: float) -> None:
    for offset, loss in enumerate(losses):
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {epoch}, at step {first_step + offset:,}, with a learning rate of {rate:g}: "
                "lower the learning rate and train again."
            )
