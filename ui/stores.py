"""Stores and runs that all visitors share; listing runs does not import PyTorch."""

import os
from pathlib import Path

import streamlit as st

from gpcore.runs.catalogue import Catalogue
from gpcore.runs.records import RunRecord
from gpcore.runs.run import Run
from gpcore.runs.selection import first_shown
from gpcore.runs.store import Store


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
    """Returns the store that this dashboard trains into; it is created on first use."""
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
    return {key_of(run): run for run in (Run(store, record) for record in records(folder))}


def key_of(run: Run) -> str:
    """What a link calls a run."""
    return f"{run.store.folder.name}/{run.id}"


def records(folder: Path) -> tuple[RunRecord, ...]:
    """Returns the runs of an existing store, the oldest first; they are read again only after a change."""
    file = (folder / "runs.db").stat()
    return _catalogue(folder.absolute(), (file.st_dev, file.st_ino)).runs()  # a new store is another file


@st.cache_resource(max_entries=8, show_spinner=False)
def _catalogue(folder: Path, file: tuple[int, int]) -> Catalogue:
    return Catalogue(folder)


def trained_runs() -> dict[str, Run]:
    """Returns the runs with at least one whole epoch: only these have weights and figures."""
    return {key: run for key, run in runs().items() if run.record.epochs_done}


def parameters(run: Run) -> int:
    """How many parameters a run's network has."""
    return _parameters(run, str(run.store.run_folder(run.id).absolute()))


@st.cache_data(max_entries=10_000, show_spinner=False)
def _parameters(_run: Run, folder: str) -> int:
    return _run.parameters
