"""Runs trained together on this machine's accelerator, each claimed, stored and stopped as if it were alone."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from gpcore.data.datasets import Dataset
from gpcore.recipe import Recipe, experiment_of
from gpcore.runs.training_states import Packed, pack, unpack
from gpcore.runs.worker import Place
from gpcore.training.features import Tell, training_data
from gpcore.training.fit import EpochDone, Event, fit_together
from gpcore.training.state import TrainingState

GATHER_SECONDS = 2.0
"""How long waiting runs wait for another one before they start without it."""

WAIT_SECONDS = 1.0
"""How long a run waits for an event before it checks whether it must stop."""

SENT = Path("what was trained together")

Told = tuple[Event, Packed | None] | Exception | None


@dataclass
class _Member:
    """A run of a crew, and its state when it joined or after its last epoch.

    Its `inbox` receives events, with the state after a whole epoch; an error; and None at the end.
    """

    recipe: Recipe
    state: TrainingState
    whole: Packed
    inbox: queue.SimpleQueue[Told] = field(default_factory=queue.SimpleQueue)
    gone: bool = False


class Together:
    """A place where several threads train one run each; matching runs are computed together.

    Runs match if they differ in head and seed alone and are at the same step. A run waits until `runs` of them have joined,
    or none has joined for a moment.
    """

    def __init__(self, runs: int, data: Path, device: str = "auto") -> None:
        self._runs, self._data, self._device = runs, data, device
        self._gathering: dict[tuple[Recipe, int], list[_Member]] = {}
        self._coming = threading.Condition()
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._loading = threading.Lock()

    @property
    def place(self) -> Place:
        return Place(self._load, self._fit, self._device)

    def _load(self, recipe: Recipe, tell: Tell) -> Dataset:
        key = recipe.dataset, recipe.trunk
        with self._loading:
            if key not in self._datasets:
                self._datasets[key] = training_data(recipe, self._data, tell)
            return self._datasets[key]

    def _fit(self, recipe: Recipe, dataset: Dataset, state: TrainingState) -> Iterator[Event | None]:
        """Does the work of `fit` together with the other runs; during an epoch, `state` is the one before it."""
        member = _Member(recipe, state, _whole(state))
        self._join(member, dataset)
        try:
            while True:
                try:
                    told = member.inbox.get(timeout=WAIT_SECONDS)
                except queue.Empty:
                    yield None
                    continue
                if told is None:
                    return
                if isinstance(told, Exception):
                    raise told
                event, packed = told
                if packed is not None:
                    unpack(packed, state, SENT)
                yield event
        finally:
            member.gone = True

    def _join(self, member: _Member, dataset: Dataset) -> None:
        """Waits for the others; the last one to join, or the first one to stop waiting, starts them all."""
        key = experiment_of(member.recipe), member.state.step
        with self._coming:
            crew = self._gathering.setdefault(key, [])
            crew.append(member)
            self._coming.notify_all()
            while self._gathering.get(key) is crew and len(crew) < self._runs:
                if not self._coming.wait(GATHER_SECONDS):
                    break
            if self._gathering.get(key) is crew:
                del self._gathering[key]
                self._coming.notify_all()
                threading.Thread(target=_train, args=(crew, dataset), daemon=True).start()


def _train(crew: list[_Member], dataset: Dataset) -> None:
    """Trains a crew together; if the device's memory is too small, one half after the other."""
    ended: Exception | None = None
    try:
        _train_as_one(crew, dataset)
    except torch.OutOfMemoryError as error:
        ended = error.with_traceback(None)  # which would keep the memory
    except Exception as error:  # every run's error is in the store
        ended = error
    if isinstance(ended, torch.OutOfMemoryError) and len(crew) > 1:
        torch.cuda.empty_cache()
        for half in (crew[: len(crew) // 2], crew[len(crew) // 2 :]):
            _train(half, dataset)
        return
    for member in crew:
        member.inbox.put(ended)


def _train_as_one(crew: list[_Member], dataset: Dataset) -> None:
    """Trains copies of a crew's states while any of its runs continues, and sends each run its events."""
    states = [_copied(member, dataset) for member in crew]
    for run, event in fit_together([member.recipe for member in crew], dataset, states):
        whole = None
        if isinstance(event, EpochDone):
            whole = crew[run].whole = _whole(states[run])
        crew[run].inbox.put(event if isinstance(event, Exception) else (event, whole))
        if all(member.gone for member in crew):
            return


def _copied(member: _Member, dataset: Dataset) -> TrainingState:
    state = TrainingState.fresh(member.recipe, dataset, member.state.device)
    unpack(member.whole, state, SENT)
    return state


def _whole(state: TrainingState) -> Packed:
    tensors, metadata = pack(state)
    return {name: tensor.clone() for name, tensor in tensors.items()}, metadata
