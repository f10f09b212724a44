"""One image through a network at every epoch of its training, all epochs at once."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from gpcore.nets.network import Network


@dataclass(frozen=True)
class History:
    """The weights of all epochs of one run, stacked: every tensor gains a first dimension, the epochs."""

    skeleton: Network
    weights: dict[str, Tensor]

    def scores(self, image: Float[Tensor, "1 channels height width"]) -> Float[Tensor, "epochs classes"]:
        """The pooled scores of one image after each epoch."""
        with torch.inference_mode():
            return vmap(lambda weights: functional_call(self.skeleton, weights, (image,)))(self.weights)[:, 0]


def history(networks: Sequence[Network]) -> History:
    """Returns the networks of a run's epochs, in order, as one stack."""
    weights, buffers = stack_module_state(list(networks))
    return History(copy.deepcopy(networks[0]).to("meta"), {name: value.detach() for name, value in (weights | buffers).items()})


def lead(scores: Float[Tensor, "*several classes"], label: int) -> Float[Tensor, "*several"]:
    """Returns how far a class's score is ahead of the best other one; above 0 it is the largest."""
    others = scores.index_fill(-1, torch.tensor(label), -torch.inf)
    return scores[..., label] - others.amax(-1)
