"""Calibration: of the answers given with a probability of 80 %, are 80 % right?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gpcore.insight.uncertainty import fit_temperature

BINS = 15
"""Bins of equal width, as Guo et al. (2017) use."""


@dataclass(frozen=True)
class Bin:
    """Answers of similar probability: their number, mean probability, and the share that is right."""

    images: int
    confidence: float
    accuracy: float


def reliability(probabilities: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], bins: int = BINS) -> list[Bin]:
    """The answers by their probability, in bins `(0, 1/bins], (1/bins, 2/bins], …`; empty ones are left out."""
    confidence, answered = probabilities.max(1)
    number = (confidence * bins).ceil().long().clamp(1, bins) - 1
    right = (answered == labels).double()
    return [
        Bin(int(inside.sum()), confidence[inside].double().mean().item(), right[inside].mean().item())
        for inside in (number == each for each in range(bins))
        if inside.any()
    ]


def calibration_error(found: Sequence[Bin]) -> float:
    """The expected calibration error: `sum over bins of images in it / all images * |accuracy - confidence|`.

    Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """
    images = sum(each.images for each in found)
    return sum(each.images * abs(each.accuracy - each.confidence) for each in found) / images


@dataclass(frozen=True)
class Reliability:
    """The bins of a network's answers as they are, and with the temperature that makes the true classes likeliest."""

    plain: list[Bin]
    temperature: float
    tempered: list[Bin]

    @classmethod
    def of(cls, logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> "Reliability":
        """From the logits of labelled images. The temperature is found on the same images, which flatters `tempered` a little:
        one number, fitted to 10,000 images."""
        temperature = fit_temperature(logits, labels)
        plain, tempered = (reliability(torch.softmax(logits / t, dim=1), labels) for t in (1.0, temperature))
        return cls(plain, temperature, tempered)
