"""A store is a folder: `runs.db` (runs, epochs, batch losses) and one folder of weights per run.

Whoever trains a run holds a `Claim` on it: a token that every write names. Once another worker has taken the run over, or it
was deleted, the old token writes nothing any more.
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
        """Take the first run of the queue, or exactly `run`, also if it was stopped or failed; None if that can't be had."""
        with self._database.writing() as connection:
            requeue_orphans(connection, self.folder)
            return take_run(connection, self.folder, run)

    def start(self, recipe: Recipe) -> Claim:
        """Add a run and take it at once, past the queue."""
        with self._database.writing() as connection:
            claim = take_run(connection, self.folder, self._insert(connection, recipe, None, None))
        assert claim is not None  # nobody else has seen the run yet
        return claim

    def alive(self, claim: Claim) -> bool:
        """Give a sign of life; whether the run has been asked to stop is returned.

        Raises:
            ClaimLostError: here and below: the run is someone else's now, or gone.
        """
        with self._holding(claim, synced=False) as connection:
            query = "UPDATE runs SET heartbeat = ?, beat = ? WHERE id = ? RETURNING stop_requested"
            values = (time.time(), time.monotonic(), claim.run)
            return bool(connection.execute(query, values).fetchone()["stop_requested"])

    def tell(self, claim: Claim, progress: dict[str, Any], device: str | None = None) -> None:
        """Say how far the run is, and what is being done."""
        with self._holding(claim, synced=False) as connection:
            self._tell(connection, claim, progress)
            connection.execute("UPDATE runs SET device = coalesce(?, device) WHERE id = ?", (device, claim.run))

    def _tell(self, connection: sqlite3.Connection, claim: Claim, progress: dict[str, Any]) -> None:
        connection.execute("UPDATE runs SET progress = ? WHERE id = ?", (json.dumps(progress), claim.run))

    def append_losses(self, claim: Claim, first_step: int, losses: Sequence[float], progress: dict[str, Any]) -> None:
        """Write the training losses of consecutive batches, overwriting those that are there; and say how far the run is."""
        with self._holding(claim, synced=False) as connection:
            write_losses(connection, claim.run, "training", first_step, losses)
            self._tell(connection, claim, progress)

    def append_epoch(self, claim: Claim, epoch: Epoch, validation_losses: Sequence[float], staged_weights: Path) -> None:
        """Publish an epoch: its staged weights, its figures and its validation losses, all of them or none.

        The file gets its name while the database is held, so that a worker that was replaced can't slip it in.
        """
        figures = asdict(epoch) | {"run": claim.run, "confusion": json.dumps(epoch.confusion)}
        places = ", ".join(f":{name}" for name in figures)
        with self._holding(claim) as connection:
            connection.execute(f"INSERT OR REPLACE INTO epochs ({', '.join(figures)}) VALUES ({places})", figures)
            first = (epoch.epoch - 1) * len(validation_losses)
            write_losses(connection, claim.run, "validation", first, validation_losses)
            publish(staged_weights, self.weights(claim.run, epoch.epoch))

    def publish(self, claim: Claim, staged: Path, path: Path) -> None:
        """Give a staged file its name, if the run is still the claimant's."""
        with self._holding(claim):
            publish(staged, path)

    def release(self, claim: Claim, status: Status, error: str | None = None) -> None:
        """End the claim: the run is `finished`, `stopped` or `failed`."""
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
        """Make the store ready to be shipped: plain files only, and nothing that only further training needs.

        Of a run for which `every_epoch` is false, the weights of its last epoch alone are kept; its figures stay all.
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
