"""Training that can be interrupted: claim a run, fit, store the events, save.

The same code serves `train`, `worker`, and training on other machines whose result is stored here (ray_cluster.py).
"""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpcore.data.datasets import Dataset
from gpcore.errors import ClaimLostError, DatasetError, GpcoreError, StoreError
from gpcore.nets import checkpoints
from gpcore.nets.trunks import load_trunk
from gpcore.recipe import Recipe
from gpcore.runs.claims import Claim
from gpcore.runs.records import Epoch, Status
from gpcore.runs.store import Store
from gpcore.runs.training_states import restore, save_state
from gpcore.training.features import Progress, Tell, nobody, training_data
from gpcore.training.fit import BatchesDone, EpochDone, Evaluating, Event, fit, splits, steps_per_epoch
from gpcore.training.state import TrainingState, find_device

HEARTBEAT_SECONDS = 1.0
"""How often a worker updates its heartbeat and checks for a request to stop."""

IDLE_SECONDS = 0.5
"""How often an idle worker checks the queue."""

RETRY_SECONDS = 10.0
"""How long a worker waits before it retries a store that could not be read or written."""

READING_SECONDS = 1800.0
"""Longest time for reading a dataset."""

Fit = Callable[[Recipe, Dataset, TrainingState], Iterator[Event | None]]
"""A training loop such as `gpcore.training.fit.fit`; it may yield None from time to time while it waits."""


@dataclass(frozen=True)
class Place:
    """How to load a recipe's training data, which loop to run, and which device to record.

    The state of a loop that computes elsewhere may be that of the last whole epoch whenever it yields an event.
    """

    load: Callable[[Recipe, Tell], Dataset]
    fit: Fit
    device: str = "auto"


def train(
    store: Store, claim: Claim, data: Path, device: str = "auto", when_left: Status = "stopped", tell: Tell = nobody
) -> Iterator[Event]:
    """Trains a claimed run in this process, as `train_at` does; `tell` receives the progress of a frozen trunk's features."""

    def load(recipe: Recipe, keep: Tell) -> Dataset:
        def both(progress: Progress) -> None:
            tell(progress)
            keep(progress)

        return training_data(recipe, data, both)

    yield from train_at(store, claim, Place(load, fit, device), when_left)


def train_at(store: Store, claim: Claim, place: Place, when_left: Status = "stopped") -> Iterator[Event]:
    """Continues the training of a claimed run, stores its events, and passes them on.

    At the end the run is `finished`, `stopped` if requested, or `failed` with the reason. If the caller closes the generator,
    the current state is stored and the run's status becomes `when_left`.

    Raises:
        ClaimLostError: another worker trains the run now, or it was deleted.
        GpcoreError: the run failed; the store holds the same sentence.
    """
    try:
        with _staying_alive(store, claim) as asked_to_stop:
            yield from _train(store, claim, place, when_left, asked_to_stop)
    except ClaimLostError:
        store.remove_leftovers(claim.run)
        raise
    except Exception as error:  # any error: a run that merely dies would be resumed, and die again
        with contextlib.suppress(GpcoreError):  # a full disk may refuse even this; then the run is resumed later
            store.release(claim, "failed", _reason(error))
        raise
    finally:
        claim.let_go()


def _reason(error: Exception) -> str:
    if isinstance(error, GpcoreError):
        return str(error)
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "allocate memory" in str(error):
        return "Training needs more memory than a worker may take: train on fewer or smaller images, or in smaller batches."
    return f"Training ended with {type(error).__name__}: {error}"


def _train(store: Store, claim: Claim, place: Place, when_left: Status, asked_to_stop: threading.Event) -> Iterator[Event]:
    record = store.run(claim.run)
    recipe, device = record.recipe, find_device(place.device)
    progress: dict[str, Any] = {"doing": "reading the dataset"}
    store.tell(claim, progress, str(device))
    try:
        dataset = _loaded(place, recipe, lambda done: _computing(store, claim, progress, done, asked_to_stop), asked_to_stop)
    except _LeftEarly:
        store.release(claim, "stopped")
        return
    state = restore(store, record, dataset, device)
    images = len(splits(recipe, dataset)[0])
    progress |= {"steps": steps_per_epoch(recipe, images) * recipe.epochs, "training_images": images}
    if state.epoch < record.epochs_done:
        progress["notice"] = f"The files of epoch {record.epochs_done} are damaged: continued from epoch {state.epoch}."
    if dataset.notes and "notice" not in progress:
        progress["notice"] = " ".join(dataset.notes)
    for event in place.fit(recipe, dataset, state):
        if event is not None:
            progress = {"step": state.step} | progress | {"epoch": event.epoch} | progress_of(event)
            _keep(store, claim, recipe, dataset, state, event, progress)
            try:
                yield event
            except GeneratorExit:  # the caller left between two events, when the state is complete
                _leave(store, claim, recipe, state, when_left)
                raise
        if asked_to_stop.is_set() and state.epoch < recipe.epochs:
            _leave(store, claim, recipe, state, "stopped")
            return
    store.release(claim, "finished")


class _LeftEarly(Exception):  # noqa: N818  # nothing went wrong
    """The run was asked to stop while its features were computed; complete pieces are kept."""


