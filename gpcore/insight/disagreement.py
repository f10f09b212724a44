"""The images on which two networks differ, both are wrong, or one is confidently wrong."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gpcore.recipe import Output
from gpcore.training.evaluate import answers, output_of

Kind = Literal["first", "second", "both", "sure"]
"""Only the first network is right; only the second is; both are wrong; either is wrong, the most confident error first."""


@dataclass(frozen=True)
class Answers:
    """One network's answers to all images, and how far the true class's logit is behind the answer's (`lag`).

    The lag is 0 for a right answer. Where sigmoids tie at 1, it can be negative for a wrong one: the true logit was larger.
    """

    labels: Int64[Tensor, " n"]
    lag: Float[Tensor, " n"]


@dataclass(frozen=True)
class Disagreement:
    """Two networks' answers to the same images, whose true classes are `actual`."""

    actual: Int64[Tensor, " n"]
    first: Answers
    second: Answers

    def found(self, kind: Kind, label: int | None = None) -> Int64[Tensor, " found"]:
        """The images of a kind, of one true class or of all, the most striking first: by the larger lag of the two."""
        chosen = self._of_kind(kind)
        if label is not None:
            chosen = chosen & (self.actual == label)
        indices = chosen.nonzero()[:, 0]
        lag = torch.maximum(self.first.lag, self.second.lag)[indices]
        return indices[lag.argsort(descending=True, stable=True)]

    def differing(self) -> Int64[Tensor, " found"]:
        """The images of which exactly one network is right."""
        return torch.cat([self.found("first"), self.found("second")])

    def count(self, kind: Kind, label: int | None = None) -> int:
        """How many images of a kind there are."""
        return len(self.found(kind, label))

    def _of_kind(self, kind: Kind) -> Bool[Tensor, " n"]:
        first, second = self.first.labels == self.actual, self.second.labels == self.actual
        kinds = {"first": first & ~second, "second": second & ~first, "both": ~first & ~second, "sure": ~(first & second)}
        return kinds[kind]


def answers_of(scores: Float[Tensor, "n classes"], actual: Int64[Tensor, " n"], output: Output) -> Answers:
    """What scores answer on a recipe's output."""
    labels = answers(output_of(scores, output))
    answered, true = (scores.gather(1, index[:, None])[:, 0] for index in (labels, actual))
    return Answers(labels, answered - true)
