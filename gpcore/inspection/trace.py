"""One pass of a network, call by call: which function computed which tensor, from which tensors, inside which module.

PyTorch shows every call of its functions to a `TorchFunctionMode`, whether a module makes it or a `forward` by hand, so one
recorder sees `nn.AdaptiveAvgPool2d(1)` and `x.mean((2, 3))` alike. Modules are watched by hooks, for their names alone, and
the hooks are taken away again.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.weak import WeakIdKeyDictionary


@dataclass(frozen=True)
class Site:
    """A tensor that every pass makes: output number `output` of the `count`-th call of `function`, both counted from 0."""

    function: Callable
    count: int
    output: int


@dataclass(frozen=True)
class Call:
    """The call that computed one tensor: its place, the earlier calls that it used, and its module."""

    site: Site
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    module: str

    @property
    def name(self) -> str:
        """The function's own name, such as `mean`."""
        return getattr(self.site.function, "__name__", "function")

    @property
    def is_vector(self) -> bool:
        """Whether the tensor has a single side longer than one cell, beside that of the images."""
        return sum(side > 1 for side in self.shape[1:]) <= 1


@dataclass(frozen=True)
class Visit:
    """A module's call: the numbers of the first tensor that went in and of the first one that came out."""

    module: str
    entered: int
    left: int


class _Watch(TorchFunctionMode):
    """Counts the calls of every function and shows each tensor that one returns to `seen`, which may return another one."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[Callable] = Counter()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self.before(args, kwargs or {})
        result = function(*args, **(kwargs or {}))
        leaves, structure = tree_flatten(result)
        if not any(isinstance(leaf, Tensor) for leaf in leaves):
            return result
        count, self._counts[function] = self._counts[function], self._counts[function] + 1
        changed = [
            self.seen(Site(function, count, place), leaf, before) if isinstance(leaf, Tensor) else leaf
            for place, leaf in enumerate(leaves)
        ]
        same = all(new is old for new, old in zip(changed, leaves, strict=True))
        return result if same else tree_unflatten(changed, structure)

    def before(self, args: Any, kwargs: Any) -> Any:
        """What `seen` needs to know of the arguments before the function may have changed them in place."""

    def seen(self, site: Site, tensor: Tensor, before: Any) -> Tensor:
        """The tensor to go on with."""
        raise NotImplementedError


class Recorder(_Watch):
    """The calls and the modules' visits of one pass; call 0 is the image that went in."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.calls = [Call(Site(Tensor, 0, 0), (), tuple(example.shape), "")]
        self.visits: list[Visit] = []
        self._numbers: WeakIdKeyDictionary = WeakIdKeyDictionary({example: 0})
        self._open: list[tuple[str, int]] = []

    def before(self, args: Any, kwargs: Any) -> Any:
        return tuple(number for leaf in tree_leaves((args, kwargs)) if (number := self.number(leaf)) is not None)

    def seen(self, site: Site, tensor: Tensor, before: Any) -> Tensor:
        self._numbers[tensor] = len(self.calls)
        self.calls.append(Call(site, before, tuple(tensor.shape), self._open[-1][0] if self._open else ""))
        return tensor

    def number(self, value: Any) -> int | None:
        """Returns the number of the call that computed a tensor; None for anything else, such as a weight."""
        return self._numbers.get(value) if isinstance(value, Tensor) else None

    @contextlib.contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Records the modules that calls belong to, by hooks that are always removed."""
        handles = []
        try:
            for name, module in model.named_modules():
                handles.append(module.register_forward_pre_hook(lambda _, args, name=name: self._enter(name, args)))
                handles.append(module.register_forward_hook(lambda _, __, output: self._leave(output)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, args: Any) -> None:
        self._open.append((name, self._first(args)))

    def _leave(self, output: Any) -> None:
        name, entered = self._open.pop()
        self.visits.append(Visit(name, entered, self._first(output)))

    def _first(self, values: Any) -> int:
        return next((number for leaf in tree_leaves(values) if (number := self.number(leaf)) is not None), -1)


class Glance(_Watch):
    """Copies the tensors of some sites in passing."""

    def __init__(self, sites: Iterable[Site]) -> None:
        super().__init__()
        self.values: dict[Site, Tensor | None] = dict.fromkeys(sites)

    def seen(self, site: Site, tensor: Tensor, before: Any) -> Tensor:
        if site in self.values:
            self.values[site] = tensor.detach().clone()
        return tensor


class Detour(_Watch):
    """Looks at a network's maps in passing, and puts `replace(maps, pooled)` in the place of what it pools them to."""

    def __init__(self, maps: Site, pooled: Site, replace: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self._maps, self._pooled, self._replace = maps, pooled, replace
        self.maps: Tensor | None = None

    def seen(self, site: Site, tensor: Tensor, before: Any) -> Tensor:
        if site == self._maps:
            self.maps = tensor
        if site == self._pooled and self.maps is not None:
            return self._replace(self.maps, tensor)
        return tensor


@contextlib.contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, and every module's own mode again afterwards, also after an exception."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def record(model: nn.Module, example: Tensor) -> tuple[Recorder, Any]:
    """One pass in evaluation mode, recorded, and what it returned."""
    recorder = Recorder(example)
    with at_rest(model), recorder.watching(model), recorder:
        return recorder, model(example)
