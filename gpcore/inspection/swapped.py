"""Networks with another pooling or head, and their accuracy."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gpcore.errors import InsightError
from gpcore.inspection.find import logits_of
from gpcore.inspection.found import Found
from gpcore.inspection.trace import Detour, at_rest


class Swapped(nn.Module):
    """A network with another pooling on the same weights; a module like the network itself."""

    def __init__(self, model: nn.Module, found: Found, pool: nn.Module) -> None:
        super().__init__()
        self.model, self.pool, self.found = model, pool, found

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        def instead(maps: Tensor, pooled: Tensor) -> Tensor:
            return self.pool(self.found.layout.maps(maps)).to(pooled.dtype).reshape(pooled.shape)

        with Detour(self.found.maps, self.found.pooled, instead):
            return logits_of(self.model(x))

    def accuracy(self, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Returns the fraction of a loader's images whose highest score is that of their label."""
        return accuracy(self, loader)


def accuracy(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The fraction of images answered right; `loader` gives batches of images and labels.

    Raises:
        InsightError: it gives none.
    """
    right = seen = 0
    with at_rest(model):
        for images, labels in loader:
            answers = logits_of(model(like(model, images))).flatten(1).argmax(1).cpu()
            right, seen = right + int((answers == torch.as_tensor(labels).cpu()).sum()), seen + len(answers)
    if not seen:
        raise InsightError("The loader gives no images: give batches of images and labels.")
    return right / seen


def like(model: nn.Module, x: Tensor) -> Tensor:
    """Returns a batch on the network's device and in its precision."""
    weight = next((each for each in model.parameters() if each.is_floating_point()), x)
    return x.to(weight.device, weight.dtype)


class Headed(nn.Module):
    """A network up to its last maps, followed by a head from `gpcore.which_pooling`."""

    def __init__(self, model: nn.Module, found: Found, head: nn.Module) -> None:
        super().__init__()
        self.model, self.head, self.found = model, head, found

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        detour = Detour(self.found.maps, self.found.pooled, lambda maps, pooled: pooled)
        with detour:
            self.model(x)  # the output of its own classifier is unused, and an export leaves it out
        assert detour.maps is not None
        return self.head(self.found.layout.maps(detour.maps).float())
