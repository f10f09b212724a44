"""One network's analysis of one image: its answer, its scores and their evidence, each computed on demand."""

from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from gpcore.insight import evidence as apart
from gpcore.insight import layer_maps
from gpcore.insight.evidence import Contest, Evidence, Gradients
from gpcore.nets.frozen import FrozenNet
from gpcore.nets.network import Network
from gpcore.recipe import Output
from gpcore.training.evaluate import answers, output_of


@dataclass(frozen=True)
class Analysis:
    """A network, the output that its recipe takes answers from, and an image (1, channels, height, width) in [0, 1]."""

    network: Network
    output: Output
    image: Float[Tensor, "1 channels height width"]

    @cached_property
    def outputs(self) -> list[Float[Tensor, "1 ..."]]:
        """The outputs of all layers, from one pass; the image itself comes first."""
        return layer_maps.layer_outputs(self.network, self.image)

    @property
    def seen(self) -> Float[Tensor, "1 channels height width"]:
        """What the network need not look at again: the image's features behind a frozen trunk, else the image."""
        return self.outputs[self.network.depth] if isinstance(self.network, FrozenNet) else self.image

    @property
    def scores(self) -> Float[Tensor, " classes"]:
        """The logits."""
        return self.outputs[-1][0]

    @cached_property
    def answer(self) -> int:
        """The predicted class, from the recipe's output, which accuracy is computed on too."""
        return int(answers(output_of(self.scores[None], self.output)))

    @property
    def tied(self) -> bool:
        """Whether another class has a larger logit, and this one won only because sigmoids were rounded to 1."""
        return bool(self.scores.max() > self.scores[self.answer])

    @cached_property
    def evidence(self) -> Evidence:
        """The scores taken apart; InsightError where nothing is pooled."""
        return apart.evidence_of(self.network, self.seen)

    @cached_property
    def contest(self) -> Contest:
        """The answer set against the class that comes closest."""
        return apart.contest(self.evidence, self.answer)

    @cached_property
    def gradients(self) -> Gradients:
        """The gradients of the answer's score with respect to its class map and to the image."""
        return apart.gradients(self.network, self.image, self.answer)

    def maps(self, layer: int) -> Float[Tensor, "channels rows columns"]:
        """The maps of a layer; InsightError where the network has no such layer."""
        layer_maps.check_layer(self.network, layer)
        return layer_maps.as_maps(self.outputs[layer])[0]

    def contributions(self, layer: int) -> Float[Tensor, " maps"]:
        """How much each map of a layer adds to the answer's score."""
        return layer_maps.contributions(self.network, self.image, layer, self.answer)
