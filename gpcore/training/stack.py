"""Several runs that take their steps together, on a GPU."""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gpcore.data.datasets import Split, scaled
from gpcore.nets.convnet import stacked_features
from gpcore.nets.network import Network
from gpcore.recipe import Recipe
from gpcore.training.evaluate import arithmetic
from gpcore.training.state import TrainingState
from gpcore.training.step import augmented, dropout_seeded, loss_of, take_step

UNRECORDED = 3
"""Steps before one is recorded: in the first ones libraries create their buffers and choose their kernels."""

Step = Callable[[Int64[Tensor, "runs n"], float], Float[Tensor, " runs"]]
"""Takes one step of every run, on the images chosen for it and at this learning rate; returns the losses on the device."""


def stepper(recipes: Sequence[Recipe], train: Split, states: Sequence[TrainingState]) -> Step:
    """How these runs, which differ in head and seed at most, take a step: on a GPU as one, elsewhere one after the other."""
    if states[0].device.type == "cuda":
        return Stack(recipes, train, states)
    runs = list(zip(recipes, states, strict=True))

    def step(chosen: Int64[Tensor, "runs n"], rate: float) -> Float[Tensor, " runs"]:
        taken = [take_step(recipe, train, state, own, rate) for (recipe, state), own in zip(runs, chosen, strict=True)]
        return torch.stack(taken)

    return step


@dataclass(frozen=True)
class _Heads:
    """The heads of one kind: their runs, one of their modules, and the weights of all, stacked by name."""

    runs: Int64[Tensor, " own"]
    module: nn.Module
    weights: dict[str, Tensor]

    def scores(self, features: Float[Tensor, "runs n features rows columns"]) -> Float[Tensor, "own n classes"]:
        own = features[self.runs]
        return vmap(lambda weights, x: functional_call(self.module, weights, (x,)), randomness="different")(self.weights, own)


class Stack:
    """Runs computed as one: their trunks as one of grouped convolutions, and the heads of each kind in one batch.

    On a GPU, a step of one such small network is a hundred tiny kernels, so one run takes as long as several. Each state keeps
    its own network and optimizer: their tensors become slices of the stacked ones, so evaluating, saving and sending a run
    don't involve the stack.

    On a CUDA device the whole step is recorded as one graph and replayed, which avoids launching its kernels one by one;
    except with dropout, which draws new numbers in every step, and for a last, smaller batch.
    """

    def __init__(self, recipes: Sequence[Recipe], train: Split, states: Sequence[TrainingState]) -> None:
        self._recipes, self._train, self._states = recipes, train, states
        self._device = states[0].device
        on_gpu = self._device.type == "cuda"
        self._rate = torch.zeros((), device=self._device)
        self._trunk = _stacked(states, _trunk)
        pools = [recipe.pool for recipe in recipes]
        places = {pool: [run for run, own in enumerate(pools) if own == pool] for pool in dict.fromkeys(pools)}
        self._heads = [self._heads_of(own) for own in places.values()]
        parts = [self._trunk, *(heads.weights for heads in self._heads)]
        weights = [each for part in parts for each in part.values()]
        self._optimizer = torch.optim.Adam(weights, lr=self._rate if on_gpu else 0.0, fused=True, capturable=on_gpu)
        _share(self._trunk, self._optimizer, states, _trunk)
        for heads, own in zip(self._heads, places.values(), strict=True):
            _share(heads.weights, self._optimizer, [states[run] for run in own], _head)
        self._back = torch.tensor(list(itertools.chain(*places.values())), device=self._device).argsort()
        dropping = any(isinstance(module, nn.Dropout) and module.p for state in states for module in state.network.modules())
        self._full = recipes[0].batch_size if on_gpu and not dropping else None
        self._recorded: _Recorded | None = None
        self._taken = 0

    def __call__(self, chosen: Int64[Tensor, "runs n"], rate: float) -> Float[Tensor, " runs"]:
        inputs, labels = self._inputs(chosen), self._train.labels[chosen]
        self._set_rate(rate)
        self._taken += 1
        recording = self._full == chosen.shape[1]
        drawing = dropout_seeded(self._recipes[0], self._device, self._states[0].step)
        with arithmetic(self._recipes[0].precision, self._device), contextlib.nullcontext() if recording else drawing:
            if not recording:
                return self._step(inputs, labels)
            if self._taken <= UNRECORDED:
                return _aside(self._step, inputs, labels)
            self._recorded = self._recorded or _Recorded(self._step, inputs, labels)
            return self._recorded(inputs, labels)

    def _heads_of(self, runs: Sequence[int]) -> _Heads:
        own = [self._states[run] for run in runs]
        module = own[0].network.head
        return _Heads(torch.tensor(runs, device=self._device), module, _stacked(own, _head))

    def _inputs(self, chosen: Int64[Tensor, "runs n"]) -> Float[Tensor, "runs n channels height width"]:
        images = scaled(self._train.images[chosen.flatten()]).unflatten(0, chosen.shape)
        if self._recipes[0].augmentation == "none":  # otherwise a generator for each run, which is slow
            return images
        rows = zip(self._recipes, images, self._states, strict=True)
        return torch.stack([augmented(recipe, own, state.step) for recipe, own, state in rows])

    def _step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        features = stacked_features(list(self._trunk.values()), inputs)
        scores = torch.cat([heads.scores(features) for heads in self._heads])[self._back]
        losses = vmap(lambda own, right: loss_of(own, right, self._recipes[0]))(scores, labels)
        losses.sum().backward()
        self._optimizer.step()
        return losses.detach()

    def _set_rate(self, rate: float) -> None:
        self._rate.fill_(rate)
        if self._device.type != "cuda":
            self._optimizer.param_groups[0]["lr"] = rate


