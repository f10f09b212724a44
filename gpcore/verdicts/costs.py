"""The cost of an experiment's networks, head by head, counted on networks like theirs with PyTorch."""

from gpcore.nets.cost import Cost, cost
from gpcore.nets.frozen import build
from gpcore.recipe import Pool
from gpcore.verdicts.experiments import Experiment

COUNTED = (
    "A multiplication and an addition are two FLOPs. Convolutions and linear layers are counted; the few powers, exponentials, "
    "additions and comparisons of a pooling are not."
)
"""Explains the FLOPs of `costs`."""


def costs(experiment: Experiment) -> dict[Pool, Cost]:
    """Returns the cost of a network with each head, for images of this experiment.

    Raises:
        CheckpointError: the first run has no weights, whose header has the size of the images.
    """
    first = experiment.every_run[0]
    shape, classes = first.image_shape, len(first.classes)
    return {pool: cost(build(experiment.recipe.but(pool=pool), first.input_shape, classes), shape) for pool in experiment.runs}
