"""The maps of any layer: pure functions over tensors that leave no hook and no gradient behind in the network.

    network = gpcore.open_run("checkpoints/article-gap-seed0").network()
    maps = layer_output(network, images, 12)

Layer `k` is the output of `network.network[:k]`: 0 is the image itself, the last the pooled scores, and
the last but one the class maps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor, nn

from gpcore.data.datasets import Split, scaled
from gpcore.errors import InsightError
from gpcore.nets.network import Network
from gpcore.training.evaluate import on_all_cores

SLICE = 250
"""Images per slice: few enough that the maps before the class maps stay in the processor's cache."""


@dataclass(frozen=True)
class Layer:
    """One place in a network: `index` counts the modules before it, `module` names the last of them."""

    index: int
    module: str
    shape: tuple[int, ...]

    @property
    def title(self) -> str:
        """For example `13 · Conv2d 32→32 · 32×7×7`."""
        return f"{self.index} · {self.module} · {'×'.join(map(str, self.shape))}"


def layers(network: Network, image_shape: tuple[int, int, int]) -> list[Layer]:
    """Every layer index of a network with the module before it and the shape of its output for one image."""
    x = torch.zeros(1, *image_shape)
    found = [Layer(0, "input", image_shape)]
    with torch.inference_mode():
        for index, module in enumerate(network.network, start=1):
            x = module(x)
            found.append(Layer(index, _module_title(module), tuple(x.shape[1:])))
    return found


def layer_output(network: Network, images: Float[Tensor, "n channels height width"], layer: int) -> Float[Tensor, "n ..."]:
    """The output of `network.network[:layer]`, bit for bit.

    Raises:
        InsightError: the network has no such layer.
    """
    check_layer(network, layer)
    with torch.inference_mode():
        return network.network[:layer](images)


def layer_outputs(network: Network, images: Float[Tensor, "n channels height width"]) -> list[Float[Tensor, "n ..."]]:
    """`layer_output` of every layer, from 0 to the scores, in one pass."""
    with torch.inference_mode():
        return network.outputs(images)


def check_layer(network: Network, layer: int) -> None:
    """InsightError unless the network has this layer."""
    last = len(network.network)
    if not 0 <= layer <= last:
        raise InsightError(f"layer is {layer}: choose one from 0 (the image) to {last} (the scores).")


def as_maps(output: Float[Tensor, "n ..."]) -> Float[Tensor, "n channels height width"]:
    """A layer's output as maps: pooled scores become maps of a single cell."""
    return output[:, :, None, None] if output.ndim == 2 else output


def all_class_maps(network: Network, split: Split) -> Float[Tensor, "n classes rows columns"]:
    """The class maps of every image of a split.

    Raises:
        InsightError: the network has no class maps.
    """
    return of_all(network.maps, split)


def all_scores(network: Network, split: Split) -> Float[Tensor, "n classes"]:
    """The scores of every image of a split."""
    return of_all(network, split)


def of_all(function: Callable[[Tensor], Tensor], split: Split) -> Shaped[Tensor, "n ..."]:
    """Applies a function to slices of a split's images, scaled to [0, 1], on all cores, and joins the results."""

    @torch.inference_mode()
    def of_slice(images: Tensor) -> Tensor:
        return function(scaled(images))

    return torch.cat(on_all_cores(of_slice, split.images.split(SLICE))).contiguous()


def contributions(
    network: Network, image: Float[Tensor, "1 channels height width"], layer: int, answer: int
) -> Float[Tensor, " maps"]:
    """How much each map of a layer adds to one class's score: `sum over its cells of map * d score / d map`.

    After the trunk, this is exactly the score without its biases. Before it, where rectifiers and max pooling make the function
    nonlinear, it is the first-order share (Shrikumar et al. 2016, "Not just a black box"). Each class map and pooled score
    belongs to one class: there it is that class's own score.
    """
    last = len(network.network)
    if layer == last or (layer == network.class_maps_layer and network.has_class_maps):
        return layer_output(network, image, last)[0]
    with torch.enable_grad():
        maps = layer_output(network, image, layer).clone().requires_grad_()
        score = network.network[layer:](maps)[0, answer]
        (gradient,) = torch.autograd.grad(score, maps)
    return as_maps((maps * gradient).detach())[0].sum((1, 2))


def dead(maps: Float[Tensor, "channels height width"]) -> Bool[Tensor, " channels"]:
    """Returns which maps are zero in every cell: rectified units that this image does not activate."""
    return (maps == 0).flatten(1).all(1)


def order(values: Float[Tensor, " maps"] | None, count: int) -> Int64[Tensor, " maps"]:
    """Returns the maps' numbers in the order of display: the largest value first, or the network's order for None."""
    return torch.arange(count) if values is None else values.argsort(descending=True, stable=True)


def _module_title(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return f"Conv2d {module.in_channels}→{module.out_channels}"
    return getattr(module, "label", type(module).__name__)
