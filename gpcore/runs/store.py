"""A store is a folder: `runs.db` (runs, epochs, batch losses) and one folder of weights per run.

A worker that trains a run holds a `Claim` on it: a token that every write contains. Once another worker has taken over the run,
or it was deleted, writes with the old token fail.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpcore.atomic_files import publish
from gpcore.errors import ClaimLostError
from gpcore.recipe import Recipe
from gpcore.runs.batch_losses import write_losses
from gpcore.runs.claims import Claim, requeue_orphans, take_run
from gpcore.runs.commands import Commands
from gpcore.runs.records import Epoch, RunRecord, Status


class Store(Commands):
    """A folder of runs: what a worker writes, beside what can be seen (`StoreView`) and asked for (`Commands`)."""

    def claim(self, run: str | None = None) -> Claim | None:
        """Claims the first run of the queue, or exactly `run`, also if it was stopped or failed; returns None if impossible."""
        with self._database.writing() as connection:
            requeue_orphans(connection, self.folder)
            return take_run(connection, self.folder, run)

    def start(self, recipe: Recipe) -> Claim:
        """Adds a run and claims it at once, bypassing the queue."""
        with self._database.writing() as connection:
            claim = take_run(connection, self.folder, self._insert(connection, recipe, None, None))
        assert claim is not None  # nobody else has seen the run yet
        return claim

    def alive(self, claim: Claim) -> bool:
        """Updates the heartbeat; returns whether the run was asked to stop.

        Raises:
            ClaimLostError: here and below: another worker has the run, or it was deleted.
        """
        with self._holding(claim, synced=False) as connection:
            query = "UPDATE runs SET heartbeat = ?, beat = ? WHERE id = ? RETURNING stop_requested"
            values = (time.time(), time.monotonic(), claim.run)
            return bool(connection.execute(query, values).fetchone()["stop_requested"])

    def tell(self, claim: Claim, progress: dict[str, Any], device: str | None = None) -> None:
        """Writes a run's progress and current work."""
        with self._holding(claim, synced=False) as connection:
            self._tell(connection, claim, progress)
            connection.execute("UPDATE runs SET device = coalesce(?, device) WHERE id = ?", (device, claim.run))

    def _tell(self, connection: sqlite3.Connection, claim: Claim, progress: dict[str, Any]) -> None:
        connection.execute("UPDATE runs SET progress = ? WHERE id = ?", (json.dumps(progress), claim.run))

    def append_losses(self, claim: Claim, first_step: int, losses: Sequence[float], progress: dict[str, Any]) -> None:
        """Writes the training losses of consecutive batches, replacing existing ones, and the run's progress."""
        with self._holding(claim, synced=False) as connection:
            write_losses(connection, claim.run, "training", first_step, losses)
            self._tell(connection, claim, progress)

    def append_epoch(self, claim: Claim, epoch: Epoch, validation_losses: Sequence[float], staged_weights: Path) -> None:
        """Publishes an epoch atomically: its staged weights, its figures and its validation losses.

        The file is renamed while the database is locked, so that a replaced worker can't publish it.
        """
        figures = asdict(epoch) | {"run": claim.run, "confusion": json.dumps(epoch.confusion)}
        places = ", ".join(f":{name}" for name in figures)
        with self._holding(claim) as connection:
            connection.execute(f"INSERT OR REPLACE INTO epochs ({', '.join(figures)}) VALUES ({places})", figures)
            first = (epoch.epoch - 1) * len(validation_losses)
            write_losses(connection, claim.run, "validation", first, validation_losses)
            publish(staged_weights, self.weights(claim.run, epoch.epoch))

    def publish(self, claim: Claim, staged: Path, path: Path) -> None:
        """Renames a staged file to its final name, if the claim is still valid."""
        with self._holding(claim):
            publish(staged, path)

    def release(self, claim: Claim, status: Status, error: str | None = None) -> None:
        """Ends the claim: the run is `finished`, `stopped` or `failed`."""
        with self._holding(claim) as connection:
            connection.execute(
                """UPDATE runs SET status = CASE WHEN :status = 'queued' AND stop_requested THEN 'stopped' ELSE :status END,
                error = :error, token = NULL, stop_requested = 0, finished = :finished WHERE id = :run""",
                {"status": status, "error": error, "finished": time.time() if status == "finished" else None, "run": claim.run},
            )
        claim.let_go()

    @contextlib.contextmanager
    def _holding(self, claim: Claim, synced: bool = True) -> Iterator[sqlite3.Connection]:
        with self._database.writing(synced) as connection:
            row = connection.execute("SELECT token FROM runs WHERE id = ?", (claim.run,)).fetchone()
            if row is None or row["token"] != claim.token:
                raise ClaimLostError(f"{claim.run} was deleted, stopped or taken over: this worker no longer trains it.")
            yield connection

    def seal(self, every_epoch: Callable[[RunRecord], bool] = lambda run: True) -> None:
        """Prepares the store for shipping: plain files only, without the files for further training.

        A run for which `every_epoch` is false keeps the weights of its last epoch only, but all its figures.
        """
        for run in self.runs():
            last = self.weights(run.id, run.epochs_done)
            for path in () if every_epoch(run) else self.run_folder(run.id).glob("epoch-*.safetensors"):
                if path != last:
                    path.unlink()
        for pattern in ("*/state-*.safetensors", ".*.lock", "worker.log"):
            for path in self.folder.glob(pattern):
                path.unlink()
        self._database.compact()
