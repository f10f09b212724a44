"""All runs of a store, for whoever asks for them again and again."""

import sqlite3
import threading
from pathlib import Path

from gpcore.runs.database import Database
from gpcore.runs.records import RUNS, RunRecord


class Catalogue:
    """The runs of a store, of which only those are read that have changed since they were last asked for.

    A page asks at every change of a widget: of 10,000 runs that have not changed it learns in 0.1 ms instead of a second.
    Threads may share one.

    Raises:
        StoreError: from every method: the store is missing, damaged, or stays busy.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "runs.db", read_only=True)
        self._database.stay_open()
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._records: dict[sqlite3.Row, RunRecord] = {}

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, the oldest first."""
        with self._lock:
            version = self._database.version()
            if version != self._version:
                self._read()
                self._version = version
            return tuple(self._records.values())

    def _read(self) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(f"{RUNS} ORDER BY runs.created, runs.id").fetchall()
        self._records = {row: self._records.get(row) or RunRecord.from_row(row) for row in rows}
