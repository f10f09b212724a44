"""The worker processes that this dashboard has started, shared by all its visitors."""

import contextlib
import functools
import logging
import subprocess
import threading
import time
from dataclasses import dataclass, field

from gpcore.errors import GpcoreError, StoreError
from gpcore.instance import Instance
from gpcore.runs import launcher
from gpcore.runs.store import Store
from gpcore.runs.upkeep import repair
from ui import stores

LOG = logging.getLogger("gpcore.asked")

LOOK_SECONDS = 10.0
"""Between two looks at the queue; the first comes late, since a server's first visitor needs the processor more."""


@dataclass
class _Started:
    processes: dict[int, subprocess.Popen] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@functools.cache
def _started(folder: str) -> _Started:
    return _Started()


def start_missing(store: Store) -> None:
    """Start the workers that the queue asks for, unless the instance only shows what was trained.

    Raises:
        StoreError: one broke down; it is not started again before `forget_broken`.
    """
    if not Instance.read().allows("train"):
        return
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


def keep_going() -> None:
    """Let runs that a restart or a crash left in the queue, or half trained, go on, whether a page is open or not."""
    folder = stores.own_store_folder()
    if (folder / "runs.db").is_file():
        with contextlib.suppress(GpcoreError, OSError):
            for sentence in repair(Store(folder), thorough=False):
                LOG.info("%s", sentence)
    while True:
        time.sleep(LOOK_SECONDS)
        go_on()


def go_on() -> None:
    """Starts the workers that the queue of this dashboard's own store asks for, if it is there."""
    folder = stores.own_store_folder()
    if (folder / "runs.db").is_file():
        with contextlib.suppress(GpcoreError):  # the pages that look into the store show what is wrong with it
            start_missing(Store(folder, read_only=True))


def of(store: Store) -> _Started:
    """Returns the workers that this server has started for a store."""
    return _started(str(store.folder.absolute()))
