"""A dataset so small that an epoch takes a moment: real FashionMNIST images as a folder of files, and runs on it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import PIL.Image
from torch import Tensor

from gpcore.atomic_files import publish
from gpcore.data.datasets import Dataset
from gpcore.nets.checkpoints import read_tensors, staged
from gpcore.recipe import MODERN, Recipe
from gpcore.runs import worker
from gpcore.runs.store import Store

ROOT = Path(__file__).parent.parent


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file as a worker does."""
    with staged(path, tensors, metadata) as temporary:
        publish(temporary, path)


def make_folder(fashion: Dataset, folder: Path, images: int = 60) -> Path:
    """The first images of three classes, one sub-folder each."""
    for label in (0, 1, 8):
        chosen = fashion.test.images[fashion.test.labels == label][:images]
        (folder / fashion.classes[label]).mkdir(parents=True)
        for number, image in enumerate(chosen):
            PIL.Image.fromarray(image[0].numpy()).save(folder / fashion.classes[label] / f"{number:03}.png")
    return folder


def recipe(folder: Path, epochs: int = 3, **changes: object) -> Recipe:
    return MODERN.but(dataset=f"folder:{folder}", epochs=epochs, batch_size=8, **changes)


def study(store: Store, folder: Path, epochs: int, seeds: str = "0") -> list[str]:
    """The command that trains `recipe(folder, epochs)` with each seed, under GAP and GMP."""
    shape = ["--epochs", str(epochs), "--set", "batch_size=8"]
    return ["study", "--seeds", seeds, "--datasets", f"folder:{folder}", *shape, "--store", str(store.folder)]


def train(store: Store, recipe: Recipe) -> str:
    """Train a recipe in this process; the run's id."""
    claim = store.start(recipe)
    for _ in worker.train(store, claim, Path("nowhere")):
        pass
    return claim.run


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gpcore", *map(str, arguments)]


def start(*arguments: object, **options: object) -> subprocess.Popen:
    """Starts a command of the project as a separate process with low priority."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
    return subprocess.Popen(command(*arguments), cwd=ROOT, env=environment, text=True, **pipes)


def wait_until(happened: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def outcome(store: Store, run: str) -> dict[str, object]:
    """A run's complete result, to the bit, without its time."""
    epochs = [asdict(epoch) | {"seconds": None} for epoch in store.epochs(run)]
    weights = [
        {name: tensor.numpy().tobytes() for name, tensor in read_tensors(store.weights(run, epoch["epoch"]))[0].items()}
        for epoch in epochs
    ]
    losses = {phase: list(store.batch_losses(run, phase)) for phase in ("training", "validation")}
    return {"epochs": epochs, "weights": weights, "losses": losses}


def held_by_another(path: Path, seconds: float) -> threading.Thread:
    """A thread that holds the database as a backup program would; it holds it when this returns."""
    held = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    return thread


def kill_all(process: subprocess.Popen) -> None:
    """SIGKILL a process that leads a session, and all that it started, at the same moment."""
    os.killpg(process.pid, signal.SIGKILL)
