"""Training that can be left: claim a run, fit, append what happens, save. The same code serves `train` and `worker`."""

import contextlib
import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from gpcore.data.datasets import Dataset, load_dataset
from gpcore.errors import CheckpointError, ClaimLostError, GpcoreError
from gpcore.nets import checkpoint
from gpcore.recipe import Recipe
from gpcore.runs.records import Claim, Epoch, RunRecord, Status
from gpcore.runs.store import Store
from gpcore.training.fit import BatchesDone, EpochDone, Evaluating, Event, TrainingState, find_device, fit, steps_per_epoch

KEPT_STATES = 3
"""Training states kept per run: should the last be damaged, the one before it serves."""

HEARTBEAT_SECONDS = 1.0
"""How often a worker that has nothing else to write gives a sign of life and looks whether it is asked to stop."""

IDLE_SECONDS = 0.5
"""How often an idle worker looks at the queue."""


def train(store: Store, claim: Claim, data: Path, device: str = "auto", when_left: Status = "stopped") -> Iterator[Event]:
    """Train a claimed run from where it stands, keep all that happens in the store, and pass the events on.

    When it ends the run is `finished`; `stopped` if that was asked for; `failed`, with the reason, if it can't go on.
    Should the caller stop listening, the state of that moment is kept and the run becomes what `when_left` says.

    Raises:
        ClaimLostError: someone else trains the run now, or it was deleted.
        GpcoreError: the run failed; the store holds the same sentence.
    """
    try:
        yield from _train(store, claim, data, find_device(device), when_left)
    except ClaimLostError:
        raise
    except GpcoreError as error:
        with contextlib.suppress(GpcoreError):  # a full disk may refuse even this; then the claim simply runs out
            store.release(claim, "failed", str(error))
        raise


def _train(store: Store, claim: Claim, data: Path, device: torch.device, when_left: Status) -> Iterator[Event]:
    record = store.run(claim.run)
    recipe = record.recipe
    with _staying_alive(store, claim):
        store.alive(claim, {"doing": "reading the dataset"}, device=str(device))
        dataset = load_dataset(recipe.dataset, data)
        state = restore(store, record, dataset, device)
    told = 0.0
    for event in fit(recipe, dataset, state):
        if isinstance(event, BatchesDone):
            store.append_losses(claim, "training", event.first_step, event.losses)
        if isinstance(event, EpochDone):
            _save_epoch(store, claim, recipe, dataset, state, event)
        asked_to_stop = False
        if isinstance(event, EpochDone) or time.monotonic() - told >= HEARTBEAT_SECONDS:
            asked_to_stop = store.alive(claim, _progress(event, state, recipe, dataset))
            told = time.monotonic()
        try:
            yield event
        except GeneratorExit:  # the caller left between two events, when the state is whole
            _leave(store, claim, recipe, state, when_left)
            raise
        if asked_to_stop and state.epoch < recipe.epochs:
            _leave(store, claim, recipe, state, "stopped")
            return
    store.release(claim, "finished")


def _leave(store: Store, claim: Claim, recipe: Recipe, state: TrainingState, status: Status) -> None:
    save_state(store, claim, recipe, state)
    store.release(claim, status)


def _progress(event: Event, state: TrainingState, recipe: Recipe, dataset: Dataset) -> dict[str, object]:
    """What a page shows of a run under way."""
    images = len(dataset.train.first(recipe.train_images))
    progress = {"step": state.step, "steps": steps_per_epoch(recipe, images) * recipe.epochs, "epoch": event.epoch}
    match event:
        case BatchesDone():
            speed = {"images_per_second": event.images_per_second, "learning_rate": event.learning_rate}
            return progress | speed | {"doing": "training"}
        case Evaluating():
            return progress | {"doing": "evaluating", "done": event.done, "images": event.images}
        case _:
            return progress | {"doing": "training"}


def _save_epoch(store: Store, claim: Claim, recipe: Recipe, dataset: Dataset, state: TrainingState, event: EpochDone) -> None:
    """The state first, the epoch last: an epoch that the store knows can always be gone on from."""
    save_state(store, claim, recipe, state)
    metadata = {
        "recipe": json.dumps(recipe.to_json()),
        "epoch": str(event.epoch),
        "classes": json.dumps(dataset.classes),
        "image_shape": json.dumps(list(dataset.test.images.shape[1:])),
    }
    weights = store.weights(claim.run, event.epoch)
    with checkpoint.staged(weights, state.network.state_dict(), metadata) as staged:
        store.append_epoch(claim, Epoch.of(event), event.validation.batch_losses(recipe.batch_size), staged)


def save_state(store: Store, claim: Claim, recipe: Recipe, state: TrainingState) -> None:
    """Keep all that training needs to go on from here, and drop states that are older than the last few."""
    path = store.run_folder(claim.run) / f"state-{state.step:09d}.safetensors"
    tensors = {f"weights.{name}": tensor for name, tensor in state.network.state_dict().items()}
    for number, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in moments.items()}
    metadata = {"step": str(state.step), "epoch": str(state.epoch), "seconds": repr(state.seconds)}
    with checkpoint.staged(path, tensors, metadata | {"recipe": json.dumps(recipe.to_json())}) as staged:
        store.publish(claim, staged, path)
    for old in sorted(path.parent.glob("state-*.safetensors"))[:-KEPT_STATES]:
        old.unlink(missing_ok=True)


def restore(store: Store, record: RunRecord, dataset: Dataset, device: torch.device) -> TrainingState:
    """The newest whole state that agrees with the store, or a fresh one.

    A state without its epoch's figures or weights is passed over: the epoch is trained again, to the same result.
    """
    for path in sorted(store.run_folder(record.id).glob("state-*.safetensors"), reverse=True):
        with contextlib.suppress(CheckpointError):
            state = _read_state(path, TrainingState.fresh(record.recipe, dataset, device))
            if state.epoch <= record.epochs_done:
                if state.epoch:
                    checkpoint.read_tensors(store.weights(record.id, state.epoch))
                return state
    return TrainingState.fresh(record.recipe, dataset, device)


def _read_state(path: Path, state: TrainingState) -> TrainingState:
    tensors, metadata = checkpoint.read_tensors(path)
    weights = {name.removeprefix("weights."): tensor for name, tensor in tensors.items() if name.startswith("weights.")}
    checkpoint.load_weights(state.network, weights, path)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = tensor
    state.optimizer.load_state_dict(state.optimizer.state_dict() | {"state": moments})
    state.step, state.epoch, state.seconds = int(metadata["step"]), int(metadata["epoch"]), float(metadata["seconds"])
    return state


@contextlib.contextmanager
def _staying_alive(store: Store, claim: Claim) -> Iterator[None]:
    """Signs of life while something long runs that yields no events, such as reading a dataset."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(GpcoreError):  # the training loop meets the same error, and reports it
                store.alive(claim)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def work(
    store: Store, data: Path, device: str = "auto", linger: float = math.inf
) -> Iterator[tuple[str, Event | GpcoreError] | None]:
    """Train whatever the queue holds, one run after the other, and tell what happens to which run.

    A run that fails says so in the store, and the next one is taken. While there is nothing to do it yields None from time
    to time, and it ends when that has lasted for `linger` seconds.
    """
    idle_since = time.monotonic()
    while True:
        claim = store.claim()
        if claim is None:
            if time.monotonic() - idle_since >= linger:
                return
            time.sleep(IDLE_SECONDS)
            yield None
            continue
        try:
            for event in train(store, claim, data, device, when_left="queued"):
                yield claim.run, event
        except GpcoreError as error:
            yield claim.run, error
        idle_since = time.monotonic()
