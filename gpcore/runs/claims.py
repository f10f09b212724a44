"""Who trains a run: a token that every write names, and a lock that says whether its holder still lives.

The holder has its claim's lock file locked for as long as it lives, and the operating system lets go of it however the holder
ends: a lock that can be taken means that its holder is dead, known at once and however busy the machine is. A holder that is
only suspended keeps its lock but gives no sign of life; that is what the heartbeat in the store is for.
"""

import contextlib
import sqlite3
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from gpcore.errors import StoreError

STALE_SECONDS = 30.0
"""A run whose worker gave no sign of life for so long may be taken over; longer than a busy database can hold one up."""


@dataclass(frozen=True)
class Claim:
    """The right to train a run, as long as no one else took it."""

    run: str
    token: str
    lock: BaseFileLock

    def let_go(self) -> None:
        """Stop holding the lock, and remove its file."""
        self.lock.release()
        with contextlib.suppress(OSError):
            Path(self.lock.lock_file).unlink()


def take_run(connection: sqlite3.Connection, folder: Path, run: str | None) -> Claim | None:
    """Take the first run of the queue, or exactly `run`, also if it was stopped or failed; None if there is none to take.

    One statement both looks and takes, so that of two workers only one gets a run.
    """
    wanted = "status = 'queued'" if run is None else "id = :run AND status IN ('queued', 'stopped', 'failed')"
    token = uuid.uuid4().hex
    lock = _held_lock(folder, token)  # before the store names the token, or its holder would seem dead
    row = connection.execute(
        f"""UPDATE runs SET status = 'running', token = :token, heartbeat = :now, error = NULL, stop_requested = 0
        WHERE id = (SELECT id FROM runs WHERE {wanted} ORDER BY position, id LIMIT 1) RETURNING id""",
        {"token": token, "now": time.time(), "run": run},
    ).fetchone()
    claim = Claim(row["id"] if row else "", token, lock)
    if row is None:
        claim.let_go()
    return claim if row else None


def requeue_orphans(connection: sqlite3.Connection, folder: Path) -> None:
    """Put runs whose worker is gone back into the queue where they were; those that were asked to stop are stopped."""
    for run, token in orphans(connection, folder):
        status = "CASE WHEN stop_requested THEN 'stopped' ELSE 'queued' END"
        connection.execute(f"UPDATE runs SET status = {status}, token = NULL WHERE id = ?", (run,))
        _lock_file(folder, token).unlink(missing_ok=True)


def orphans(connection: sqlite3.Connection, folder: Path) -> list[tuple[str, str]]:
    """Runs, and their tokens, whose worker died or gave no sign of life for long."""
    stale = time.time() - STALE_SECONDS
    rows = connection.execute("SELECT id, token, heartbeat FROM runs WHERE status = 'running'").fetchall()
    return [(row["id"], row["token"]) for row in rows if row["heartbeat"] < stale or _holder_is_dead(folder, row["token"])]


def _holder_is_dead(folder: Path, token: str) -> bool:
    """Whether a claim's lock can be taken. Without its file, as in the copy of a store, only the heartbeat can tell."""
    path = _lock_file(folder, token)
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _held_lock(folder: Path, token: str) -> BaseFileLock:
    lock = FileLock(_lock_file(folder, token), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except OSError as error:
        raise StoreError(f"{folder} can't be written ({error.strerror}): free some space or check its permissions.") from error
    return lock


def _lock_file(folder: Path, token: str) -> Path:
    return folder / f".claim-{token}.lock"
