"""The worker processes that this dashboard has started, shared by all its visitors."""

import contextlib
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from gpcore.errors import GpcoreError, StoreError
from gpcore.runs import launcher
from gpcore.runs.store import Store
from ui import stores


@dataclass
class _Started:
    processes: dict[int, subprocess.Popen] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(max_entries=8, show_spinner=False)
def _started(folder: str) -> _Started:
    return _Started()


def start_missing(store: Store) -> None:
    """Start the workers that the queue asks for.

    Raises:
        StoreError: one broke down; it is not started again before `forget_broken`.
    """
    started = of(store)
    with started.lock:
        launcher.start_missing(store, stores.data_folder(), started.processes)
        trouble = launcher.broken_down(store, started.processes)
    if trouble:
        raise StoreError(trouble)


def forget_broken(store: Store) -> None:
    """Allows broken workers to be started again."""
    started = of(store)
    with started.lock:
        for slot in [slot for slot, process in started.processes.items() if process.poll() is not None]:
            del started.processes[slot]


def go_on_at_start() -> None:
    """Continues runs that a restart interrupted or left in the queue: once, when the first page of a server opens."""
    _go_on(stores.own_store_folder())


@st.cache_resource(max_entries=8, show_spinner=False)
def _go_on(folder: Path) -> None:
    if (folder / "runs.db").is_file():
        with contextlib.suppress(GpcoreError):  # the pages that look into the store show what is wrong with it
            start_missing(Store(folder))


def of(store: Store) -> _Started:
    """Returns the workers that this server has started for a store."""
    return _started(str(store.folder.absolute()))
