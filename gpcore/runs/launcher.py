"""Worker processes: how many may run, whether one lives, and starting those that are missing.

Every worker holds the lock file of its slot for as long as it lives, and the operating system lets go of it however the
worker ends: a lock that can be taken means that no worker lives there.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from gpcore.runs.store import Store
from gpcore.training.fit import find_device

LINGER_SECONDS = 300
"""How long a worker that a page started waits for more before it ends: starting one takes seconds."""

LOCK_WAIT_SECONDS = 1.0
"""How long a new worker waits for its slot, since whoever looks whether the slot is free holds it for an instant."""


def default_parallel() -> int:
    """How many runs train at once: on a CPU one single-threaded run a core, on an accelerator one."""
    return (os.cpu_count() or 1) if find_device().type == "cpu" else 1


@contextlib.contextmanager
def holding_slot(store: Path, slot: int) -> Iterator[bool]:
    """Hold a worker's slot, if it is free; whether it was is yielded."""
    try:
        with _lock(store, slot).acquire(timeout=LOCK_WAIT_SECONDS):
            yield True
    except Timeout:
        yield False


def busy_slots(store: Path, slots: int) -> list[int]:
    """The slots, of so many, in which a worker lives."""
    return [slot for slot in range(slots) if not _is_free(store, slot)]


def start_missing(store: Store, data: Path, started: dict[int, subprocess.Popen]) -> None:
    """Start a worker for every waiting run that a free slot is left for.

    `started` is where the caller keeps the workers it has started: one that has not yet come so far as to hold its lock
    is not started twice. They outlive the caller: they belong to no terminal and no page.
    """
    slots = store.parallel() or default_parallel()
    for slot in [slot for slot, process in started.items() if process.poll() is not None]:
        del started[slot]
    free = [slot for slot in range(slots) if slot not in started and _is_free(store.folder, slot)]
    starting = [slot for slot in started if _is_free(store.folder, slot)]
    for slot in free[: max(0, store.waiting() - len(starting))]:
        started[slot] = _start(store.folder, data, slot)


def run_several(count: int, store: Path, data: Path, device: str, once: bool) -> int:
    """So many workers that say here what they do, until they end or this process is ended; their worst exit code."""
    command = [*_command(store, data, device), *(["--once"] if once else [])]
    workers = [subprocess.Popen([*command, "--slot", str(slot)]) for slot in range(count)]
    try:
        return max(worker.wait() for worker in workers)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _start(store: Path, data: Path, slot: int) -> subprocess.Popen:
    command = [*_command(store, data, "auto"), "--slot", str(slot), "--linger", str(LINGER_SECONDS)]
    with open(store / "worker.log", "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _command(store: Path, data: Path, device: str) -> list[str]:
    folders = ["--store", str(store.absolute()), "--data", str(data.absolute())]
    return [sys.executable, "-m", "gpcore", "worker", "--device", device, *folders]


def _is_free(store: Path, slot: int) -> bool:
    try:
        with _lock(store, slot).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _lock(store: Path, slot: int) -> FileLock:
    return FileLock(store / f".worker-{slot}.lock")
