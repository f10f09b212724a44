"""A store is a folder: `runs.db` (SQLite: runs, epochs, batch losses) and one folder of weights per run.

Only this module knows SQLite. Whoever trains a run holds a `Claim` on it: a token that every write names. Once another
worker has taken the run over, or it was deleted, the old token writes nothing any more.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gpcore.errors import ClaimLostError, StoreError
from gpcore.nets import checkpoint
from gpcore.recipe import FOLDER_PREFIX, Recipe
from gpcore.training.fit import EpochDone

Status = Literal["queued", "running", "finished", "stopped", "failed"]
Phase = Literal["training", "validation"]

CHUNK = 256
"""Batch losses that share a row. Rows are aligned, so that writing the same steps again overwrites them."""

STALE_SECONDS = 15.0
"""A run whose worker gave no sign of life for so long may be taken over."""

BUSY_SECONDS = 20.0
"""How long a write waits for another process that holds the database."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, recipe TEXT NOT NULL, status TEXT NOT NULL, error TEXT,
    pair TEXT, created REAL NOT NULL, finished REAL, position REAL NOT NULL, device TEXT,
    token TEXT, heartbeat REAL, stop_requested INTEGER NOT NULL DEFAULT 0, progress TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, epoch INTEGER NOT NULL,
    training_loss REAL NOT NULL, training_accuracy REAL NOT NULL, training_logit_accuracy REAL NOT NULL,
    validation_loss REAL NOT NULL, validation_accuracy REAL NOT NULL, validation_logit_accuracy REAL NOT NULL,
    learning_rate REAL NOT NULL, seconds REAL NOT NULL, confusion TEXT NOT NULL,
    PRIMARY KEY (run, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_losses (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, phase TEXT NOT NULL, chunk INTEGER NOT NULL,
    count INTEGER NOT NULL, mean REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, losses BLOB NOT NULL,
    PRIMARY KEY (run, phase, chunk)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, position);
"""


@dataclass(frozen=True)
class Epoch:
    """What was measured after an epoch, with the weights of that moment.

    Accuracies are fractions on the recipe's output, the `logit` ones on the logits; `confusion[actual][answered]` counts
    the validation images; `seconds` is the time of the epoch with its evaluation.
    """

    epoch: int
    training_loss: float
    training_accuracy: float
    training_logit_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_logit_accuracy: float
    learning_rate: float
    seconds: float
    confusion: list[list[int]]

    @classmethod
    def of(cls, event: EpochDone) -> "Epoch":
        """The figures of an event."""
        return cls(
            event.epoch,
            *(event.training.loss, event.training.accuracy, event.training.logit_accuracy),
            *(event.validation.loss, event.validation.accuracy, event.validation.logit_accuracy),
            event.learning_rate,
            event.seconds,
            event.validation.confusion.tolist(),
        )


@dataclass(frozen=True)
class RunRecord:
    """One run as the store knows it; `epochs_done` counts the whole epochs, `created` and `finished` are Unix times.

    `progress` is what its worker last said: the step, the images per second, what it is doing.
    """

    id: str
    title: str
    recipe: Recipe
    status: Status
    error: str | None
    pair: str | None
    created: float
    finished: float | None
    position: float
    device: str | None
    heartbeat: float | None
    stop_requested: bool
    progress: dict[str, Any]
    epochs_done: int
    last: Epoch | None
    seconds: float
    best_accuracy: float | None


@dataclass(frozen=True)
class Claim:
    """The right to train a run, as long as no one else took it."""

    run: str
    token: str


@dataclass(frozen=True)
class LossCurve:
    """Batch losses thinned out: `steps` (counted from 0) and the mean, lowest and highest loss of the steps up to the next."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


class Store:
    """A folder of runs. Opening it for writing creates what is missing; read-only it must be there and is never touched.

    Raises:
        StoreError: the folder or its database is missing, can't be written, is damaged, or stays busy.
    """

    def __init__(self, folder: Path | str, read_only: bool = False) -> None:
        self.folder, self.read_only = Path(folder), read_only
        self.database = self.folder / "runs.db"
        if read_only:
            if not self.database.is_file():
                raise StoreError(f"There is no store at {self.folder}: no runs.db lies there.")
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"Could not make the store {self.folder}: {error.strerror}. Choose another with --store."
            ) from error
        if not self.database.exists():
            with self._connection() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)

    # -- runs ----------------------------------------------------------------------------------------------------------

    def add(self, recipe: Recipe, title: str | None = None, pair: str | None = None) -> str:
        """Put a run at the end of the queue; its id, made from the recipe, is returned."""
        with self._writing() as connection:
            taken = {row["id"] for row in connection.execute("SELECT id FROM runs")}
            run = _free_name(recipe, taken | {path.name for path in self.folder.iterdir()})
            now = time.time()
            connection.execute(
                "INSERT INTO runs (id, title, recipe, status, pair, created, position) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
                (run, title or run, json.dumps(recipe.to_json()), pair, now, now),
            )
        return run

    def runs(self) -> list[RunRecord]:
        """All runs, the oldest first."""
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(f"{RUN_QUERY} ORDER BY runs.created, runs.id")]

    def run(self, run: str) -> RunRecord:
        """One run.

        Raises:
            StoreError: the store has no such run.
        """
        with self._reading() as connection:
            row = connection.execute(f"{RUN_QUERY} WHERE runs.id = ?", (run,)).fetchone()
        if row is None:
            raise StoreError(
                f"There is no run {run!r} in {self.folder}: `python -m gpcore runs --store {self.folder}` lists them."
            )
        return _record(row)

    def run_folder(self, run: str) -> Path:
        """Where the weights of a run lie."""
        return self.folder / run

    def weights(self, run: str, epoch: int) -> Path:
        """The file that holds, or will hold, the weights of a run after an epoch."""
        return self.run_folder(run) / f"epoch-{epoch:03d}.safetensors"

    def epochs(self, run: str) -> list[Epoch]:
        """What was measured after every epoch of a run."""
        with self._reading() as connection:
            rows = connection.execute("SELECT * FROM epochs WHERE run = ? ORDER BY epoch", (run,)).fetchall()
        return [_epoch(row) for row in rows]

    def batch_losses(self, run: str, phase: Phase = "training", at_most: int = 1000) -> LossCurve:
        """The loss of every batch of a run, or, where there are more than `at_most`, of groups of neighbouring batches.

        `validation` losses are those of the test images, in batches of the same size, after every epoch.
        """
        with self._reading() as connection:
            key = (run, phase)
            total = connection.execute(
                "SELECT coalesce(sum(count), 0) FROM batch_losses WHERE run = ? AND phase = ?", key
            ).fetchone()[0]
            if total > at_most * CHUNK // 8:  # so many that whole rows are fine enough: their losses stay unread
                query = "SELECT chunk, mean, low, high FROM batch_losses WHERE run = ? AND phase = ? ORDER BY chunk"
                chunk, mean, low, high = np.array(connection.execute(query, key).fetchall(), dtype=float).T
                steps = chunk.astype(int) * CHUNK
            else:
                query = "SELECT chunk, losses FROM batch_losses WHERE run = ? AND phase = ? ORDER BY chunk"
                rows = connection.execute(query, key).fetchall()
                parts = [np.frombuffer(row["losses"], np.float32) for row in rows] or [np.zeros(0, np.float32)]
                mean = low = high = np.concatenate(parts)
                steps = np.concatenate([row["chunk"] * CHUNK + np.arange(len(part)) for row, part in zip(rows, parts)] or [np.zeros(0, int)])  # fmt: skip
        return _thinned(steps, mean, low, high, at_most)

    def all_batch_losses(self, run: str, phase: Phase = "training") -> Iterator[tuple[int, float]]:
        """Every batch of a run in order: its step, counted from 0, and its loss."""
        with self._reading() as connection:
            query = "SELECT chunk, losses FROM batch_losses WHERE run = ? AND phase = ? ORDER BY chunk"
            for row in connection.execute(query, (run, phase)):
                for offset, loss in enumerate(np.frombuffer(row["losses"], np.float32).tolist()):
                    yield row["chunk"] * CHUNK + offset, loss

    # -- what a person asks of a run -----------------------------------------------------------------------------------

    def request_stop(self, run: str) -> None:
        """Ask the worker to stop a run where it stands; a run that only waits stops at once."""
        self._change(run, "stop_requested = 1", "status = 'running'")
        self._change(run, "status = 'stopped'", "status = 'queued'")

    def resume(self, run: str) -> None:
        """Put a run that was stopped or failed back into the queue; it goes on from where it stood."""
        changes = "status = 'queued', error = NULL, stop_requested = 0, token = NULL, position = :now"
        self._change(run, changes, "status IN ('stopped', 'failed')")

    def extend(self, run: str, epochs: int) -> None:
        """Let a run that is not being trained go on up to so many epochs, and queue it.

        Raises:
            StoreError: it is running, or has that many epochs already.
            RecipeError: no run can have so many epochs.
        """
        record = self.run(run)
        if record.status == "running":
            raise StoreError(f"{run} is being trained: stop it first, then extend it.")
        if epochs <= record.epochs_done:
            raise StoreError(f"{run} has {record.epochs_done} epochs already: extend it to more than that.")
        recipe = json.dumps(record.recipe.but(epochs=epochs).to_json())
        changes = "status = 'queued', recipe = :recipe, error = NULL, stop_requested = 0, finished = NULL, position = :now"
        self._change(run, changes, "status != 'running'", recipe=recipe)

    def rename(self, run: str, title: str) -> None:
        """Give a run another title; its id, which links name, stays."""
        if not title.strip() or len(title) > 100:
            raise StoreError("A run's title has 1 to 100 characters.")
        self._change(run, "title = :title", "1", title=title.strip())

    def delete(self, run: str) -> None:
        """Delete a run and its weights, for good. A worker that trains it finds its claim gone and stops."""
        self.run(run)
        with self._writing() as connection:
            for table, column in (("batch_losses", "run"), ("epochs", "run"), ("runs", "id")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (run,))
        shutil.rmtree(self.run_folder(run), ignore_errors=True)

    def _change(self, run: str, changes: str, condition: str, **values: Any) -> None:
        with self._writing() as connection:
            query = f"UPDATE runs SET {changes} WHERE id = :run AND {condition}"
            connection.execute(query, {"run": run, "now": time.time()} | values)

    # -- what a worker does --------------------------------------------------------------------------------------------

    def claim(self, run: str | None = None) -> Claim | None:
        """Take the first run that waits, or whose worker died, or exactly `run`; None if there is nothing to take.

        One statement both looks and takes, so that of two workers only one gets a run.
        """
        token, now = uuid.uuid4().hex, time.time()
        with self._writing() as connection:
            row = connection.execute(
                """UPDATE runs SET status = 'running', token = :token, heartbeat = :now, error = NULL
                WHERE id = (SELECT id FROM runs WHERE (id = :run OR :run IS NULL)
                    AND (status = 'queued' OR (status = 'running' AND coalesce(heartbeat, 0) < :stale))
                    ORDER BY position, id LIMIT 1) RETURNING id""",
                {"token": token, "now": now, "run": run, "stale": now - STALE_SECONDS},
            ).fetchone()
        return Claim(row["id"], token) if row else None

    def alive(self, claim: Claim, progress: dict[str, Any] | None = None, device: str | None = None) -> bool:
        """Give a sign of life and say how far it is; whether the run has been asked to stop is returned.

        Raises:
            ClaimLostError: the run is someone else's now, or gone.
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
            _write_losses(connection, claim.run, phase, first_step, np.asarray(losses, np.float32))

    def append_epoch(self, claim: Claim, epoch: Epoch, validation_losses: Sequence[float], weights: Path) -> None:
        """Publish an epoch: its staged weights, its figures and its validation losses, all of them or none.

        The rename happens while the database is held, so that a worker that was replaced can't slip its file in.
        """
        figures = asdict(epoch) | {"run": claim.run, "confusion": json.dumps(epoch.confusion)}
        names = ", ".join(figures)
        with self._holding(claim) as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO epochs ({names}) VALUES ({', '.join(f':{name}' for name in figures)})", figures
            )
            first = (epoch.epoch - 1) * len(validation_losses)
            _write_losses(connection, claim.run, "validation", first, np.asarray(validation_losses, np.float32))
            checkpoint.publish(weights, self.weights(claim.run, epoch.epoch))

    def publish(self, claim: Claim, staged: Path, path: Path) -> None:
        """Give a staged file its name, if the run is still the claimant's."""
        with self._holding(claim):
            checkpoint.publish(staged, path)

    def release(self, claim: Claim, status: Status, error: str | None = None) -> None:
        """End the claim: the run is `finished`, `stopped` or `failed`, or `queued` for another worker."""
        with self._holding(claim) as connection:
            connection.execute(
                """UPDATE runs SET status = ?, error = ?, token = NULL, stop_requested = 0, progress = NULL, finished = ?
                WHERE id = ?""",
                (status, error, time.time() if status == "finished" else None, claim.run),
            )

    @contextlib.contextmanager
    def _holding(self, claim: Claim) -> Iterator[sqlite3.Connection]:
        with self._writing() as connection:
            row = connection.execute("SELECT token FROM runs WHERE id = ?", (claim.run,)).fetchone()
            if row is None or row["token"] != claim.token:
                raise ClaimLostError(f"{claim.run} was deleted or taken over by another worker: this one stops training it.")
            yield connection

    # -- the database --------------------------------------------------------------------------------------------------

    def seal(self) -> None:
        """Turn the store into plain files that can be opened read-only from anywhere, and drop what only training needs."""
        for path in self.folder.glob("*/state-*.safetensors"):
            path.unlink()
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for every use, since pages run in many threads; errors become one sentence."""
        options = ""
        if self.read_only:
            # A folder that can't be written has no room for WAL's files; where nobody writes, none are needed.
            options = "?mode=ro" if self.database.with_name("runs.db-wal").exists() else "?mode=ro&immutable=1"
        connection = None
        try:
            address = f"file:{self.database.absolute().as_posix().replace('?', '%3f').replace('#', '%23')}{options}"
            connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            yield connection
        except sqlite3.DatabaseError as error:
            raise StoreError(_explained(error, self.database)) from error
        finally:
            if connection:
                connection.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the database from its first statement, and is all done or not at all."""
        if self.read_only:
            raise StoreError(f"{self.folder} is read-only: its runs can be looked at, but not changed.")
        with self._connection() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


