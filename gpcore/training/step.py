"""One step of Adam on a batch: of one run, or of several runs as one."""

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from gpcore.data.datasets import Split, scaled
from gpcore.recipe import Recipe
from gpcore.training.augmentations import AUGMENTATIONS, Images
from gpcore.training.evaluate import output_of
from gpcore.training.state import TrainingState

UNRECORDED = 3
"""Steps taken before one is recorded: libraries make their buffers and choose their kernels in the first ones."""

Step = Callable[[Int64[Tensor, "runs n"], float], Float[Tensor, " runs"]]
"""Takes one step of every run, on the images chosen for it and at this learning rate; the losses, still on the device."""


def stepper(recipes: Sequence[Recipe], train: Split, states: list[TrainingState]) -> Step:
    """How these runs take a step together: on a GPU stacked by head, elsewhere one after the other.

    The recipes differ in head and seed at most, and the states stand at the same step.
    """
    if states[0].device.type == "cuda":
        return stacked_by_head(recipes, train, states)
    singles = [Single(recipe, train, state) for recipe, state in zip(recipes, states, strict=True)]
    return lambda chosen, rate: torch.stack([single(own, rate) for single, own in zip(singles, chosen, strict=True)])


class Single:
    """One run, with all its weights in one tensor: Adam, and a recipe's casts to bfloat16, are one call each and not one for
    every weight. An epoch takes some per cent less time (docs/speed.md), and the results are the same; but in bfloat16 the
    gradients of two images side by side (`ConvNet.features`) are added in bfloat16, where autocast adds them in float32.

    The state goes on holding a network and an optimizer of its own: their tensors become slices of the whole ones, so
    evaluating and saving a run knows nothing of them. A copy of the network takes the steps. Its parameters are slices, too;
    in bfloat16 its layers hold what autocast would else make of each weight.
    """

    def __init__(self, recipe: Recipe, train: Split, state: TrainingState) -> None:
        self._recipe, self._train, self._state = recipe, train, state
        layers, others = _parameters(state.network)
        own = [*layers, *others]
        known = [state.optimizer.state[each] for each in own]
        self._weights = nn.Parameter(_joined(own))
        self._gradients = self._weights.grad = torch.zeros_like(self._weights)
        self._optimizer = torch.optim.Adam([self._weights], fused=True)
        moments = self._optimizer.state[self._weights]
        moments["step"] = known[0]["step"].clone() if known[0] else torch.zeros((), device=state.device)
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = _joined([each.get(name, torch.zeros_like(one)) for each, one in zip(known, own, strict=True)])
            for each, part in zip(known, _slices(moments[name], own), strict=True):
                each |= {"step": moments["step"], name: part}
        for each, part in zip(own, _slices(self._weights.data, own), strict=True):
            each.data = part
        cast = layers if recipe.precision == "bfloat16" else []
        self._cast, rest = sum(map(torch.numel, cast)), own[len(cast) :]
        self._halves = self._weights.data[: self._cast].bfloat16()
        self._half_gradients = torch.zeros_like(self._halves)
        weights = *_slices(self._halves, cast), *_slices(self._weights.data[self._cast :], rest)
        gradients = *_slices(self._half_gradients, cast), *_slices(self._gradients[self._cast :], rest)
        self._network = copy.deepcopy(state.network).train()
        for each, weight, gradient in zip(itertools.chain(*_parameters(self._network)), weights, gradients, strict=True):
            each.data, each.grad = weight, gradient

    def __call__(self, chosen: Int64[Tensor, " n"], rate: float) -> Float[Tensor, ""]:
        """Take a step; the loss."""
        inputs = _augmented(self._recipe, scaled(self._train.images[chosen]), self._state.step)
        self._halves.copy_(self._weights.data[: self._cast])
        with _arithmetic(self._recipe, inputs.device, self._state.step):
            scores = self._network(inputs)
        loss = loss_of(scores, self._train.labels[chosen], self._recipe)
        self._gradients.zero_()
        self._half_gradients.zero_()
        loss.backward()
        self._gradients[: self._cast].copy_(self._half_gradients)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()
        return loss.detach()


