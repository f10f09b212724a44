"""Worker processes: how many may run, whether one lives, and starting those that are missing.

Every worker locks the file of its slot for as long as it lives, and the operating system releases the lock however the worker
ends: a free lock means that no worker is alive in that slot.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

import gpcore
from gpcore.runs.store import Store

LINGER_SECONDS = 300
"""How long an idle worker of a page stays alive: starting one takes seconds."""

MOST_WORKERS = 64

LOCK_WAIT_SECONDS = 1.0
"""How long a new worker waits for its slot, since a check whether the slot is free locks it for an instant."""


def default_parallel() -> int:
    """Returns how many runs train at once by default: one per CPU core, or one on an accelerator."""
    from gpcore.training.state import find_device  # PyTorch takes a second to import, and a short queue does not need it

    return cores() if find_device().type == "cpu" else 1


def cores() -> int:
    """Returns the number of cores that this process may use; in a container it can be less than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel(store: Store) -> int:
    """Returns how many runs train at once in this store: the set number, or the default."""
    return min(store.parallel() or default_parallel(), MOST_WORKERS)


def limit_memory(gigabytes: float) -> None:
    """Lets this process take so much memory at most, 0 for nine tenths of the machine's: a run that needs more fails with a
    sentence, where the system would kill some process. Only Linux counts what matters."""
    if sys.platform != "linux":
        return
    import resource

    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # a container's own limit, where it has one
        machine = min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    allowed = int(gigabytes * 1e9 or machine * 0.9)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed if hard < 0 else min(allowed, hard), hard))


@contextlib.contextmanager
def holding_slot(store: Path, slot: int, keep_trying: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Locks a worker's slot once it is free, or gives up; yields whether it is locked."""
    lock = _lock(store, slot)
    try:
        while not _got(lock) and keep_trying():
            pass
        yield lock.is_locked
    finally:
        lock.release()


def _got(lock: FileLock) -> bool:
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=LOCK_WAIT_SECONDS)
    return lock.is_locked


def start_missing(store: Store, data: Path, started: dict[int, subprocess.Popen]) -> None:
    """Starts a worker for every waiting run, as long as slots are free.

    `started` holds the caller's workers: one that has not locked its slot yet is not started twice, and a broken one is not
    restarted while it is in `started`. Workers outlive the caller and belong to no terminal or page.
    """
    for slot in [slot for slot, process in started.items() if (process.poll() or 0) < 0 or process.returncode == 0]:
        del started[slot]
    waiting = store.waiting()
    if not waiting:
        return
    slots = parallel(store)
    free = [slot for slot in range(slots) if slot not in started and _is_free(store.folder, slot)]
    starting = [slot for slot, process in started.items() if process.poll() is None and _is_free(store.folder, slot)]
    for slot in free[: max(0, waiting - len(starting))]:
        started[slot] = _start(store.folder, data, slot)


def end_idle(store: Store, started: dict[int, subprocess.Popen]) -> None:
    """Ends idle workers and waits for their end; does nothing while the store has work for them."""
    if store.idle():
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait()


def broken_down(store: Store, started: dict[int, subprocess.Popen]) -> str | None:
    """Returns a sentence about workers that ended with an error, if any."""
    if not any((process.poll() or 0) > 0 for process in started.values()):
        return None
    lines = (store.folder / "worker.log").read_text(errors="replace").strip().splitlines()
    return f"A worker broke down ({lines[-1] if lines else 'without a message'}): {store.folder / 'worker.log'} has details."


def run_several(count: int, store: Path, data: Path, device: str, once: bool) -> int:
    """Runs `count` workers in this terminal until they or this process end; returns their worst exit code."""
    options = [*(["--once"] if once else []), "--parallel", str(count), "--parent", str(os.getpid())]
    workers = [subprocess.Popen([*_command(store, data, device), *options, "--slot", str(slot)]) for slot in range(count)]
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return max(worker.wait() for worker in workers)
    except KeyboardInterrupt:
        return 0
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
        signal.signal(signal.SIGTERM, before)


def _start(store: Path, data: Path, slot: int) -> subprocess.Popen:
    command = [*_command(store, data, "auto"), "--slot", str(slot), "--linger", str(LINGER_SECONDS)]
    project = str(Path(gpcore.__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([project, os.environ.get("PYTHONPATH", "")])}
    with open(store / "worker.log", "ab", opener=_no_link) as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _no_link(path: str, flags: int) -> int:
    """In a store from elsewhere the log may be a link, through which any file of the user's would be written."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)


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