RUN_QUERY = """
    SELECT runs.*, totals.epochs_done, totals.seconds, totals.best_accuracy, last.epoch, last.training_loss,
        last.training_accuracy, last.training_logit_accuracy, last.validation_loss, last.validation_accuracy,
        last.validation_logit_accuracy, last.learning_rate, last.seconds AS last_seconds, last.confusion
    FROM runs
    LEFT JOIN (SELECT run, max(epoch) AS epochs_done, sum(seconds) AS seconds, max(validation_accuracy) AS best_accuracy
        FROM epochs GROUP BY run) AS totals ON totals.run = runs.id
    LEFT JOIN epochs AS last ON last.run = runs.id AND last.epoch = totals.epochs_done"""


def _record(row: sqlite3.Row) -> RunRecord:
    values = dict(row)
    return RunRecord(
        recipe=Recipe.from_json(json.loads(values["recipe"])),
        stop_requested=bool(values["stop_requested"]),
        progress=json.loads(values["progress"] or "{}"),
        epochs_done=values["epochs_done"] or 0,
        seconds=values["seconds"] or 0.0,
        last=None if values["epoch"] is None else _epoch(values | {"seconds": values["last_seconds"]}),
        **{name: values[name] for name in ("id", "title", "status", "error", "pair", "created", "finished", "position")},
        **{name: values[name] for name in ("device", "heartbeat", "best_accuracy")},
    )


