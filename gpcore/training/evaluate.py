"""Evaluates a network on labelled images: loss, accuracy and confusion."""

import contextlib
import copy
import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from gpcore.data.datasets import Split, scaled
from gpcore.errors import DatasetError
from gpcore.nets.network import Network
from gpcore.recipe import Output, Precision
from gpcore.training.allocator import keep_freed_memory

Part = TypeVar("Part")
Result = TypeVar("Result")

SLICE = {"cpu": 250}
"""Images evaluated at once: on a CPU few enough that the maps stay in its cache, otherwise 4,000."""


@dataclass(frozen=True)
class Tally:
    """Results over some images, in their order.

    `losses` (n,) is the cross entropy of each image on the recipe's output; `confusion` (classes, classes) counts images by
    actual class (row) and answered class (column); `logit_correct` counts those whose largest *logit* is the actual class.
    """

    losses: Float[Tensor, " n"]
    confusion: Int64[Tensor, "classes classes"]
    logit_correct: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            torch.cat([self.losses, other.losses]),
            self.confusion + other.confusion,
            self.logit_correct + other.logit_correct,
        )

    @property
    def images(self) -> int:
        return len(self.losses)

    @property
    def loss(self) -> float:
        """Mean cross entropy per image."""
        return self.losses.double().mean().item()

    @property
    def accuracy(self) -> float:
        """Fraction answered right, on the recipe's output: for the article's recipe, on the sigmoids."""
        return self.confusion.diagonal().sum().item() / self.images

    @property
    def logit_accuracy(self) -> float:
        """Fraction answered right on the logits, which differ even where sigmoids are rounded to 1.0."""
        return self.logit_correct / self.images

    def per_class(self) -> list[float]:
        """Fraction answered right of each actual class; not a number for a class without images."""
        rows = self.confusion.sum(1).tolist()
        right = self.confusion.diagonal().tolist()
        return [hits / count if count else math.nan for hits, count in zip(right, rows, strict=True)]

    def batch_losses(self, batch_size: int) -> list[float]:
        """The mean loss of every batch of `batch_size` images in order; the last may be smaller."""
        return [part.mean().item() for part in self.losses.split(batch_size)]


def output_of(scores: Float[Tensor, "n classes"], output: Output) -> Float[Tensor, "n classes"]:
    """Returns the output for a recipe's loss and answers: the sigmoids of the scores, or the scores."""
    return scores.sigmoid() if output == "sigmoid" else scores


def answers(outputs: Float[Tensor, "n classes"]) -> Int64[Tensor, " n"]:
    """Returns the class answered for each image: the largest output, and of several equal ones the lowest index.

    That holds on every device, unlike `argmax`. It is the article's rule, whose sigmoids often tie at exactly 1.
    """
    return (outputs == outputs.amax(1, keepdim=True)).int().argmax(1)


def tallies(network: Network, split: Split, output: Output, precision: Precision = "float32") -> Iterator[Tally]:
    """Yields a tally for each slice, so that the caller can show progress or stop; their sum is the total."""
    if precision == "bfloat16":  # cast the trunk's weights once; autocast would do it for every slice
        network = copy.deepcopy(network)
        network.network[: network.depth].bfloat16()
    for part in _slices(split):
        yield _tally(network, part, output, precision)


def evaluate(network: Network, split: Split, output: Output) -> Tally:
    """Returns the tally over all images of a split, computed on all cores.

    Raises:
        DatasetError: the split has no images.
    """
    if not len(split):
        raise DatasetError("There are no images to evaluate on.")
    first, *rest = on_all_cores(lambda part: _tally(network, part, output), _slices(split))
    return sum(rest, first)


def on_all_cores(function: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Applies a function to every part, one core each: two parts on a core each are faster than one on two cores."""
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, parts))


@contextlib.contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Inside, convolutions are computed in this precision; in NVIDIA's TF32, PyTorch's default, only where it is asked for."""
    bfloat16 = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)
    with bfloat16, torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "tf32"):
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Makes PyTorch use one thread inside the context, and keep its memory from now on."""
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _slices(split: Split) -> list[Split]:
    size = SLICE.get(split.images.device.type, 4000)
    return [Split(*part) for part in zip(split.images.split(size), split.labels.split(size), strict=True)]


@torch.inference_mode()
def _tally(network: Network, part: Split, output: Output, precision: Precision = "float32") -> Tally:
    images, labels = scaled(part.images), part.labels
    with arithmetic(precision, images.device):
        features = network.features(images)
    # The head is in float32: in bfloat16 the two largest scores are often equal.
    scores = network.head(features.float())
    outputs = output_of(scores, output)
    classes = scores.shape[1]
    pairs = torch.bincount(labels * classes + answers(outputs), minlength=classes * classes)
    return Tally(
        functional.cross_entropy(outputs, labels, reduction="none").float().cpu(),
        pairs.view(classes, classes).cpu(),
        int((scores.argmax(1) == labels).sum()),
    )
