"""What all networks share: a trunk that gives features, and a head that makes scores of them."""

from jaxtyping import Float
from torch import Tensor, nn

from gpcore.errors import InsightError
from gpcore.nets.pooling import GlobalPool
from gpcore.recipe import HEAD_LABELS, Pool

Images = Float[Tensor, "n channels height width"]


class Network(nn.Module):
    """A trunk and a head of two modules (nets/heads.py), `scores = head(features(x))`.

    `network` is all of it as one `nn.Sequential`: the layer index of the feature-map pages is the `k` of `network[:k]`, of
    which the first `depth` modules are the trunk.
    """

    pool_name: Pool
    network: nn.Sequential

    @property
    def depth(self) -> int:
        """How many modules the trunk has: `network[:depth]` gives the features."""
        raise NotImplementedError

    @property
    def head(self) -> nn.Sequential:
        """The two modules behind the trunk, which make scores of features (n, features, rows, columns)."""
        raise NotImplementedError

    def with_head(self, *modules: nn.Module) -> "Network":
        """A copy of the network with two other modules behind its trunk."""
        raise NotImplementedError

    def features(self, x: Images) -> Float[Tensor, "n features rows columns"]:
        """What the trunk gives."""
        raise NotImplementedError

    @property
    def class_maps_layer(self) -> int:
        """`network[:class_maps_layer]` gives the class maps: what the pooling sees, where it stands on class maps."""
        return self.depth + 1

    @property
    def pool(self) -> GlobalPool:
        """The global pooling: the last module, or the last but one where a linear layer follows it.

        Raises:
            InsightError: the head is made of linear layers alone.
        """
        for module in reversed(self.head):
            if isinstance(module, GlobalPool):
                return module
        raise InsightError("This network ends in linear layers and pools nothing: choose a run with a pooling, such as GAP.")

    @property
    def head_title(self) -> str:
        """What the network ends in: `GAP`, `GMP on features`, `MLP`."""
        if self.has_class_maps:
            return self.pool.label
        return f"{self.pool.label} on features" if isinstance(self.head[0], GlobalPool) else HEAD_LABELS[self.pool_name]

    @property
    def has_class_maps(self) -> bool:
        """Whether the last module pools one map per class."""
        return isinstance(self.head[1], GlobalPool)

    def maps(self, x: Images) -> Float[Tensor, "n classes rows columns"]:
        """The class maps, one per class.

        Raises:
            InsightError: the pooling stands on the features, or there is none.
        """
        if not self.has_class_maps:
            raise InsightError(
                "This network has no class maps: its last module is a linear layer. Choose a run whose pooling stands on class "
                "maps, as usual for GAP and GMP."
            )
        return self.head[0](self.features(x))

    def forward(self, x: Images) -> Float[Tensor, "n classes"]:
        """The scores, before any sigmoid, of images with values in [0, 1]: `pool(maps(x))` where there are class maps."""
        return self.head(self.features(x))
