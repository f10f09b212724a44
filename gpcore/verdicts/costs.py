"""What the networks of an experiment cost, head by head: counted on networks like theirs, for which PyTorch must be there."""

from gpcore.nets.convnet import ConvNet
from gpcore.nets.cost import Cost, cost
from gpcore.recipe import Pool, Recipe
from gpcore.verdicts.experiments import Experiment

COUNTED = (
    "A multiplication and an addition are two FLOPs. Convolutions and linear layers are counted; the few powers, exponentials, "
    "additions and comparisons of a pooling are not."
)
"""What the FLOPs of `costs` are."""


def costs(experiment: Experiment) -> dict[Pool, Cost]:
    """What a network with each head costs, for images of this experiment.

    Raises:
        CheckpointError: the first run has no weights, which tell the size of the images.
    """
    first = experiment.every_run[0]
    shape, classes = first.image_shape, len(first.classes)
    return {pool: _cost(pool, shape, classes, experiment.recipe) for pool in experiment.runs}


def _cost(pool: Pool, shape: tuple[int, int, int], classes: int, recipe: Recipe) -> Cost:
    return cost(ConvNet(pool, shape[0], classes, placement=recipe.placement, size=shape[1:]), shape)