def _trunk(network: Network) -> dict[str, nn.Parameter]:
    """The parameters of a network's trunk that are trained; a frozen one has none."""
    head = set(map(id, network.head.parameters()))
    return {name: each for name, each in network.named_parameters() if id(each) not in head}


def _head(network: Network) -> dict[str, nn.Parameter]:
    return dict(network.head.named_parameters())


Part = Callable[[Network], dict[str, nn.Parameter]]


def _columns(states: Sequence[TrainingState], part: Part) -> dict[str, list[nn.Parameter]]:
    """The parameters of a part of these networks, by name; of each name one a network."""
    named = [part(state.network) for state in states]
    return {name: [each[name] for each in named] for name in named[0]}


def _stacked(states: Sequence[TrainingState], part: Part) -> dict[str, Tensor]:
    """Copies of these parameters, stacked over the networks."""
    columns = _columns(states, part)
    return {name: torch.stack([each.detach() for each in own]).requires_grad_() for name, own in columns.items()}


def _share(weights: dict[str, Tensor], optimizer: torch.optim.Adam, states: Sequence[TrainingState], part: Part) -> None:
    """Stacks Adam's moments of these parameters, and turns every state's parameters and moments into slices of the stack."""
    for stacked, own in zip(weights.values(), _columns(states, part).values(), strict=True):
        known = [state.optimizer.state[parameter] for state, parameter in zip(states, own, strict=True)]
        # The same number for all: their states are at the same step.
        memory = {"step": known[0]["step"].clone() if known[0] else torch.zeros((), device=stacked.device)}
        for name in ("exp_avg", "exp_avg_sq"):
            memory[name] = torch.stack([each.get(name, torch.zeros_like(one)) for each, one in zip(known, own, strict=True)])
        optimizer.state[stacked] = memory
        for run, (each, parameter) in enumerate(zip(known, own, strict=True)):
            parameter.data = stacked.data[run]
            each |= {name: value if name == "step" else value[run] for name, value in memory.items()}


def _aside(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Calls a function on a separate stream, which recording requires of the calls before it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    return result


class _Recorded:
    """A function of tensors as a CUDA graph: recorded for inputs of one shape, and replayed with others of that shape."""

    def __init__(self, function: Callable[..., Tensor], *inputs: Tensor) -> None:
        self._inputs = [each.clone() for each in inputs]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # other threads may keep using the GPU
            self._result = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given)
        self._graph.replay()
        return self._result.clone()
