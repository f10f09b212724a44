"""Users' actions on a store: queue, stop, resume, extend, rename and delete runs."""

import json
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gpcore.errors import StoreError
from gpcore.instance import Action, Visitor
from gpcore.recipe import FOLDER_PREFIX, Pool, Recipe
from gpcore.runs.claims import requeue_orphans
from gpcore.runs.records import RUN_ID
from gpcore.runs.store_view import StoreView

GIGABYTES_PER_EPOCH = 1e-4
"""Weights after an epoch take 76 kB, and its losses as much again at most: what a queued run is expected to add."""


class Commands(StoreView):
    """A store with users' actions.

    Opening it for writing creates missing files; a read-only store must exist and is never changed. For a `visitor`, who comes
    through the pages, the instance's roles and limits are checked here, whatever the pages offer.

    Raises:
        StoreError: from every method: the store is missing, can't be written, is damaged, or stays busy.
        NotAllowedError: the visitor may not do that, or a limit is reached.
    """

    def __init__(self, folder: Path | str, read_only: bool = False, visitor: Visitor | None = None) -> None:
        super().__init__(Path(folder), read_only)
        self._visitor = visitor
        if read_only:
            if not self._database.path.is_file():
                raise StoreError(f"There is no store at {self.folder}: it has no runs.db.")
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"Could not create the store {self.folder} ({error.strerror}): choose another folder.") from error
        self._database.create()
        self._database.stay_open()

    def changing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction of its own, for what repairs a store."""
        return self._database.writing()

    def _check(self, action: Action, subject: Recipe | str) -> None:
        if self._visitor is None:
            return
        if isinstance(subject, str):
            self._visitor.check(action, subject)
            return
        self._visitor.check(action, f"{subject.dataset}, {subject.pool}, {subject.epochs} epochs")
        self._visitor.check_recipe(subject, self.waiting(), lambda: self._gigabytes(subject.epochs))

    def _gigabytes(self, more_epochs: int) -> float:
        """What the store takes once all that is queued, and so many epochs more, will be trained."""
        kept = sum(self.bytes_of(run.id) for run in self.runs()) / 1e9
        planned = sum(run.recipe.epochs - run.epochs_done for run in self.active()) + more_epochs
        return kept + planned * GIGABYTES_PER_EPOCH

    def add(self, recipe: Recipe, title: str | None = None, pair: str | None = None) -> str:
        """Adds a run at the end of the queue; returns its id, which is derived from the recipe."""
        self._check("train", recipe)
        with self._database.writing() as connection:
            return self._insert(connection, recipe, title, pair)

    def add_twin(self, run: str, pool: Pool) -> str:
        """Queues the recipe of a run again with another pooling; the two become a pair."""
        recipe = self.run(run).recipe.but(pool=pool)
        self._check("train", recipe)
        with self._database.writing() as connection:
            values = {"run": run, "pair": uuid.uuid4().hex}
            query = "UPDATE runs SET pair = coalesce(pair, :pair) WHERE id = :run RETURNING pair"
            return self._insert(connection, recipe, None, connection.execute(query, values).fetchone()["pair"])

    def _insert(self, connection: sqlite3.Connection, recipe: Recipe, title: str | None, pair: str | None) -> str:
        known = "SELECT count(*) FROM (SELECT id FROM runs UNION SELECT id FROM deleted) WHERE id = ?"
        run = _free_name(recipe, lambda name: connection.execute(known, (name,)).fetchone()[0] or (self.folder / name).exists())
        now = time.time()
        connection.execute(
            "INSERT INTO runs (id, title, recipe, status, pair, created, position) VALUES (?, ?, ?, 'queued', ?, ?, ?)",
            (run, title or run, json.dumps(recipe.to_json()), pair, now, now),
        )
        return run

    def request_stop(self, run: str) -> None:
        """Asks the worker to stop a run; a waiting run, or one whose worker died, stops at once."""
        self._check("stop", run)
        self._stop("id = ?", run)

    def stop_all(self) -> None:
        """Stops every active run; finished epochs are kept."""
        self._check("stop", "all runs")
        self._stop("TRUE")

    def clear_queue(self) -> None:
        """Stops waiting runs, but not those in training; runs that never began are deleted."""
        self._check("stop", "the queue")
        with self._database.writing() as connection:
            requeue_orphans(connection, self.folder)
            connection.execute("DELETE FROM runs WHERE status = 'queued' AND NOT EXISTS (SELECT 1 FROM epochs WHERE run = id)")
            connection.execute("UPDATE runs SET status = 'stopped' WHERE status = 'queued'")

    def _stop(self, which: str, *values: str) -> None:
        with self._database.writing() as connection:
            requeue_orphans(connection, self.folder)
            connection.execute(f"UPDATE runs SET status = 'stopped' WHERE status = 'queued' AND {which}", values)
            connection.execute(f"UPDATE runs SET stop_requested = 1 WHERE status = 'running' AND {which}", values)

    def resume(self, run: str) -> None:
        """Queues a stopped or failed run again; it continues where it stopped."""
        if self._visitor:
            self._check("resume", self.run(run).recipe)
        changes = "status = 'queued', error = NULL, stop_requested = 0, deaths = 0, position = :now"
        self._change(run, changes, "status IN ('stopped', 'failed')")

    def extend(self, run: str, epochs: int) -> None:
        """Sets the total epochs of a run that is not in training; a finished one becomes `stopped`, to be resumed.

        Under a one-cycle schedule the learning rate of every further step is that of the longer run.

        Raises:
            StoreError: it is being trained, or has that many epochs already.
            RecipeError: no run can have so many epochs.
        """
        record = self.run(run)
        if epochs <= record.epochs_done:
            raise StoreError(f"{run} has {record.epochs_done} epochs already: extend it to more than that.")
        longer = record.recipe.but(epochs=epochs)
        self._check("extend", longer)
        recipe = json.dumps(longer.to_json())
        changes = "recipe = :recipe, finished = NULL, status = CASE status WHEN 'finished' THEN 'stopped' ELSE status END"
        if not self._change(run, changes, "status != 'running'", recipe=recipe):
            raise StoreError(f"{run} is being trained: stop it first, then extend it.")

    def rename(self, run: str, title: str) -> None:
        """Changes a run's title; its id, which links use, stays."""
        self._check("rename", run)
        if not title.strip() or len(title) > 100:
            raise StoreError("A run's title has 1 to 100 characters.")
        self._change(run, "title = :title", "TRUE", title=title.strip())

    def delete(self, run: str) -> None:
        """Deletes a run and its weights permanently. A worker that trains it loses its claim and stops."""
        self._check("delete", run)
        with self._database.writing() as connection:
            if connection.execute("DELETE FROM runs WHERE id = ?", (run,)).rowcount:  # links name it: never used again
                connection.execute("INSERT OR IGNORE INTO deleted VALUES (?)", (run,))
        self.remove_leftovers(run)

    def remove_leftovers(self, run: str) -> None:
        """Removes the folder of a deleted run, since its worker may have written to it a little longer."""
        with self._database.writing() as connection:
            gone = connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None
            if gone and RUN_ID.fullmatch(run) and not (self.folder / run).is_symlink():
                shutil.rmtree(self.run_folder(run), ignore_errors=True)

    def set_parallel(self, runs: int | None) -> None:
        """Sets how many runs train at once on this machine; None leaves it to the workers."""
        self._check("change how many runs train at once", str(runs))
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('parallel', ?)", (json.dumps(runs),))

    def _change(self, run: str, changes: str, condition: str, **values: Any) -> bool:
        """Changes a run if it meets a condition; returns whether it did."""
        with self._database.writing() as connection:
            query = f"UPDATE runs SET {changes} WHERE id = :run AND {condition}"
            return connection.execute(query, {"run": run, "now": time.time()} | values).rowcount == 1


def _free_name(recipe: Recipe, is_taken: Callable[[str], bool]) -> str:
    """Returns a readable id: `article-gap-seed0`, preceded by the dataset if it is not FashionMNIST."""
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
