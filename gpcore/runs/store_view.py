"""The read-only part of a store."""

import json
from collections.abc import Iterator
from pathlib import Path

from gpcore.errors import StoreError
from gpcore.runs.batch_losses import count_losses, read_curve, read_losses
from gpcore.runs.claims import orphans
from gpcore.runs.database import Database
from gpcore.runs.records import RUN_ID, RUNS, Epoch, LossCurve, Phase, RunRecord, Status, explained, readable

ACTIVE = "runs.status IN ('queued', 'running')"


class StoreView:
    """The read-only part of a store. Unreadable rows are left out of lists, and listed by `damaged`.

    Raises:
        StoreError: from every method: the store can't be read, is damaged, or stays busy.
    """

    def __init__(self, folder: Path, read_only: bool) -> None:
        self.folder = folder
        self._database = Database(folder / "runs.db", read_only)

    def runs(self) -> list[RunRecord]:
        """Returns all runs, the oldest first."""
        with self._database.reading() as connection:
            return readable(connection.execute(f"{RUNS} ORDER BY runs.created, runs.id"))[0]

    def damaged(self) -> list[str]:
        """A sentence for each run that can't be read."""
        with self._database.reading() as connection:
            return readable(connection.execute(RUNS))[1]

    def ids(self) -> set[str]:
        """The ids of all runs, those that can't be read among them."""
        with self._database.reading() as connection:
            return {row["id"] for row in connection.execute("SELECT id FROM runs")}

    def check_database(self) -> list[str]:
        """What SQLite finds wrong with its file; nothing if it is whole."""
        with self._database.reading() as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(20)")]
        return [f"{self._database.path}: {each}" for each in found if each != "ok"]

    def active(self) -> list[RunRecord]:
        """Returns the active runs in the order of their training."""
        query = f"{RUNS} WHERE {ACTIVE} ORDER BY runs.status = 'queued', runs.position, runs.id"
        with self._database.reading() as connection:
            return readable(connection.execute(query))[0]

    def run(self, run: str) -> RunRecord:
        """Returns one run; raises StoreError if there is none with that id."""
        with self._database.reading() as connection:
            row = connection.execute(f"{RUNS} WHERE runs.id = ?", (run,)).fetchone()
        if row is None:
            raise StoreError(f"There is no run {run!r} in {self.folder}: `python -m gpcore runs` lists those of a --store.")
        return RunRecord.from_row(row)

    def run_folder(self, run: str) -> Path:
        """Returns the folder of a run's weights, which is always inside the store."""
        folder = self.folder / run
        if not RUN_ID.fullmatch(run) or folder.is_symlink():
            raise StoreError(
                f"{run!r} is not a run's folder in {self.folder}: an id has small letters, digits and hyphens only."
            )
        return folder

    def weights(self, run: str, epoch: int) -> Path:
        """Returns the path of a run's weights after an epoch, whether or not it exists yet."""
        return self.run_folder(run) / f"epoch-{epoch:03d}.safetensors"

    def epochs(self, run: str) -> list[Epoch]:
        """Returns the figures of every epoch of a run."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM epochs WHERE run = ? ORDER BY epoch", (run,)).fetchall()
        with explained(f"The epochs of {run}"):
            return [Epoch.from_row(row) for row in rows]

    def loss_curve(self, run: str, phase: Phase = "training", at_most: int = 1000) -> LossCurve:
        """Returns the loss of every batch of a run, or of groups of neighbouring batches if there are more than `at_most`.

        `validation` losses are those of the test images, in batches of the same size, after every epoch.
        """
        with self._database.reading() as connection, explained(f"The batch losses of {run}"):
            return read_curve(connection, run, phase, at_most)

    def batch_losses(self, run: str, phase: Phase = "training") -> Iterator[tuple[int, float]]:
        """Yields every batch of a run in order: its step, counted from 0, and its loss."""
        with self._database.reading() as connection, explained(f"The batch losses of {run}"):
            yield from read_losses(connection, run, phase)

    def bytes_of(self, run: str) -> int:
        """Returns the bytes of a run's folder."""
        try:
            return sum(path.stat().st_size for path in self.run_folder(run).iterdir())
        except (OSError, StoreError):  # it has no folder, or not one of ours
            return 0

    def steps_done(self, run: str) -> int:
        """Returns how many training steps have a loss in the store."""
        with self._database.reading() as connection:
            return count_losses(connection, run, "training")

    def waiting(self) -> int:
        """Returns how many runs wait for a worker, including those whose worker died."""
        with self._database.reading() as connection:
            queued = connection.execute("SELECT count(*) FROM runs WHERE status = 'queued'").fetchone()[0]
            return queued + len(orphans(connection, self.folder))

    def counts(self) -> dict[Status, int]:
        """Returns how many runs have each status."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT status, count(*) AS runs FROM runs GROUP BY status")
            return {row["status"]: row["runs"] for row in rows}

    def idle(self) -> bool:
        """Returns whether no run is active."""
        with self._database.reading() as connection:
            return connection.execute(f"SELECT 1 FROM runs WHERE {ACTIVE} LIMIT 1").fetchone() is None

    def parallel(self) -> int | None:
        """Returns how many runs train at once, if that was set."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = 'parallel'").fetchone()
        with explained("How many runs train at once"):
            return json.loads(row["value"]) if row else None
