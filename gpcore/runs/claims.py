"""Claims on runs: a token in every write, and a lock that shows whether its holder is alive.

The holder locks its claim's file for as long as it lives, and the operating system releases the lock however the holder ends.
So a free lock means a dead holder, at once and even on a busy machine. A suspended holder keeps its lock but its heartbeat in
the store stops. On one machine its age
is taken from the clock that nobody sets.
"""

import contextlib
import json
import platform
import sqlite3
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from gpcore.errors import StoreError

STALE_SECONDS = 30.0
"""Time without a heartbeat after which a run may be taken over; longer than a busy database can delay one."""

MOST_DEATHS = 3
"""How often a worker may die at one place of a run before the run fails, instead of being tried for ever."""


def _this_boot() -> str:
    """Identifies this machine since its last start: two processes share a monotonic clock only within it."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return platform.node()


BOOT = _this_boot()


@dataclass(frozen=True)
class Claim:
    """The right to train a run, until another worker takes it over."""

    run: str
    token: str
    lock: BaseFileLock

    def let_go(self) -> None:
        """Releases the lock and removes its file."""
        self.lock.release()
        with contextlib.suppress(OSError):
            Path(self.lock.lock_file).unlink()


def take_run(connection: sqlite3.Connection, folder: Path, run: str | None) -> Claim | None:
    """Claims the first run of the queue, or exactly `run`, also if it was stopped or failed; returns None if there is none.

    A single statement finds and claims it, so that only one of two workers gets a run.
    """
    wanted = "status = 'queued'" if run is None else "id = :run AND status IN ('queued', 'stopped', 'failed')"
    token = uuid.uuid4().hex
    lock = _held_lock(folder, token)  # before the token is in the store, or its holder would seem dead
    row = connection.execute(
        f"""UPDATE runs SET status = 'running', token = :token, heartbeat = :now, beat = :beat, boot = :boot, error = NULL,
        stop_requested = 0, deaths = CASE status WHEN 'queued' THEN deaths ELSE 0 END
        WHERE id = (SELECT id FROM runs WHERE {wanted} ORDER BY position, id LIMIT 1) RETURNING id""",
        {"token": token, "now": time.time(), "beat": time.monotonic(), "boot": BOOT, "run": run},
    ).fetchone()
    claim = Claim(row["id"] if row else "", token, lock)
    if row is None:
        claim.let_go()
    return claim if row else None


def requeue_orphans(connection: sqlite3.Connection, folder: Path) -> None:
    """Returns runs without a live worker to their place in the queue; those asked to stop become stopped.

    A run whose worker died at the same place again and again has failed.
    """
    for row in orphans(connection, folder):
        place = _place(connection, row)
        deaths = row["deaths"] + 1 if row["died_at"] == place else 1
        died = f"Its worker died {deaths} times in a row while {place}, most likely for want of memory: resume it with"
        error = f"{died} other programs closed, or train on fewer or smaller images." if deaths >= MOST_DEATHS else None
        connection.execute(
            """UPDATE runs SET status = CASE WHEN stop_requested THEN 'stopped' WHEN :error IS NULL THEN 'queued'
            ELSE 'failed' END, error = :error, token = NULL, deaths = :deaths, died_at = :place WHERE id = :run""",
            {"error": error, "deaths": deaths, "place": place, "run": row["id"]},
        )
        _lock_file(folder, row["token"]).unlink(missing_ok=True)


def _place(connection: sqlite3.Connection, row: dict[str, Any]) -> str:
    """Describes a dead worker's last work and epoch."""
    doing: Any = "starting"
    with contextlib.suppress(ValueError, TypeError, AttributeError):  # a damaged row says nothing
        doing = json.loads(row["progress"]).get("doing", doing)
    done = connection.execute("SELECT coalesce(max(epoch), 0) FROM epochs WHERE run = ?", (row["id"],)).fetchone()[0]
    return f"{doing} (epoch {done + 1})"


def orphans(connection: sqlite3.Connection, folder: Path) -> list[dict[str, Any]]:
    """Returns rows of runs whose worker died or has no recent heartbeat."""
    rows = [dict(row) for row in connection.execute("SELECT * FROM runs WHERE status = 'running'")]
    return [row for row in rows if _is_silent(row) or _holder_is_dead(folder, row["token"])]


def _is_silent(row: dict[str, Any]) -> bool:
    if row.get("boot") == BOOT and row["beat"] is not None:
        return not 0 <= time.monotonic() - row["beat"] < STALE_SECONDS
    return (row["heartbeat"] or 0) < time.time() - STALE_SECONDS


def _holder_is_dead(folder: Path, token: str | None) -> bool:
    """Returns whether a claim's lock is free. Without its file, as in a copied store, only the heartbeat decides."""
    path = _lock_file(folder, token)
    if not path.is_file() or path.is_symlink():
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


def _lock_file(folder: Path, token: str | None) -> Path:
    """A token that is not one of ours, as in a damaged store, names no other file."""
    known = token if token and token.isalnum() else "unknown"
    return folder / f".claim-{known}.lock"
