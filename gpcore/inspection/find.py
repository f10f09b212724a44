"""Where a network pools: the last maps, what they are pooled to, and what follows, found by one pass and proved by numbers.

It walks back from the network's output while tensors are vectors. Where a vector was computed from something larger, maps were
pooled. The kind of pooling does not depend on a name: the vector must *equal* the mean, or the maximum, of the maps.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gpcore.errors import InsightError
from gpcore.inspection.found import CLASS_TOKEN, Found
from gpcore.inspection.layouts import Layout
from gpcore.inspection.recognition import Fit, fitted_pool, known_pool, rounding
from gpcore.inspection.trace import Call, Glance, Recorder, Visit, at_rest, record
from gpcore.nets.pooling import GlobalPool

AFFINE = re.compile(
    "linear|conv2d|batch_norm|(alpha_|feature_)?dropout_?|identity|clone|detach|contiguous|to|float|half|bfloat16|type_as|"
    "flatten|reshape|view|squeeze|unsqueeze|permute|transpose|movedim|expand|select|chunk|split|unbind|stack|cat|mean|"
    "(__)?r?i?(add|sub)(__|_)?|__getitem__|__get__"
)
"""Functions that leave a sum of cells a sum of cells, by name: linear layers, shapes, dropout and normalisation at rest."""

SCALING = re.compile("(__)?r?i?(mul|div|truediv|matmul)(__|_)?|mm|bmm")
"""The same, as long as only one of their inputs depends on the image."""

REACH = 7
"""Calls around the one that shrank the maps in which the pooling's formula may begin and end: GeM by hand takes three."""

MOST_PREFIX = 16
"""Tokens at most before those of the patches: the class token and registers."""


def find(model: nn.Module, example: Float[Tensor, "n ..."], pooling: str | int | None = None) -> Found:
    """Finds the global pooling of a network, by one pass that records its calls and one that compares the numbers.

    Raises:
        InsightError: none was found, or several were; the message lists the choices.
    """
    recorder, output = record(model, example)
    last = recorder.number(logits_of(output))
    if last is None or not recorder.calls[last].is_vector:
        raise InsightError(
            "The network's output is not one score per class made by functions of PyTorch, so nothing can be traced back from "
            "it: give the module that returns the logits."
        )
    return _Search(model, example, recorder, last).found(pooling)


def logits_of(output: Any) -> Tensor:
    """The class scores among what a network returns: the tensor, the field `logits`, or the first tensor."""
    first = getattr(output, "logits", output)
    return next((leaf for leaf in tree_leaves(first) if isinstance(leaf, Tensor)), torch.empty(0))