def _loaded(place: Place, recipe: Recipe, keep: Tell, asked_to_stop: threading.Event) -> Dataset:
    """Loads in a thread that can be abandoned: reading a folder with a pipe, for example, may never end."""
    inbox: queue.SimpleQueue[Dataset | Exception] = queue.SimpleQueue()
    heard = time.monotonic()

    def kept(progress: Progress) -> None:
        nonlocal heard
        heard = time.monotonic()
        keep(progress)

    def load() -> None:
        try:
            inbox.put(place.load(recipe, kept))
        except Exception as error:  # raised below, where somebody waits for it
            inbox.put(error)

    threading.Thread(target=load, daemon=True).start()
    while time.monotonic() < heard + READING_SECONDS:
        with contextlib.suppress(queue.Empty):
            if isinstance(found := inbox.get(timeout=0.1), Exception):
                raise found
            return found
        if asked_to_stop.is_set():
            raise _LeftEarly
    raise DatasetError(
        f"Reading {recipe.dataset} did not end within {READING_SECONDS / 60:.0f} minutes: check the files there."
    )


def _computing(store: Store, claim: Claim, progress: dict[str, Any], done: Progress, asked_to_stop: threading.Event) -> None:
    store.tell(claim, progress | {"doing": f"computing {done.sentence}"})
    if asked_to_stop.is_set():
        raise _LeftEarly


def progress_of(event: Event) -> dict[str, Any]:
    """Returns the progress of an event, besides the total steps, the epoch and the training images."""
    match event:
        case BatchesDone():
            step = event.first_step + len(event.losses)
            speed = {"images_per_second": event.images_per_second, "learning_rate": event.learning_rate}
            return {"doing": "training", "step": step} | speed
        case Evaluating():
            return {"doing": "evaluating", "evaluated": event.done / event.images}
        case EpochDone():
            return {"doing": "training"}


def _leave(store: Store, claim: Claim, recipe: Recipe, state: TrainingState, status: Status) -> None:
    if state.epoch == recipe.epochs:
        store.release(claim, "finished")
        return
    save_state(store, claim, recipe, state)
    store.release(claim, status)


def _keep(
    store: Store,
    claim: Claim,
    recipe: Recipe,
    dataset: Dataset,
    state: TrainingState,
    event: Event,
    progress: dict[str, Any],
) -> None:
    match event:
        case BatchesDone():
            store.append_losses(claim, event.first_step, event.losses, progress)
        case Evaluating():
            store.tell(claim, progress)
        case EpochDone():
            _save_epoch(store, claim, recipe, dataset, state, event)


def _save_epoch(store: Store, claim: Claim, recipe: Recipe, dataset: Dataset, state: TrainingState, event: EpochDone) -> None:
    """Writes the state first and the epoch last: training can continue from every epoch in the store."""
    save_state(store, claim, recipe, state)
    metadata = {
        "recipe": json.dumps(recipe.to_json()),
        "epoch": str(event.epoch),
        "classes": json.dumps(dataset.classes),
        **_shapes(recipe, dataset),
    }
    weights = store.weights(claim.run, event.epoch)
    with checkpoints.staged(weights, state.network.state_dict(), metadata) as staged:
        store.append_epoch(claim, measured(event), event.validation.batch_losses(recipe.batch_size), staged)


def _shapes(recipe: Recipe, dataset: Dataset) -> dict[str, str]:
    """The shape of an image, and behind a frozen trunk that of its features."""
    shape = list(dataset.test.images.shape[1:])
    if not recipe.frozen:
        return {"image_shape": json.dumps(shape)}
    side = load_trunk(recipe.trunk).side
    return {"image_shape": json.dumps([3, side, side]), "features_shape": json.dumps(shape)}


def measured(event: EpochDone) -> Epoch:
    """Returns the store's record of a finished epoch."""
    training, validation = event.training, event.validation
    return Epoch(
        epoch=event.epoch,
        training_loss=training.loss,
        training_accuracy=training.accuracy,
        training_logit_accuracy=training.logit_accuracy,
        validation_loss=validation.loss,
        validation_accuracy=validation.accuracy,
        validation_logit_accuracy=validation.logit_accuracy,
        learning_rate=event.learning_rate,
        seconds=event.seconds,
        confusion=validation.confusion.tolist(),
    )


@contextlib.contextmanager
def _staying_alive(store: Store, claim: Claim) -> Iterator[threading.Event]:
    """Updates the heartbeat while the context lasts; yields an event that is set once the run is asked to stop.

    A separate thread does this, so that neither a long evaluation nor a slow disk makes a live worker seem dead.
    """
    done, asked_to_stop = threading.Event(), threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                if store.alive(claim):
                    asked_to_stop.set()
            except ClaimLostError:
                asked_to_stop.set()
            except GpcoreError:  # the training loop meets the same error, and reports it
                pass

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield asked_to_stop
    finally:
        done.set()
        thread.join()


def work(
    store: Store, data: Path, device: str = "auto", is_over: Callable[[float], bool] = lambda idle: False
) -> Iterator[tuple[str, Event | GpcoreError] | None]:
    """Trains the queue's runs, one after the other, and yields each run with its events.

    If a run fails, the store has the reason, and the next run follows. While idle it yields None from time to time; before
    it checks the queue it calls `is_over` with its idle seconds, and ends if that is true.
    """
    idle_since = time.monotonic()
    while not is_over(time.monotonic() - idle_since):
        claim = None
        try:
            claim = store.claim()
            if claim is None:
                time.sleep(IDLE_SECONDS)
                yield None
                continue
            for event in train(store, claim, data, device, when_left="queued"):
                yield claim.run, event
        except GpcoreError as error:
            yield claim.run if claim else "the queue", error
            if isinstance(error, StoreError) and not isinstance(error, ClaimLostError):
                time.sleep(RETRY_SECONDS)
        idle_since = time.monotonic()
