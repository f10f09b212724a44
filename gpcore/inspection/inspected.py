"""Inspects any network: its class maps, the cells of its scores, and another pooling on the same weights."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gpcore.drawing.vector import save_sheet, sheet_svg
from gpcore.errors import InsightError
from gpcore.inspection.cells import CellEvidence
from gpcore.inspection.drawn import found_sheet
from gpcore.inspection.find import find, logits_of
from gpcore.inspection.found import CLASS_TOKEN, Found
from gpcore.inspection.images import Picture, Preparation, Transform, as_batch
from gpcore.inspection.swapped import Swapped, like
from gpcore.inspection.trace import Detour, at_rest
from gpcore.nets.pooling import POOLS, AttentionPool, GeneralisedMeanPool, GlobalPool

MOST_BY_GRADIENT = 64
"""Most classes for which shares are computed, with a backward pass each; with more, only the `TOP` likeliest are."""

TOP = 5

SUBJECTS = ("classes", "features")


class Inside:
    """The result of `inspect`, with its methods; the network itself is never changed."""

    def __init__(
        self, model: nn.Module, found: Found, preparation: Preparation, transform: Transform, classes: Sequence[str]
    ) -> None:
        self.model, self.found, self.classes = model, found, classes
        self.preparation, self.transform = preparation, transform

    def __repr__(self) -> str:
        return f"{type(self.model).__name__}: {self.found.sentence}"

    def _repr_html_(self) -> str:
        return sheet_svg(found_sheet(type(self.model).__name__, self.image_shape, self.found))

    def save(self, path: str | Path) -> None:
        """Draws the result into a file whose name ends in `.png` or `.svg`."""
        save_sheet(found_sheet(type(self.model).__name__, self.image_shape, self.found), Path(path))

    def scores(self, images: Picture | Iterable[Picture]) -> Float[Tensor, "n classes"]:
        """Returns the network's own scores."""
        with at_rest(self.model):
            return logits_of(self.model(self.batch(images))).flatten(1).float().cpu()

    def batch(self, images: Picture | Iterable[Picture]) -> Float[Tensor, "n channels height width"]:
        """Returns images as the network's input: prepared, on its device, in its precision."""
        return like(self.model, as_batch(images, self.transform))

    def features(self, images: Picture | Iterable[Picture]) -> Float[Tensor, "n channels rows columns"]:
        """The maps that the network pools."""
        detour = Detour(self.found.maps, self.found.pooled, lambda maps, pooled: pooled)
        with at_rest(self.model), detour:
            self.model(self.batch(images))
        return self._maps(detour)

    def maps(self, images: Picture | Iterable[Picture]) -> Float[Tensor, "n classes rows columns"]:
        """Class maps: `sum over channels of weight * map`, the class activation maps of Zhou et al. (2016).

        Under GAP, the score is their mean plus the bias. If anything between pooling and classes is nonlinear, the weights are
        the score's gradient with respect to the pooled features, which differs from image to image.
        """
        x = self.batch(images)
        maps, _, gradients, _ = self._differentiated(x, len(x) if self.found.between else 1)
        return torch.einsum("knc,ncij->nkij", gradients.expand(-1, len(x), -1), maps)

    def evidence(self, image: Picture, of: str = "classes", classes: Sequence[int] | None = None) -> CellEvidence:
        """Splits the scores of one image into cells: `shares`, `remainders`, `totals`, and the network's own `scores`.

        Args:
            image: one image.
            of: `features` splits the pooled features instead of the classes; for a known pooling that is always exact.
            classes: the classes to split; all by default, unless each needs a separate backward pass.

        Raises:
            InsightError: `of` is neither, or the pooling of the features is not a known one.
        """
        x = self.batch(image)[:1]
        if of not in SUBJECTS:
            raise InsightError(f"of is {of!r}: choose one of {', '.join(SUBJECTS)}.")
        if of == "features":
            return self._of_features(x)
        found = self._of_cells(x, classes) if self.found.pool is None else self._of_pooled(x)
        return found if classes is None or self.found.pool is None else _only(found, classes)

    def swap(self, pool: str | nn.Module) -> Swapped:
        """Returns the network with another pooling; both share their weights. `pool` is a pooling's name, or a module from
        (n, channels, rows, columns) to (n, channels).

        Raises:
            InsightError: there is no such pooling, it has weights to learn, or it is undefined on these maps.
        """
        if isinstance(pool, nn.Module):
            return Swapped(self.model, self.found, pool)
        if pool not in POOLS or POOLS[pool] is AttentionPool:
            names = ", ".join(name for name, kind in POOLS.items() if kind is not AttentionPool)
            learnt = " has weights to learn, as gpcore.which_pooling does" if pool in POOLS else ""
            raise InsightError(f"pool is {pool!r}{learnt or ''}: choose one of {names}, or give a module.")
        made = POOLS[pool](self.found.shape[0]).requires_grad_(False)
        if isinstance(made, GeneralisedMeanPool) and (low := self.features(self.preparation.example()).min()) < 0:
            raise InsightError(
                f"GeM is defined for values of 0 and more; these maps go down to {low:.3g}: choose another pooling."
            )
        return Swapped(self.model, self.found, made)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.preparation.channels, self.preparation.height, self.preparation.width

    def _maps(self, detour: Detour) -> Float[Tensor, "n channels rows columns"]:
        if detour.maps is None:
            raise InsightError("The network took another path than on the example: give inspect an example like these images.")
        return _plain(self.found.layout.maps(detour.maps))

    def _differentiated(self, x: Tensor, count: int, blank: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps, pooled features, the gradients (classes, count, channels) of the first images' scores with respect to those,
        and the scores; with `blank`, the images after them go on with zeros in the place of their features."""
        leaves: list[Tensor] = []

        def graded(maps: Tensor, pooled: Tensor) -> Tensor:
            torch.set_grad_enabled(True)  # from here on; `at_rest` ends it
            leaves.append(pooled[:count].detach().requires_grad_())
            rest = pooled[count:].detach()
            return torch.cat([leaves[0], torch.zeros_like(rest) if blank else rest])

        detour = Detour(self.found.maps, self.found.pooled, graded)
        with at_rest(self.model), detour:
            scores = logits_of(self.model(x)).flatten(1)
        maps, classes = self._maps(detour), scores.shape[1]
        towards = torch.eye(classes, dtype=scores.dtype, device=scores.device)[:, None].expand(-1, count, -1)
        (gradients,) = torch.autograd.grad(scores[:count], leaves[0], towards, is_grads_batched=True)
        return maps, _plain(leaves[0]).flatten(1), _plain(gradients).flatten(2), _plain(scores)

    def _of_pooled(self, x: Tensor) -> CellEvidence:
        """`score = sum over cells of (gradient · weight * map) + remainder`; of a linear layer the gradient is its weight."""
        pool, is_exact = self._pool(), not self.found.between
        maps, pooled, gradients, scores = self._differentiated(x.repeat(2, *[1] * (x.ndim - 1)), 1, blank=True)
        weights, own = gradients[:, 0], maps[:1]
        shares = torch.einsum("kc,cij->kij", weights, (pool.weights(own) * own)[0])
        # The bias is the network's score of zero features, not the difference that is left, so that a total can be wrong.
        constant = scores[1] if is_exact else scores[0] - weights @ pooled[0]
        remainders = constant + weights @ pool.remainder(own)[0]
        labels = torch.arange(len(shares))
        return self._evidence(
            x,
            shares,
            remainders=remainders,
            scores=scores[0],
            remainder_name=self.found.rest if is_exact else "the linearisation's constant",
            labels=labels,
            names=self._named(labels),
            is_exact=is_exact,
            how="cells of the pooled maps" if is_exact else f"linearised: {', '.join(self.found.between)}",
        )

    def _of_features(self, x: Tensor) -> CellEvidence:
        pool = self._pool()
        maps = self.features(x)
        shares, remainders, scores = (part[0] for part in (pool.weights(maps) * maps, pool.remainder(maps), pool(maps)))
        return self._evidence(
            x,
            shares,
            remainders=remainders,
            scores=scores,
            remainder_name=pool.remainder_name,
            labels=torch.arange(len(shares)),
            names=tuple(f"feature {label}" for label in range(len(shares))),
            is_exact=True,
            how="cells of each map",
        )

    def _of_cells(self, x: Tensor, classes: Sequence[int] | None) -> CellEvidence:
        """Each cell's values times the score's gradient with respect to them, where the pooling is not a known function."""
        leaves: list[Tensor] = []

        def graded(maps: Tensor, _: Tensor) -> Tensor:
            torch.set_grad_enabled(True)
            leaves.append(maps.detach().requires_grad_())
            return leaves[0].view_as(leaves[0])

        with at_rest(self.model), Detour(self.found.source, self.found.source, graded):
            [scores] = logits_of(self.model(x)).flatten(1)
        some = torch.arange(len(scores)) if len(scores) <= MOST_BY_GRADIENT else scores.argsort(descending=True)[:TOP].cpu()
        labels = some if classes is None else torch.tensor(classes)
        products = [torch.autograd.grad(scores[label], leaves[0], retain_graph=True)[0] * leaves[0] for label in labels]
        shares = torch.stack([_plain(self.found.layout.maps(product)).sum(1)[0] for product in products])
        chosen = _plain(scores)[labels]
        what = "before the last attention" if self.found.title == CLASS_TOKEN else f"before {self.found.title}"
        constant = "the linearisation's constant"
        return self._evidence(
            x,
            shares,
            remainders=chosen - shares.sum((1, 2)),
            scores=chosen,
            remainder_name=f"{CLASS_TOKEN} and {constant}" if self.found.layout.prefix else constant,
            labels=labels,
            names=self._named(labels),
            is_exact=False,
            how=f"linearised: each value {what} times its gradient",
        )

    def _evidence(self, x: Tensor, shares: Tensor, **rows: Any) -> CellEvidence:
        return CellEvidence(maps=shares, weights=torch.ones_like(shares), picture=self.preparation.shown(x[0]), **rows)

    def _named(self, labels: Tensor) -> tuple[str, ...]:
        return tuple(self.classes[label] if label < len(self.classes) else str(label) for label in labels.tolist())

    def _pool(self) -> GlobalPool:
        if self.found.pool is None:
            raise InsightError(f"{self.found.title} is not a known function of the maps, so its features can't be taken apart.")
        return copy.deepcopy(self.found.pool).cpu().float()


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu()


def _only(found: CellEvidence, classes: Sequence[int]) -> CellEvidence:
    rows = torch.tensor(classes)
    return replace(
        found,
        maps=found.maps[rows],
        weights=found.weights[rows],
        remainders=found.remainders[rows],
        scores=found.scores[rows],
        labels=found.labels[rows],
        names=tuple(found.names[row] for row in classes),
    )


def inspect(
    model: nn.Module,
    example: Picture | tuple[int, int, int] | None = None,
    pooling: str | int | None = None,
    transform: Transform | None = None,
    classes: Sequence[str] = (),
) -> Inside:
    """Finds the global pooling of any network, without changing the network.

        inside = gpcore.inspect(torchvision.models.resnet18(weights="DEFAULT"))
        inside.evidence("cat.jpg").save("evidence.png")

    Args:
        model: a network that returns one score per class.
        example: an image, or the (channels, height, width) of one; by default what timm's configuration says, or 224×224.
        pooling: which one, if there are several: a module's name, or its number in the error message.
        transform: turns a PIL image into the network's input; by default the usual preparation for ImageNet's networks.
        classes: the classes' names, for drawings.

    Raises:
        InsightError: the network has no global pooling, or several, or does not take the example.
    """
    model = getattr(model, "_orig_mod", model)  # torch.compile's wrapper hides the calls inside it
    if isinstance(model, torch.jit.ScriptModule):
        raise InsightError("A TorchScript module hides its calls: give the nn.Module that it was created from.")
    size = example if isinstance(example, tuple) else None
    if isinstance(example, Tensor):
        size = (example.shape[-3], example.shape[-2], example.shape[-1])
    preparation = Preparation.of(model, size)
    prepare = transform or preparation
    x = preparation.example() if example is None or isinstance(example, tuple) else as_batch(example, prepare)
    try:
        found = find(model, like(model, x), pooling)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        shape = "×".join(map(str, x.shape[1:]))
        raise InsightError(
            f"The network does not take an image of {shape} ({str(error).strip().splitlines()[0]}): give `example`, an image "
            "or the (channels, height, width) of one."
        ) from error
    return Inside(model, found, preparation, prepare, classes)
