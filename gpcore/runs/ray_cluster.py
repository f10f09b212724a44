"""Training on a Ray cluster: every run is a task on one core of some machine; this process writes its events to the store.

A task yields the events of the training loop and, after each whole epoch, the state for the store, which it never sees. If
its process or machine is lost, another task continues from the last whole epoch, to the same bits.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gpcore.data.datasets import Dataset
from gpcore.errors import ClusterError, GpcoreError
from gpcore.recipe import Recipe
from gpcore.runs.training_states import Packed, pack, unpack
from gpcore.runs.worker import Place
from gpcore.training.features import Tell, training_data
from gpcore.training.fit import EpochDone, Event, fit
from gpcore.training.state import TrainingState

LOCAL = "local"
"""The address for a cluster on this machine's cores, started and ended by the study."""

LOSSES = 3
"""How often a run may lose its worker without a whole epoch in between."""

WAIT_SECONDS = 1.0
"""How long to wait for a task's next event before checking whether the run must stop."""

ANSWER_SECONDS = 5.0
"""How long to wait for an answer from a cluster's address."""

SENT = Path("what a Ray worker sent")


def train_remotely(
    recipe: dict[str, Any], dataset: Dataset, packed: Packed
) -> Iterator[tuple[Event | GpcoreError, Packed | None]]:
    """The task: trains from a state on one thread and yields the events, with the state after every whole epoch.

    A user's error is the last event: raised, its message would be Ray's traceback.
    """
    whole = Recipe.from_json(recipe)
    state = TrainingState.fresh(whole, dataset, torch.device("cpu"))
    unpack(packed, state, SENT)
    try:
        for event in fit(whole, dataset, state):
            yield event, pack(state) if isinstance(event, EpochDone) else None
    except GpcoreError as error:
        yield error, None


class Cluster:
    """A Ray cluster that this process is connected to; `place` trains on it."""

    def __init__(self, ray: Any, data: Path) -> None:
        self._ray, self._data = ray, data
        self._task = ray.remote(num_cpus=1, max_retries=0, num_returns="streaming")(train_remotely)
        self._datasets: dict[tuple[str, str], tuple[Dataset, Any]] = {}
        self._loading = threading.Lock()

    @property
    def cores(self) -> int:
        """The number of runs that it can train at once."""
        return max(int(self._ray.cluster_resources().get("CPU", 0)), 1)

    @property
    def place(self) -> Place:
        return Place(self._load, self._fit, "cpu")

    def _load(self, recipe: Recipe, tell: Tell) -> Dataset:
        """Reads a dataset here, once, and sends it to the machines that train on it."""
        key = recipe.dataset, recipe.trunk
        with self._loading:
            if key not in self._datasets:
                dataset = training_data(recipe, self._data, tell)
                self._datasets[key] = dataset, self._ray.put(dataset)
            return self._datasets[key][0]

    def _fit(self, recipe: Recipe, dataset: Dataset, state: TrainingState) -> Iterator[Event | None]:
        """Does the work of `fit` on the cluster; during an epoch, `state` is the one before it."""
        lost = 0
        while state.epoch < recipe.epochs:
            try:
                for event, packed in self._told(recipe, state):
                    if packed is not None:
                        unpack(packed, state, SENT)
                        lost = 0
                    yield event
            except self._ray.exceptions.RayError as error:
                lost += 1
                if lost == LOSSES or not self._ray.is_initialized():  # or Ray would start a cluster here
                    raise ClusterError(
                        f"Ray lost the run's worker {LOSSES} times in epoch {state.epoch + 1} ({_first_line(error)}): "
                        "look at the cluster with `ray status`, then start the study again."
                    ) from error

    def _told(self, recipe: Recipe, state: TrainingState) -> Iterator[tuple[Event | None, Packed | None]]:
        references = self._task.remote(recipe.to_json(), self._datasets[recipe.dataset, recipe.trunk][1], pack(state))
        try:
            for reference in self._arriving(references):
                event, packed = self._ray.get(reference) if reference else (None, None)
                if isinstance(event, GpcoreError):
                    raise event
                yield event, packed
        except self._ray.exceptions.RayTaskError as error:  # the code failed, not the cluster: it would fail again
            reason = f"{type(error.cause).__name__}: {_first_line(error.cause)}"
            raise ClusterError(f"Training ended on a Ray worker with {reason}.") from error
        except GeneratorExit:
            self._ray.cancel(references)
            raise

    def _arriving(self, references: Any) -> Iterator[Any]:
        """Yields a task's results as they arrive, and None from time to time in between."""
        with contextlib.suppress(StopIteration):
            while True:
                ready, _ = self._ray.wait([references], timeout=WAIT_SECONDS)
                yield next(references) if ready else None


@contextlib.contextmanager
def connected(address: str, data: Path, cores: int) -> Iterator[Cluster]:
    """Connects to the cluster at an address: `HOST:PORT`, `auto` for this machine's cluster, or `local` for a new one on this
    machine's cores that ends with the context.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers.
    """
    ray = _imported()
    # A thread of Ray's prints pages about every lost worker on standard output; they are in its logs too.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        _connect(ray, address, cores)
        try:
            yield Cluster(ray, data)
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str, cores: int) -> None:
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if address == LOCAL:
            ray.init(address=LOCAL, num_cpus=cores, include_dashboard=False, **quiet)
        else:
            _check_answers(address)
            ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        raise ClusterError(f"No Ray cluster can be used at {address} ({_first_line(error)}): {HOW}") from error


HOW = (
    "start one with `ray start --head`, and on every further machine, this one too, `ray start --address=HOST:6379`; then give "
    "--ray auto or --ray HOST:6379, or --ray local to use this machine alone. Where the cluster asks for a token, set "
    "RAY_AUTH_MODE=token here too."
)


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or Ray warns that it will be the default
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ClusterError(
            "--ray needs Ray, which is not installed: `pip install -r requirements-ray.txt`, or leave --ray out."
        ) from error
    return ray


def _check_answers(address: str) -> None:
    """Raises ConnectionError at once if nothing listens there: Ray itself would try for a minute, with messages."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "://" in address:
        raise ValueError("an address is HOST:PORT, auto or local")
    socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