def _parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Those of convolutions and linear layers, and the others."""
    layers = [each for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear) for each in module.parameters()]
    found = set(map(id, layers))
    return layers, [each for each in network.parameters() if id(each) not in found]


def _joined(parts: Sequence[Tensor]) -> Float[Tensor, " values"]:
    """All values of some tensors, each in the order of its memory."""
    return torch.cat([part.detach().as_strided((part.numel(),), (1,)) for part in parts])


def _slices(whole: Tensor, like: Iterable[Tensor]) -> Iterator[Tensor]:
    """The parts of what `_joined` made, shaped and laid out as those that it was made of."""
    place = whole.storage_offset()
    for each in like:
        yield whole.as_strided(each.shape, each.stride(), place)
        place += each.numel()


def loss_of(scores: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], recipe: Recipe) -> Float[Tensor, ""]:
    """The mean cross entropy of what a recipe takes its answers from, with its label smoothing, in float32."""
    outputs = output_of(scores.float(), recipe.output)
    return functional.cross_entropy(outputs, labels, label_smoothing=recipe.label_smoothing)


def _augmented(recipe: Recipe, images: Images, step: int) -> Images:
    return AUGMENTATIONS[recipe.augmentation](images, generator(recipe.seed, 1, step))


@contextlib.contextmanager
def _arithmetic(recipe: Recipe, device: torch.device, step: int) -> Iterator[None]:
    """The precision that the recipe asks for, and dropout drawn from its seed and the step."""
    bfloat16 = torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16", cache_enabled=False)
    with bfloat16, _seeded(device, _seed(recipe.seed, 2, step)):
        yield


def stacked_by_head(recipes: Sequence[Recipe], train: Split, states: list[TrainingState]) -> Step:
    """A `Stack` for every head among the runs, since another head is another computation."""
    places: dict[str, list[int]] = {}
    for place, recipe in enumerate(recipes):
        places.setdefault(recipe.pool, []).append(place)
    stacks = [Stack([recipes[place] for place in own], train, [states[place] for place in own]) for own in places.values()]
    # As tensors on the device, so that no step waits for them.
    rows = [torch.tensor(own, device=train.labels.device) for own in places.values()]
    back = torch.cat(rows).argsort()

    def step(chosen: Int64[Tensor, "runs n"], rate: float) -> Float[Tensor, " runs"]:
        taken = [stack(chosen[own], rate, states[0].step) for stack, own in zip(stacks, rows, strict=True)]
        return torch.cat(taken)[back]

    return step


class Stack:
    """Runs that differ in the seed alone, computed as one: every weight, and every moment of Adam, stacked over the runs.

    On a GPU a step of one such small network is a hundred kernels that have next to nothing to do each, so that it costs the
    same for one run as for several. Each state goes on holding a network and an optimizer of its own: their tensors become
    slices of the stacked ones, so evaluating, saving and sending a run knows nothing of the stack.

    On a CUDA device the whole step is recorded as one graph and replayed, which spares the processor the launching of its
    kernels; but for dropout, which draws anew in every step, and for a last, smaller batch.
    """

    def __init__(self, recipes: Sequence[Recipe], train: Split, states: Sequence[TrainingState]) -> None:
        self._recipes, self._train = recipes, train
        self._device = states[0].device
        self._network = copy.deepcopy(states[0].network)
        names = [name for name, _ in states[0].network.named_parameters()]
        own = [list(state.network.parameters()) for state in states]
        stacked = [torch.stack([each.detach() for each in column]).requires_grad_() for column in zip(*own, strict=True)]
        self._weights = dict(zip(names, stacked, strict=True))
        on_gpu = self._device.type == "cuda"
        self._rate = torch.zeros((), device=self._device)
        self._optimizer = torch.optim.Adam(stacked, lr=self._rate if on_gpu else 0.0, fused=True, capturable=on_gpu)
        for parameter, column in zip(stacked, zip(*own, strict=True), strict=True):
            _share(parameter, self._optimizer, column, states)
        dropping = any(isinstance(module, nn.Dropout) and module.p for module in self._network.modules())
        self._full = recipes[0].batch_size if on_gpu and not dropping else None
        self._recorded: _Recorded | None = None
        self._taken = 0

    def __call__(self, chosen: Int64[Tensor, "runs n"], rate: float, step: int) -> Float[Tensor, " runs"]:
        """Take a step of every run; the losses, still on the device."""
        inputs, labels = self._inputs(chosen, step), self._train.labels[chosen]
        self._set_rate(rate)
        self._taken += 1
        if self._full != chosen.shape[1]:
            with _arithmetic(self._recipes[0], self._device, step):
                return self._step(inputs, labels)
        with torch.autocast("cuda", torch.bfloat16, enabled=self._recipes[0].precision == "bfloat16", cache_enabled=False):
            if self._taken <= UNRECORDED:
                return _aside(self._step, inputs, labels)
            self._recorded = self._recorded or _Recorded(self._step, inputs, labels)
            return self._recorded(inputs, labels)

    def _inputs(self, chosen: Int64[Tensor, "runs n"], step: int) -> Float[Tensor, "runs n channels height width"]:
        images = scaled(self._train.images[chosen.flatten()]).unflatten(0, chosen.shape)
        if self._recipes[0].augmentation == "none":  # else a generator for each run, which is slow
            return images
        rows = zip(self._recipes, images, strict=True)
        return torch.stack([_augmented(recipe, own, step) for recipe, own in rows])

    def _step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        losses = vmap(self._loss, randomness="different")(self._weights, inputs, labels)
        losses.sum().backward()
        self._optimizer.step()
        return losses.detach()

    def _loss(self, weights: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return loss_of(functional_call(self._network, weights, (inputs,)), labels, self._recipes[0])

    def _set_rate(self, rate: float) -> None:
        self._rate.fill_(rate)
        if self._device.type != "cuda":
            self._optimizer.param_groups[0]["lr"] = rate


def _share(stacked: Tensor, optimizer: torch.optim.Adam, own: Sequence[nn.Parameter], states: Sequence[TrainingState]) -> None:
    """Stack Adam's memory of one parameter, and give every state slices of the weights and of that memory."""
    known = [state.optimizer.state[parameter] for state, parameter in zip(states, own, strict=True)]
    shared = {
        name: torch.stack(
            [each[name] if each else torch.zeros_like(parameter) for each, parameter in zip(known, own, strict=True)]
        )
        for name in ("exp_avg", "exp_avg_sq")
    }
    # The same number for all: their states stand at the same step.
    step = known[0]["step"].clone() if known[0] else torch.zeros((), device=stacked.device)
    optimizer.state[stacked] = {"step": step, **shared}
    for place, (each, parameter) in enumerate(zip(known, own, strict=True)):
        parameter.data = stacked.data[place]
        each |= {"step": step} | {name: moments[place] for name, moments in shared.items()}


def _aside(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """A call on a stream of its own, as recording asks of the calls before it."""
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
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # other threads may go on with the GPU
            self._result = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given)
        self._graph.replay()
        return self._result.clone()


def generator(seed: int, purpose: int, position: int) -> torch.Generator:
    """A generator of its own for every purpose and position, so that training can go on from anywhere."""
    return torch.Generator().manual_seed(_seed(seed, purpose, position))


def _seed(seed: int, purpose: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, purpose, position)).generate_state(1)[0])


@contextlib.contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """What dropout draws inside comes from this seed; PyTorch gives it no generator of its own."""
    if device.type != "cpu":
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
        return
    # torch.manual_seed would also take a millisecond to note a seed for every kind of accelerator that there might be.
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
