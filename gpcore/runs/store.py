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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpcore.atomic_files import publish
from gpcore.errors import ClaimLostError, StoreError
from gpcore.recipe import FOLDER_PREFIX, Pool, Recipe
from gpcore.runs.batch_losses import count_losses, read_curve, read_losses, write_losses
from gpcore.runs.claims import Claim, orphans, requeue_orphans, take_run
from gpcore.runs.database import Database
from gpcore.runs.records import RUNS, Epoch, LossCurve, Phase, RunRecord, Status

ACTIVE = "runs.status IN ('queued', 'running')"


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
        self._database.stay_open()

    # -- looking ---------------------------------------------------------------------------------------------------------

    def runs(self) -> list[RunRecord]:
        """All runs, the oldest first."""
        with self._database.reading() as connection:
            return [RunRecord.from_row(row) for row in connection.execute(f"{RUNS} ORDER BY runs.created, runs.id")]

    def active(self) -> list[RunRecord]:
        """The runs that are trained or wait for it, in the order in which they are, or will be, trained."""
        query = f"{RUNS} WHERE {ACTIVE} ORDER BY runs.status = 'queued', runs.position, runs.id"
        with self._database.reading() as connection:
            return [RunRecord.from_row(row) for row in connection.execute(query)]

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

    def steps_done(self, run: str) -> int:
        """How many training steps have their loss in the store."""
        with self._database.reading() as connection:
            return count_losses(connection, run, "training")

    def waiting(self) -> int:
        """How many runs wait for a worker, those whose worker died among them."""
        with self._database.reading() as connection:
            queued = connection.execute("SELECT count(*) FROM runs WHERE status = 'queued'").fetchone()[0]
            return queued + len(orphans(connection, self.folder))

    def counts(self) -> dict[Status, int]:
        """How many runs have each status."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT status, count(*) AS runs FROM runs GROUP BY status")
            return {row["status"]: row["runs"] for row in rows}

    def idle(self) -> bool:
        """Whether no run is trained or waits for it."""
        with self._database.reading() as connection:
            return connection.execute(f"SELECT 1 FROM runs WHERE {ACTIVE} LIMIT 1").fetchone() is None

    # -- what a person asks for ------------------------------------------------------------------------------------------

    def add(self, recipe: Recipe, title: str | None = None, pair: str | None = None) -> str:
        """Put a run at the end of the queue; its id, made from the recipe, is returned."""
        with self._database.writing() as connection:
            return self._insert(connection, recipe, title, pair)

    def add_twin(self, run: str, pool: Pool) -> str:
        """Queue the recipe of a run again with another pooling; the two are a pair from now on."""
        recipe = self.run(run).recipe.but(pool=pool)
        with self._database.writing() as connection:
            values = {"run": run, "pair": uuid.uuid4().hex}
            query = "UPDATE runs SET pair = coalesce(pair, :pair) WHERE id = :run RETURNING pair"
            return self._insert(connection, recipe, None, connection.execute(query, values).fetchone()["pair"])

    def _insert(self, connection: sqlite3.Connection, recipe: Recipe, title: str | None, pair: str | None) -> str:
        known = "SELECT count(*) FROM runs WHERE id = ?"
        run = _free_name(recipe, lambda name: connection.execute(known, (name,)).fetchone()[0] or (self.folder / name).exists())
        now = time.time()
        connection.execute(
            "INSERT INTO runs (id, title, recipe, status, pair, created, position) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
            (run, title or run, json.dumps(recipe.to_json()), pair, now, now),
        )
        return run

    def request_stop(self, run: str) -> None:
        """Ask the worker to stop a run where it stands; a run that only waits, or whose worker died, stops at once."""
        with self._database.writing() as connection:
            requeue_orphans(connection, self.folder)
            connection.execute("UPDATE runs SET status = 'stopped' WHERE id = ? AND status = 'queued'", (run,))
            connection.execute("UPDATE runs SET stop_requested = 1 WHERE id = ? AND status = 'running'", (run,))

    def resume(self, run: str) -> None:
        """Put a run that was stopped or failed back into the queue; it goes on from where it stood."""
        changes = "status = 'queued', error = NULL, stop_requested = 0, position = :now"
        self._change(run, changes, "status IN ('stopped', 'failed')")

    def extend(self, run: str, epochs: int) -> None:
        """Give a run that is not being trained so many epochs in all; one that was finished is then `stopped`, to be resumed.

        Under a one-cycle schedule the learning rate of every further step is that of the longer run.

        Raises:
            StoreError: it is being trained, or has that many epochs already.
            RecipeError: no run can have so many epochs.
        """
        record = self.run(run)
        if epochs <= record.epochs_done:
            raise StoreError(f"{run} has {record.epochs_done} epochs already: extend it to more than that.")
        recipe = json.dumps(record.recipe.but(epochs=epochs).to_json())
        changes = "recipe = :recipe, finished = NULL, status = CASE status WHEN 'finished' THEN 'stopped' ELSE status END"
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
        self.remove_leftovers(run)

    def remove_leftovers(self, run: str) -> None:
        """Remove the folder of a run that was deleted, which its worker may have gone on writing into for a moment."""
        with self._database.writing() as connection:
            if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
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
            query = "UPDATE runs SET heartbeat = ? WHERE id = ? RETURNING stop_requested"
            return bool(connection.execute(query, (time.time(), claim.run)).fetchone()["stop_requested"])

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


def _free_name(recipe: Recipe, is_taken: Callable[[str], bool]) -> str:
    """An id that a person can read and type: `article-gap-seed0`, with the dataset in front where it is another."""
    parts = [recipe.name, recipe.pool, f"seed{recipe.seed}"]
    if recipe.placement != "usual":
        parts.insert(2, recipe.placement)
    if recipe.dataset != "fashion-mnist":
        parts.insert(0, Path(recipe.dataset.removeprefix(FOLDER_PREFIX)).name)
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    number, free = 2, name
    while is_taken(free):
        number, free = number + 1, f"{name}-{number}"
    return free
