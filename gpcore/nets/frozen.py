"""A head on a pretrained trunk that stays as it is; and how to build the network that a recipe asks for."""

import copy

from jaxtyping import Float
from torch import Tensor, nn

from gpcore.nets.convnet import ConvNet, initialise
from gpcore.nets.heads import HEADS, Shape
from gpcore.nets.network import Images, Network
from gpcore.nets.trunks import Trunk, load_trunk
from gpcore.recipe import Recipe


class FrozenNet(Network):
    """A head on the features of a pretrained trunk.

    Its parameters and its `state_dict` are the head's alone; all networks of a process share one copy of the trunk, loaded
    when an image first needs it. Where images are expected it takes features as well, and passes them on as they are: heads
    are trained and measured on features that were computed once (training/features.py).

    Args:
        recipe: its trunk, head and first weights.
        shape: of the trunk's features, and the number of classes.
    """

    def __init__(self, recipe: Recipe, shape: Shape) -> None:
        super().__init__()
        self.pool_name, self.trunk_name, self.channels = recipe.pool, recipe.trunk, shape.features
        self.layers = nn.Sequential(*HEADS[recipe.pool][recipe.placement](recipe.pool, shape))
        initialise(self.layers, recipe.initialisation, recipe.seed)

    @property
    def trunk(self) -> Trunk:
        """The pretrained network; TrunkError if it can't be had."""
        return load_trunk(self.trunk_name)

    @property
    def depth(self) -> int:
        return len(self.trunk.stages)

    @property
    def head(self) -> nn.Sequential:
        return self.layers

    @property
    def network(self) -> nn.Sequential:  # type: ignore[override]
        """The stages of the trunk and the two modules of the head, one after another."""
        return nn.Sequential(*self.trunk.stages, *self.layers)

    def with_head(self, *modules: nn.Module) -> Network:
        other = copy.deepcopy(self)
        other.layers = nn.Sequential(*modules)
        return other

    def outputs(self, x: Images) -> list[Tensor]:
        found = [x, *self.trunk.outputs(x)]
        for module in self.layers:
            found.append(module(found[-1]))
        return found

    def features(self, x: Images) -> Float[Tensor, "n features rows columns"]:
        return x if x.shape[1] == self.channels else self.trunk(x)


def build(recipe: Recipe, image_shape: tuple[int, ...], classes: int) -> Network:
    """The network that a recipe asks for, with its first weights.

    `image_shape` is that of an image; behind a frozen trunk, that of its features.

    Raises:
        DatasetError: the images are too small for the article's trunk.
    """
    channels, height, width = image_shape
    if recipe.frozen:
        return FrozenNet(recipe, Shape(channels, height, width, classes))
    size = (height, width)
    return ConvNet(recipe.pool, channels, classes, recipe.seed, recipe.placement, size, recipe.initialisation)
