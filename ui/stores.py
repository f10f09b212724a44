"""Stores and runs that all visitors share; listing runs does not import PyTorch."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from gpcore.data import locations
from gpcore.errors import StoreError
from gpcore.instance import Instance, Visitor
from gpcore.runs.catalogue import Catalogue
from gpcore.runs.records import RunRecord
from gpcore.runs.run import Run
from gpcore.runs.selection import first_shown
from gpcore.runs.store import Store


def own_store_folder() -> Path:
    """The store that this dashboard trains into."""
    return _folder(Instance.read().store, "runs", locations.store_folder)


def shipped_store_folder() -> Path:
    """The store that ships with the project, never written to."""
    return _folder(Instance.read().checkpoints, "checkpoints", locations.checkpoints_folder)


def data_folder() -> Path:
    """Where the datasets lie."""
    return _folder(Instance.read().data, "data", locations.data_folder)


def _folder(named: str, usual: str, default: Callable[[], Path]) -> Path:
    """A folder by its setting, from the project's own folder whatever the current one is."""
    return default() if named == usual else locations.absolute(named)


def own_store() -> Store:
    """The store that this dashboard trains into, for its visitor: made when it is first needed, read-only in a demo."""
    instance = Instance.read()
    visitor = Visitor(instance, st.context.ip_address or "this machine")
    return Store(own_store_folder(), read_only=not instance.allows("train"), visitor=visitor)


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
    try:
        return {key_of(run): run for run in (Run(store, record) for record in records(folder))}
    except StoreError:  # `damaged` tells of it, and other stores are still shown
        return {}


def key_of(run: Run) -> str:
    """What a link calls a run."""
    return f"{run.store.folder.name}/{run.id}"


def damaged() -> list[str]:
    """A sentence for every run, or store, that can't be read."""
    found: list[str] = []
    for folder in (shipped_store_folder(), own_store_folder()):
        try:
            found += _catalogue_of(folder).damaged if (folder / "runs.db").is_file() else []
        except StoreError as error:
            found.append(str(error))
    return found


def records(folder: Path) -> tuple[RunRecord, ...]:
    """The runs of a store that is there, the oldest first, read anew only when they have changed."""
    return _catalogue_of(folder).runs()


def _catalogue_of(folder: Path) -> Catalogue:
    file = (folder / "runs.db").stat()
    return _catalogue(folder.absolute(), (file.st_dev, file.st_ino))  # a store made anew is another file


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