def _epoch(row: sqlite3.Row | dict[str, Any]) -> Epoch:
    values = {name: row[name] for name in Epoch.__dataclass_fields__}
    return Epoch(**values | {"confusion": json.loads(values["confusion"])})


def _free_name(recipe: Recipe, taken: set[str]) -> str:
    """An id that a person can read and type: `article-gap-seed0`, and with the dataset in front where it is another."""
    parts = [recipe.name, recipe.pool, f"seed{recipe.seed}"]
    if recipe.dataset != "fashion-mnist":
        parts.insert(0, Path(recipe.dataset.removeprefix(FOLDER_PREFIX)).name)
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    return free


def _write_losses(connection: sqlite3.Connection, run: str, phase: Phase, first_step: int, losses: np.ndarray) -> None:
    """Lay losses over the rows they fall into, keeping what those rows hold before them."""
    position = 0
    while position < len(losses):
        chunk, offset = divmod(first_step + position, CHUNK)
        part = losses[position : position + CHUNK - offset]
        row = connection.execute(
            "SELECT losses FROM batch_losses WHERE run = ? AND phase = ? AND chunk = ?", (run, phase, chunk)
        ).fetchone()
        before = np.frombuffer(row["losses"], np.float32) if row else np.zeros(0, np.float32)
        values = np.concatenate([before[:offset], part, before[offset + len(part) :]])
        connection.execute(
            "INSERT OR REPLACE INTO batch_losses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run, phase, chunk, len(values), float(values.mean()), float(values.min()), float(values.max()), values.tobytes()),
        )
        position += len(part)


def _thinned(steps: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray, at_most: int) -> LossCurve:
    """At most so many points, each the mean, minimum and maximum of its neighbours."""
    if not len(steps):
        return LossCurve([], [], [], [])
    starts = np.arange(0, len(steps), max(1, -(-len(steps) // at_most)))
    sizes = np.diff(np.append(starts, len(steps)))
    return LossCurve(
        steps[starts].tolist(),
        (np.add.reduceat(mean.astype(float), starts) / sizes).tolist(),
        np.minimum.reduceat(low, starts).tolist(),
        np.maximum.reduceat(high, starts).tolist(),
    )


def _explained(error: sqlite3.DatabaseError, database: Path) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{database} has been busy for {BUSY_SECONDS:.0f} seconds: another program holds it; close that and try again."
    if "full" in text:
        return f"The disk is full, so {database} could not be written: free some space, then resume."
    if "readonly" in text or "unable to open" in text:
        return f"{database} can't be opened for this ({text}): check the folder's permissions, or choose another with --store."
    return (
        f"{database} is damaged or no store of this program ({text}): restore it from a copy, or choose another with --store."
    )
