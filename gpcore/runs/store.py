"""A store is a folder: `runs.db` (runs, epochs, batch losses) and one folder of weights per run.

Whoever trains a run holds a `Claim` on it: a token that every write names. Once another worker has taken the run over, or it
was deleted, the old token writes nothing any more.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpcore.errors import ClaimLostError, StoreError
from gpcore.nets import checkpoint
from gpcore.recipe import FOLDER_PREFIX, Recipe
from gpcore.runs.database import Database
from gpcore.runs.losses import read_curve, read_losses, write_losses
from gpcore.runs.records import Claim, Epoch, LossCurve, Phase, RunRecord, Status

STALE_SECONDS = 15.0
"""A run whose worker gave no sign of life for so long may be taken over."""

RUNS = """
    SELECT runs.*, totals.epochs_done, totals.seconds, totals.best_accuracy, last.epoch, last.training_loss,
        last.training_accuracy, last.training_logit_accuracy, last.validation_loss, last.validation_accuracy,
        last.validation_logit_accuracy, last.learning_rate, last.seconds AS last_seconds, last.confusion
    FROM runs
    LEFT JOIN (SELECT run, max(epoch) AS epochs_done, sum(seconds) AS seconds, max(validation_accuracy) AS best_accuracy
        FROM epochs GROUP BY run) AS totals ON totals.run = runs.id
    LEFT JOIN epochs AS last ON last.run = runs.id AND last.epoch = totals.epochs_done"""

WAITING = "(status = 'queued' OR (status = 'running' AND coalesce(heartbeat, 0) < :stale))"
"""Runs that a worker may take: those in the queue, and those whose worker died."""


class Store:
    """A folder of runs. Opening it for writing makes what is missing; read-only it must be there and is never touched.

    Raises:
        StoreError: from every method: the store is missing, can't be written, is damaged, or stays busy.
    """

    def __init__(self, folder: Path | str, read_only: bool = False) -> None:
        self.folder = Path(folder)
        self._database = Database(self.folder / "runs.db", read_only)
        if read_only:
            if not self._database.path.is_file():
                raise StoreError(f"There is no store at {self.folder}: no runs.db lies there.")
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"Could not make the store {self.folder} ({error.strerror}): choose another folder.") from error
        self._database.create()

    # -- looking ---------------------------------------------------------------------------------------------------------

    def runs(self) -> list[RunRecord]:
        """All runs, the oldest first."""
        with self._database.reading() as connection:
            return [RunRecord.from_row(row) for row in connection.execute(f"{RUNS} ORDER BY runs.created, runs.id")]

    def run(self, run: str) -> RunRecord:
        """One run; StoreError if the store has none of that id."""
        with self._database.reading() as connection:
            row = connection.execute(f"{RUNS} WHERE runs.id = ?", (run,)).fetchone()
        if row is None:
            raise StoreError(f"There is no run {run!r} in {self.folder}: `python -m gpcore runs` lists those of a --store.")
        return RunRecord.from_row(row)

    def run_folder(self, run: str) -> Path:
        """Where the weights of a run lie."""
        return self.folder / run

    def weights(self, run: str, epoch: int) -> Path:
        """The file that holds, or will hold, the weights of a run after an epoch."""
        return self.run_folder(run) / f"epoch-{epoch:03d}.safetensors"

    def epochs(self, run: str) -> list[Epoch]:
        """What was measured after every epoch of a run."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM epochs WHERE run = ? ORDER BY epoch", (run,)).fetchall()
        return [Epoch.from_row(row) for row in rows]

    def loss_curve(self, run: str, phase: Phase = "training", at_most: int = 1000) -> LossCurve:
        """The loss of every batch of a run, or, where there are more than `at_most`, of groups of neighbouring batches.

        `validation` losses are those of the test images, in batches of the same size, after every epoch.
        """
        with self._database.reading() as connection:
            return read_curve(connection, run, phase, at_most)

    def batch_losses(self, run: str, phase: Phase = "training") -> Iterator[tuple[int, float]]:
        """Every batch of a run in order: its step, counted from 0, and its loss."""
        with self._database.reading() as connection:
            yield from read_losses(connection, run, phase)

    def waiting(self) -> int:
        """How many runs a worker could take at once."""
        with self._database.reading() as connection:
            stale = {"stale": time.time() - STALE_SECONDS}
            return connection.execute(f"SELECT count(*) FROM runs WHERE {WAITING}", stale).fetchone()[0]

    # -- what a person asks for ------------------------------------------------------------------------------------------

    def add(self, recipe: Recipe, title: str | None = None, pair: str | None = None) -> str:
        """Put a run at the end of the queue; its id, made from the recipe, is returned."""
        with self._database.writing() as connection:
            taken = {row["id"] for row in connection.execute("SELECT id FROM runs")}
            run = _free_name(recipe, taken | {path.name for path in self.folder.iterdir()})
            now = time.time()
            connection.execute(
                "INSERT INTO runs (id, title, recipe, status, pair, created, position) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
                (run, title or run, json.dumps(recipe.to_json()), pair, now, now),
            )
        return run

    def request_stop(self, run: str) -> None:
        """Ask the worker to stop a run where it stands; a run that only waits, or whose worker died, stops at once."""
        with self._database.writing() as connection:
            values = {"run": run, "stale": time.time() - STALE_SECONDS}
            connection.execute(f"UPDATE runs SET status = 'stopped', token = NULL WHERE id = :run AND {WAITING}", values)
            connection.execute("UPDATE runs SET stop_requested = 1 WHERE id = :run AND status = 'running'", values)

    def resume(self, run: str) -> None:
        """Put a run that was stopped or failed back into the queue; it goes on from where it stood."""
        changes = "status = 'queued', error = NULL, stop_requested = 0, position = :now"
        self._change(run, changes, "status IN ('stopped', 'failed')")

    def extend(self, run: str, epochs: int) -> None:
        """Let a run that is not being trained go on up to so many epochs, and queue it.

        Raises:
            StoreError: it is running, or has that many epochs already.
            RecipeError: no run can have so many epochs.
        """
        record = self.run(run)
        if epochs <= record.epochs_done:
            raise StoreError(f"{run} has {record.epochs_done} epochs already: extend it to more than that.")
        recipe = json.dumps(record.recipe.but(epochs=epochs).to_json())
        changes = "status = 'queued', recipe = :recipe, error = NULL, stop_requested = 0, finished = NULL, position = :now"
        if not self._change(run, changes, "status != 'running'", recipe=recipe):
            raise StoreError(f"{run} is being trained: stop it first, then extend it.")

    def rename(self, run: str, title: str) -> None:
        """Give a run another title; its id, which links name, stays."""
        if not title.strip() or len(title) > 100:
            raise StoreError("A run's title has 1 to 100 characters.")
        self._change(run, "title = :title", "TRUE", title=title.strip())

    def delete(self, run: str) -> None:
        """Delete a run and its weights, for good. A worker that trains it finds its claim gone and stops."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        shutil.rmtree(self.run_folder(run), ignore_errors=True)

    def set_parallel(self, runs: int | None) -> None:
        """How many runs train at once on this machine; None leaves it to the workers."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('parallel', ?)", (json.dumps(runs),))

    def parallel(self) -> int | None:
        """How many runs train at once, if somebody has set that."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = 'parallel'").fetchone()
        return json.loads(row["value"]) if row else None

    def _change(self, run: str, changes: str, condition: str, **values: Any) -> bool:
        """Change a run if it meets a condition, and say whether it did."""
        with self._database.writing() as connection:
            query = f"UPDATE runs SET {changes} WHERE id = :run AND {condition}"
            return connection.execute(query, {"run": run, "now": time.time()} | values).rowcount == 1

    # -- what a worker does ----------------------------------------------------------------------------------------------

    def claim(self, run: str | None = None) -> Claim | None:
        """Take the first run that waits, or whose worker died, or exactly `run`; None if there is nothing to take.

        One statement both looks and takes, so that of two workers only one gets a run.
        """
        token, now = uuid.uuid4().hex, time.time()
        with self._database.writing() as connection:
            row = connection.execute(
                f"""UPDATE runs SET status = 'running', token = :token, heartbeat = :now, error = NULL
                WHERE id = (SELECT id FROM runs WHERE (id = :run OR :run IS NULL) AND {WAITING}
                    ORDER BY position, id LIMIT 1) RETURNING id""",
                {"token": token, "now": now, "run": run, "stale": now - STALE_SECONDS},
            ).fetchone()
        return Claim(row["id"], token) if row else None

    def alive(self, claim: Claim, progress: dict[str, Any] | None = None, device: str | None = None) -> bool:
        """Give a sign of life and say how far it is; whether the run has been asked to stop is returned.

        Raises:
            ClaimLostError: here and below: the run is someone else's now, or gone.
        """
        with self._holding(claim) as connection:
            row = connection.execute(
                """UPDATE runs SET heartbeat = :now, progress = coalesce(:progress, progress),
                device = coalesce(:device, device) WHERE id = :run RETURNING stop_requested""",
                {"now": time.time(), "run": claim.run, "device": device, "progress": progress and json.dumps(progress)},
            ).fetchone()
            return bool(row["stop_requested"])

    def append_losses(self, claim: Claim, phase: Phase, first_step: int, losses: Sequence[float]) -> None:
        """Write the losses of consecutive batches; steps that were written before are overwritten."""
        with self._holding(claim) as connection:
            write_losses(connection, claim.run, phase, first_step, losses)

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
            checkpoint.publish(staged_weights, self.weights(claim.run, epoch.epoch))

    def publish(self, claim: Claim, staged: Path, path: Path) -> None:
        """Give a staged file its name, if the run is still the claimant's."""
        with self._holding(claim):
            checkpoint.publish(staged, path)

    def release(self, claim: Claim, status: Status, error: str | None = None) -> None:
        """End the claim: the run is `finished`, `stopped` or `failed`."""
        with self._holding(claim) as connection:
            connection.execute(
                """UPDATE runs SET status = ?, error = ?, token = NULL, stop_requested = 0, progress = NULL, finished = ?
                WHERE id = ?""",
                (status, error, time.time() if status == "finished" else None, claim.run),
            )

    @contextlib.contextmanager
    def _holding(self, claim: Claim) -> Iterator[sqlite3.Connection]:
        with self._database.writing() as connection:
            row = connection.execute("SELECT token FROM runs WHERE id = ?", (claim.run,)).fetchone()
            if row is None or row["token"] != claim.token:
                raise ClaimLostError(f"{claim.run} was deleted, stopped or taken over: this worker no longer trains it.")
            yield connection

    def seal(self) -> None:
        """Make the store ready to be shipped: plain files only, and nothing that only further training needs."""
        for path in self.folder.glob("*/state-*.safetensors"):
            path.unlink()
        self._database.compact()


def _free_name(recipe: Recipe, taken: set[str]) -> str:
    """An id that a person can read and type: `article-gap-seed0`, with the dataset in front where it is another."""
    parts = [recipe.name, recipe.pool, f"seed{recipe.seed}"]
    if recipe.dataset != "fashion-mnist":
        parts.insert(0, Path(recipe.dataset.removeprefix(FOLDER_PREFIX)).name)
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    return free
