"""Stores, runs, networks and datasets that all visitors share."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
import torch

from gpcore.data.datasets import Dataset, test_split_only
from gpcore.nets.convnet import ConvNet
from gpcore.runs.catalogue import Catalogue
from gpcore.runs.choice import first_shown
from gpcore.runs.records import RunRecord
from gpcore.runs.run import Run
from gpcore.runs.store import Store

# Visitors come side by side, each with a thread of their own, and for a single image a second core costs more than it gives:
# while the browser draws on it, the first one waits.
torch.set_num_threads(1)


def own_store_folder() -> Path:
    """The store that this dashboard trains into."""
    return Path(os.environ.get("POOLSCOPE_STORE", "runs"))


def shipped_store_folder() -> Path:
    """The store that ships with the project, never written to."""
    return Path(os.environ.get("POOLSCOPE_CHECKPOINTS", "checkpoints"))


def data_folder() -> Path:
    """Where the datasets lie."""
    return Path(os.environ.get("POOLSCOPE_DATA", "data"))


def own_store() -> Store:
    """The store that this dashboard trains into; it is made when it is first needed."""
    return Store(own_store_folder())


def shipped_stores() -> list[Store]:
    """The store that ships with the project, if it is there."""
    folder = shipped_store_folder()
    return [Store(folder, read_only=True)] if (folder / "runs.db").is_file() else []


def runs() -> dict[str, Run]:
    """Every run there is, as `first_shown` orders them, by a key that a link can carry: `checkpoints/article-gap-seed0`.

    The key is also what the command line takes for RUN.
    """
    return first_shown(_runs_of(shipped_store_folder()), _runs_of(own_store_folder()))


def _runs_of(folder: Path) -> dict[str, Run]:
    if not (folder / "runs.db").is_file():
        return {}
    store = Store(folder, read_only=True)
    return {f"{folder.name}/{record.id}": Run(store, record) for record in records(folder)}


def records(folder: Path) -> tuple[RunRecord, ...]:
    """The runs of a store that is there, the oldest first, read anew only when they have changed."""
    file = (folder / "runs.db").stat()
    return _catalogue(folder.absolute(), (file.st_dev, file.st_ino)).runs()  # a store made anew is another file


@st.cache_resource(max_entries=8, show_spinner=False)
def _catalogue(folder: Path, file: tuple[int, int]) -> Catalogue:
    return Catalogue(folder)


def trained_runs() -> dict[str, Run]:
    """The runs that have at least one whole epoch: those that can be compared, looked into and asked."""
    return {key: run for key, run in runs().items() if run.record.epochs_done}


@dataclass(frozen=True)
class SharedNetwork:
    """A network that all visitors share, and the lock to hold while using it for anything that leaves traces in it."""

    network: ConvNet
    lock: threading.Lock


def network(run: Run, epoch: int | None = None) -> SharedNetwork:
    """A run's network after an epoch (the last by default), loaded once however many visitors look at it.

    Raises:
        CheckpointError: there are no weights of that epoch, or they are damaged.
    """
    chosen = epoch or run.record.epochs_done
    path = run.store.weights(run.id, chosen)
    # The file's time is part of the key: a run deleted and trained anew under the same name is another network.
    return _network(run, chosen, str(path.absolute()), path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_resource(max_entries=256, show_spinner=False)
def _network(_run: Run, epoch: int, path: str, written: int) -> SharedNetwork:
    return SharedNetwork(_run.network(epoch), threading.Lock())


def parameters(run: Run) -> int:
    """How many parameters a run's network has."""
    return _parameters(run, str(run.store.run_folder(run.id).absolute()))


@st.cache_data(max_entries=10_000, show_spinner=False)
def _parameters(_run: Run, folder: str) -> int:
    return _run.parameters


def dataset(name: str) -> Dataset:
    """The test images of a dataset; its training images stay on the disk.

    Raises:
        DatasetError: it is missing or damaged.
    """
    return _dataset(name, str(data_folder().absolute()))


@st.cache_resource(max_entries=4, show_spinner="Reading the dataset …")
def _dataset(name: str, folder: str) -> Dataset:
    return test_split_only(name, Path(folder))
