"""The base of all networks: a trunk, which computes features, and a head, which computes scores from them."""

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
        """The number of the trunk's modules: `network[:depth]` gives the features."""
        raise NotImplementedError

    @property
    def head(self) -> nn.Sequential:
        """The two modules after the trunk, which compute scores from features (n, features, rows, columns)."""
        raise NotImplementedError

    def with_head(self, *modules: nn.Module) -> "Network":
        """Returns a copy of the network with another head."""
        raise NotImplementedError

    def features(self, x: Images) -> Float[Tensor, "n features rows columns"]:
        """Returns the trunk's output."""
        raise NotImplementedError

    def outputs(self, x: Images) -> list[Tensor]:
        """The output of `network[:k]` for every k, from 0, the images themselves, to the scores."""
        found = [x]
        for module in self.network:
            found.append(module(found[-1]))
        return found

    @property
    def class_maps_layer(self) -> int:
        """`network[:class_maps_layer]` gives the class maps, if the network pools class maps."""
        return self.depth + 1

    @property
    def pool(self) -> GlobalPool:
        """The global pooling: the last module, or the last but one where a linear layer follows it.

        Raises:
            InsightError: the head has linear layers only.
        """
        for module in reversed(self.head):
            if isinstance(module, GlobalPool):
                return module
        raise InsightError("This network ends in linear layers and does not pool: choose a run with a pooling, such as GAP.")

    @property
    def head_title(self) -> str:
        """The head's name: `GAP`, `GMP on features`, `MLP`."""
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
            InsightError: the network pools features, or does not pool.
        """
        if not self.has_class_maps:
            raise InsightError(
                "This network has no class maps: its last module is a linear layer. Choose a run that pools class maps, "
                "such as GAP or GMP."
            )
        return self.head[0](self.features(x))

    def forward(self, x: Images) -> Float[Tensor, "n classes"]:
        """The scores, before any sigmoid, of images with values in [0, 1]: `pool(maps(x))` where there are class maps."""
        return self.head(self.features(x))