class _Search:
    """One recorded pass, walked back from its last call."""

    def __init__(self, model: nn.Module, example: Tensor, recorder: Recorder, last: int) -> None:
        self.model, self.example, self.last = model, example, last
        self.calls, self.visits = recorder.calls, recorder.visits
        self.modules = dict(model.named_modules())
        self.grids = [call.shape[2:] for call in self.calls if call.name == "conv2d"]
        self.tail, self.ends = self._walk(None)

    def found(self, pooling: str | int | None) -> Found:
        if pooling is not None:
            return self._chosen(pooling)
        cuts = [number for number in sorted(self.tail) if self._all_pass(number)][:REACH]
        found = self._proved(self._sources(self.ends), cuts) or next(self._unknown(cuts), None)
        if found is None:
            raise InsightError(self._several() if len(self.ends) > 1 else self._none())
        return found

    def _walk(self, without: int | None) -> tuple[set[int], list[int]]:
        """The vectors that the output depends on, and those of them that were computed from something larger."""
        seen: set[int] = set()
        todo, ends = [self.last], []
        while todo:
            number = todo.pop()
            if number in seen or number == without:
                continue
            seen.add(number)
            larger = [one for one in self.calls[number].inputs if not self.calls[one].is_vector]
            if larger:
                ends.append(number)
            else:
                todo += self.calls[number].inputs
        return seen, sorted(ends)

    def _all_pass(self, number: int) -> bool:
        """Whether every way from the maps to the output leads through a call."""
        return not self._walk(number)[1]

    def _sources(self, ends: Sequence[int]) -> list[int]:
        """The maps that go into the first pooling, then those that they were computed from, one by one, of the same size."""
        first = [one for one in self.calls[ends[0]].inputs if not self.calls[one].is_vector]
        found: list[int] = []
        for start in first:
            number, size = start, math.prod(self.calls[start].shape)
            while math.prod(self.calls[number].shape) == size and number not in found and len(found) < REACH:
                found.append(number)
                number = next(iter(self.calls[number].inputs), 0)
        return found

    def _proved(self, sources: Sequence[int], cuts: Sequence[int]) -> Found | None:
        """The nearest pair of maps and vector of which the one is a known pooling of the other."""
        own = {visit.left: visit for visit in self.visits if isinstance(self.modules[visit.module], GlobalPool)}
        for cut in cuts:
            if cut in own and own[cut].entered >= 0:
                layout = next(self._layouts(self.calls[own[cut].entered]))
                pool = self.modules[own[cut].module]
                assert isinstance(pool, GlobalPool)
                return self._describe(own[cut].entered, cut, layout, pool, pool.label)
        values = self._values([*sources, *cuts])
        known = next(self._fits(known_pool, values, sources, cuts), None)
        # GeM by hand has a mean inside: a formula that leaves nothing bent behind it explains more.
        fitted = list(self._fits(fitted_pool, values, sources, cuts)) if known is None or known.between else []
        return next((found for found in fitted if not found.between), known or next(iter(fitted), None))

    def _fits(self, fit: Fit, values: Mapping[int, Tensor], sources: Sequence[int], cuts: Sequence[int]) -> Iterator[Found]:
        """The pairs of maps and vector that a pooling explains."""
        for source, cut in ((source, cut) for source in sources for cut in cuts if cut > source):
            for layout in self._layouts(self.calls[source]):
                x, y = layout.maps(values[source]), values[cut].flatten(1)
                if x.shape[:2] != y.shape or x[0, 0].numel() == 1:
                    continue
                slack = rounding(x, y, torch.finfo(self.example.dtype).eps)
                if pool := fit(x, y, slack, self.calls[cut].name):
                    yield self._describe(source, cut, layout, pool, pool.label)
                elif any(torch.equal(values[source][:, place], y) for place in range(layout.prefix)):
                    yield self._class_token(source, cut, layout)

    def _class_token(self, source: int, cut: int, layout: Layout) -> Found:
        """The class token only looks at patches inside attention: their shares are taken where the last one begins."""
        shape = self.calls[source].shape
        last = max((number for number, call in enumerate(self.calls[:source]) if "attention" in call.name), default=source)
        before = [number for number, call in enumerate(self.calls[:last]) if call.shape == shape]
        return self._describe(source, cut, layout, None, CLASS_TOKEN, before[-1] if before else source)

    def _unknown(self, cuts: Sequence[int]) -> Iterator[Found]:
        """Modules that make one vector of maps by more than the maps, such as attention with a query that was learnt."""
        for visit in self.visits:
            if visit.left in cuts and visit.module and visit.entered >= 0:
                call, channels = self.calls[visit.entered], math.prod(self.calls[visit.left].shape[1:])
                for layout in self._layouts(call):
                    maps = layout.maps(torch.empty(call.shape, device="meta"))
                    if maps.shape[1] == channels and maps[0, 0].numel() > 1:
                        title = type(self.modules[visit.module]).__name__
                        yield self._describe(visit.entered, visit.left, layout, None, title)

    def _chosen(self, pooling: str | int) -> Found:
        """The pooling that the user named: a module's, or the one so many-th place, counted from 1."""
        visit = next((visit for visit in self._visits() if visit.module == pooling), None)
        if visit:
            layout, title = next(self._layouts(self.calls[visit.entered])), type(self.modules[visit.module]).__name__
            proved = self._proved([visit.entered, *self._sources([visit.left])], [visit.left])
            return proved or self._describe(visit.entered, visit.left, layout, None, title)
        ends = [self.ends[pooling - 1]] if isinstance(pooling, int) and 0 < pooling <= len(self.ends) else []
        if not ends or not (proved := self._proved(self._sources(ends), ends)):
            raise InsightError(f"pooling is {pooling!r}: choose {self._choices()}.")
        return proved

    def _layouts(self, call: Call) -> Iterator[Layout]:
        """The ways in which a tensor of this shape may hold maps."""
        if len(call.shape) == 4:
            yield from (Layout("first"), Layout("last"))
        if len(call.shape) == 3:
            yield Layout("cells", self._grid(call.shape[2], 0))
            grid = self._grid(call.shape[1], MOST_PREFIX)
            yield Layout("tokens", grid, call.shape[1] - math.prod(grid))

    def _grid(self, tokens: int, prefix: int) -> tuple[int, int]:
        """The last grid of a convolution that so many tokens can be, with a few before them; else a square or a row."""
        grids = [grid for grid in self.grids if tokens - prefix <= math.prod(grid) <= tokens]
        side = math.isqrt(tokens)
        rows, columns = grids[-1] if grids else ((side, side) if side * side == tokens else (1, tokens))
        return rows, columns

    def _values(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        """The results of some calls, from a second pass, in single precision at least."""
        glance = Glance(self.calls[number].site for number in numbers)
        with at_rest(self.model), glance:
            self.model(self.example)
        values = {number: glance.values[self.calls[number].site] for number in numbers}
        values = {number: self.example if number == 0 else value for number, value in values.items()}
        return {
            number: value.to(torch.promote_types(value.dtype, torch.float32))
            for number, value in values.items()
            if value is not None
        }

    def _describe(
        self, source: int, cut: int, layout: Layout, pool: GlobalPool | None, title: str, evidence: int | None = None
    ) -> Found:
        start, end = self.calls[source], self.calls[cut]
        _, *shape = layout.maps(torch.empty(start.shape, device="meta")).shape
        origin = self.calls[source if evidence is None else evidence]
        return Found(
            start.site,
            end.site,
            layout,
            pool,
            title,
            self._place(cut),
            self._classifier(cut),
            tuple(dict.fromkeys(self._place(number) for number in self._bent(cut))),
            (shape[0], shape[1], shape[2]),
            math.prod(self.calls[self.last].shape[1:]),
            origin.site,
            "bias" if self._all_pass(cut) else "bias and the other places",
        )

    def _behind(self, cut: int) -> list[int]:
        """The calls that depend on the pooled vector, in their order."""
        found = {cut}
        for number in sorted(self.tail):
            if found & set(self.calls[number].inputs) and number != cut:
                found.add(number)
        return sorted(found - {cut})

    def _bent(self, cut: int) -> list[int]:
        """Those of them that are not linear."""
        behind = self._behind(cut)
        depends = {cut, *behind}
        return [
            number
            for number in behind
            if not AFFINE.fullmatch(self.calls[number].name)
            and not (
                SCALING.fullmatch(self.calls[number].name) and sum(map(depends.__contains__, self.calls[number].inputs)) == 1
            )
        ]

    def _classifier(self, cut: int) -> str:
        linear = [number for number in self._behind(cut) if self.calls[number].name in ("linear", "conv2d", "matmul", "mm")]
        return self._place(linear[-1]) if linear else "nothing, as there is one map per class"

    def _place(self, number: int) -> str:
        """The module of a call, with its type; for a call in the network's own `forward`, the function."""
        call = self.calls[number]
        if not call.module:
            return f"`{call.name}` in forward"
        return f"{call.module} ({type(self.modules[call.module]).__name__})"

    def _visits(self) -> list[Visit]:
        """The modules' calls that computed a vector of the tail from something larger."""
        return [
            visit
            for visit in self.visits
            if visit.module and visit.left in self.tail and visit.entered >= 0 and not self.calls[visit.entered].is_vector
        ]

    def _choices(self) -> str:
        """What `pooling` may be."""
        places = [f"pooling={place} ({self._place(number)})" for place, number in enumerate(self.ends, start=1)]
        return " or ".join([*places, *dict.fromkeys(f"pooling={visit.module!r}" for visit in self._visits())])

    def _several(self) -> str:
        return f"The network pools in {len(self.ends)} places: choose {self._choices()}; the others then count as remainder."

    def _none(self) -> str:
        """Explains why nothing was found: which call is in the place of a pooling."""
        number = self.ends[0] if self.ends else self.last
        call = self.calls[number]
        sizes = [self.calls[one].shape for one in call.inputs if not self.calls[one].is_vector]
        before = "×".join(map(str, sizes[0][1:])) if sizes else "a vector"
        why = f"No global pooling was found: {self._place(number)} makes {math.prod(call.shape[1:]):,} numbers of {before}"
        height = self.example.shape[-1]
        hint = f"if the maps behind it have a single cell, give a larger example than {height} pixels"
        more = ", or name the module: " * bool(self._visits()) + " or ".join(
            f"pooling={visit.module!r}" for visit in self._visits()
        )
        return f"{why}; {hint}{more}."
