"""What a person asks of a store: to queue, stop, resume, extend, rename and delete runs."""

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
    """A store that does what a person asks for.

    Opening it for writing makes what is missing; read-only it must be there and is never touched. For a `visitor`, who comes
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
                raise StoreError(f"There is no store at {self.folder}: no runs.db lies there.")
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"Could not make the store {self.folder} ({error.strerror}): choose another folder.") from error
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
        """Put a run at the end of the queue; its id, made from the recipe, is returned."""
        self._check("train", recipe)
        with self._database.writing() as connection:
            return self._insert(connection, recipe, title, pair)

    def add_twin(self, run: str, pool: Pool) -> str:
        """Queue the recipe of a run again with another pooling; the two are a pair from now on."""
        recipe = self.run(run).recipe.but(pool=pool)
        self._check("train", recipe)
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
        self._check("stop", run)
        self._stop("id = ?", run)

    def stop_all(self) -> None:
        """Stop every run that is trained or waits for it; all that is done is kept."""
        self._check("stop", "all runs")
        self._stop("TRUE")

    def clear_queue(self) -> None:
        """Stop the runs that wait, and leave those alone that are trained; what never began is deleted."""
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
        """Put a run that was stopped or failed back into the queue; it goes on from where it stood."""
        if self._visitor:
            self._check("resume", self.run(run).recipe)
        changes = "status = 'queued', error = NULL, stop_requested = 0, deaths = 0, position = :now"
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
        longer = record.recipe.but(epochs=epochs)
        self._check("extend", longer)
        recipe = json.dumps(longer.to_json())
        changes = "recipe = :recipe, finished = NULL, status = CASE status WHEN 'finished' THEN 'stopped' ELSE status END"
        if not self._change(run, changes, "status != 'running'", recipe=recipe):
            raise StoreError(f"{run} is being trained: stop it first, then extend it.")

    def rename(self, run: str, title: str) -> None:
        """Give a run another title; its id, which links name, stays."""
        self._check("rename", run)
        if not title.strip() or len(title) > 100:
            raise StoreError("A run's title has 1 to 100 characters.")
        self._change(run, "title = :title", "TRUE", title=title.strip())

    def delete(self, run: str) -> None:
        """Delete a run and its weights, for good. A worker that trains it finds its claim gone and stops."""
        self._check("delete", run)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        self.remove_leftovers(run)

    def remove_leftovers(self, run: str) -> None:
        """Remove the folder of a run that was deleted, which its worker may have gone on writing into for a moment."""
        with self._database.writing() as connection:
            gone = connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None
            if gone and RUN_ID.fullmatch(run) and not (self.folder / run).is_symlink():
                shutil.rmtree(self.run_folder(run), ignore_errors=True)

    def set_parallel(self, runs: int | None) -> None:
        """How many runs train at once on this machine; None leaves it to the workers."""
        self._check("change how many runs train at once", str(runs))
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('parallel', ?)", (json.dumps(runs),))

    def _change(self, run: str, changes: str, condition: str, **values: Any) -> bool:
        """Change a run if it meets a condition, and say whether it did."""
        with self._database.writing() as connection:
            query = f"UPDATE runs SET {changes} WHERE id = :run AND {condition}"
            return connection.execute(query, {"run": run, "now": time.time()} | values).rowcount == 1


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
