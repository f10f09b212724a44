"""One step of Adam on a batch: all the arithmetic of training."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from gpcore.data.datasets import Split, scaled
from gpcore.recipe import Recipe
from gpcore.training.augmentations import AUGMENTATIONS, Images
from gpcore.training.evaluate import arithmetic, output_of
from gpcore.training.state import TrainingState


def take_step(
    recipe: Recipe, train: Split, state: TrainingState, chosen: Int64[Tensor, " n"], rate: float
) -> Float[Tensor, ""]:
    """Takes one step on the chosen images at this learning rate; returns the loss, still on the device."""
    inputs = augmented(recipe, scaled(train.images[chosen]), state.step)
    with arithmetic(recipe.precision, state.device), dropout_seeded(recipe, state.device, state.step):
        loss = loss_of(state.network(inputs), train.labels[chosen], recipe)
        state.optimizer.zero_grad()
        loss.backward()
    state.optimizer.param_groups[0]["lr"] = rate
    state.optimizer.step()
    return loss.detach()


def loss_of(scores: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], recipe: Recipe) -> Float[Tensor, ""]:
    """Returns the mean cross entropy of a recipe's output, with its label smoothing, in float32."""
    outputs = output_of(scores.float(), recipe.output)
    return functional.cross_entropy(outputs, labels, label_smoothing=recipe.label_smoothing)


def augmented(recipe: Recipe, images: Images, step: int) -> Images:
    """Returns the images with the recipe's random augmentation of this step."""
    return AUGMENTATIONS[recipe.augmentation](images, generator(recipe.seed, 1, step))


def generator(seed: int, purpose: int, position: int) -> torch.Generator:
    """Returns a separate generator for every purpose and position, so that training can continue from anywhere."""
    return torch.Generator().manual_seed(_seed(seed, purpose, position))


def _seed(seed: int, purpose: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, purpose, position)).generate_state(1)[0])


@contextlib.contextmanager
def dropout_seeded(recipe: Recipe, device: torch.device, step: int) -> Iterator[None]:
    """Makes dropout draw from the recipe's seed and the step; PyTorch has no way to pass it a generator."""
    seed = _seed(recipe.seed, 2, step)
    if device.type != "cpu":
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
        return
    # torch.manual_seed would take another millisecond to seed every possible accelerator.
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
