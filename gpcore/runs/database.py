"""A store's SQLite database: its tables, connections and transactions, and its errors as sentences."""

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Iterator
from pathlib import Path

from gpcore.errors import StoreError

BUSY_SECONDS = 20.0
"""How long a read or write waits for another process that holds the database."""

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, recipe TEXT NOT NULL, status TEXT NOT NULL, error TEXT,
    pair TEXT, created REAL NOT NULL, finished REAL, position REAL NOT NULL, device TEXT,
    token TEXT, heartbeat REAL, stop_requested INTEGER NOT NULL DEFAULT 0, progress TEXT,
    beat REAL, boot TEXT, deaths INTEGER NOT NULL DEFAULT 0, died_at TEXT
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
CREATE TABLE IF NOT EXISTS deleted (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, position);
CREATE INDEX IF NOT EXISTS epochs_summed ON epochs (run, epoch, seconds, validation_accuracy);
"""

VERSION = 1
"""Of the tables, kept as SQLite's `user_version`; it is 0 in stores from before there was one."""

ADDED = {"beat": "REAL", "boot": "TEXT", "deaths": "INTEGER NOT NULL DEFAULT 0", "died_at": "TEXT"}
"""Columns of `runs` that stores of version 0 lack."""

FOREIGN = "This run waited in a store that came from elsewhere, so it was not started by itself: resume it to train it."


class Database:
    """The SQLite file of a store. Every use has a connection of its own, since pages run in many threads.

    Raises:
        StoreError: from every method: the file is missing, can't be written, is damaged, or stays busy.
    """

    def __init__(self, path: Path, read_only: bool) -> None:
        self.path, self.read_only = path, read_only
        self._anchor: sqlite3.Connection | None = None

    def create(self) -> None:
        """Creates missing tables and columns. WAL lets pages read while a worker writes."""
        if self.path.is_symlink():
            raise StoreError(f"{self.path} is a link, which is not followed: give --store the folder where the file lies.")
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(TABLES)
            at_home = self._is_at_home(connection) and connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
        if not at_home:
            with self.writing() as connection:
                self._settle(connection)

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Updates an older store, and stops waiting runs in a store that was copied here: they are someone else's queue."""
        known = {row["name"] for row in connection.execute("PRAGMA table_info(runs)")}
        for name, kind in ADDED.items():
            if name not in known:
                connection.execute(f"ALTER TABLE runs ADD COLUMN {name} {kind}")
        if not self._is_at_home(connection):
            waiting = "status IN ('queued', 'running')"
            connection.execute(f"UPDATE runs SET status = 'stopped', token = NULL, error = ? WHERE {waiting}", (FOREIGN,))
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('home', ?)", (self._home(),))
        connection.execute(f"PRAGMA user_version = {VERSION}")

    def _home(self) -> str:
        """Differs for every copy of a store, and stays when its folder is moved or the machine restarts."""
        return str(self.path.stat().st_ino)

    def _is_at_home(self, connection: sqlite3.Connection) -> bool:
        row = connection.execute("SELECT value FROM settings WHERE name = 'home'").fetchone()
        return row is not None and row["value"] == self._home()

    def stay_open(self) -> None:
        """Keeps one idle connection: whenever the last one closes, SQLite merges its log into the file, which takes 10 ms."""
        with self._connected():  # turns errors into sentences
            self._anchor = sqlite3.connect(self._address(), uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
            self._anchor.execute("SELECT count(*) FROM settings").fetchone()
        # Python's connections are in a reference cycle: without this the file stays open and locked until garbage collection.
        weakref.finalize(self, self._anchor.close)

    def version(self) -> tuple[int, int]:
        """Returns a value that changes whenever other connections have changed the store.

        The file's time is part of it, since SQLite never checks a store that it opened as immutable.
        """
        assert self._anchor is not None
        with self._in_words():
            changes = self._anchor.execute("PRAGMA data_version").fetchone()[0]
        return changes, self.path.stat().st_mtime_ns if self.path.exists() else 0

    def compact(self) -> None:
        """Turns the database into one plain file without a write-ahead log, readable anywhere."""
        if self._anchor is not None:
            self._anchor.close()
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Opens a connection whose queries all see the same state of the store."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextlib.contextmanager
    def writing(self, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """Opens a transaction that locks the database from its first statement, and is atomic.

        If `synced`, it survives a power cut; otherwise it survives any process's end, and costs a tenth.
        """
        if self.read_only:
            raise StoreError(f"{self.path.parent} is read-only: its runs can be viewed, but not changed.")
        with self._connected() as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._in_words(), contextlib.ExitStack() as at_the_end:
            connection = sqlite3.connect(self._address(), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            at_the_end.callback(connection.close)
            connection.row_factory = sqlite3.Row
            connection.text_factory = _text
            if (version := connection.execute("PRAGMA user_version").fetchone()[0]) > VERSION:
                raise StoreError(
                    f"{self.path} was written by a newer Poolscope (store version {version}, this one knows {VERSION}): "
                    "update Poolscope, or choose another store."
                )
            yield connection

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(self._explained(str(error))) from error

    def _address(self) -> str:
        address = self.path.absolute().as_uri()
        if not self.read_only:
            return address
        # In a read-only folder SQLite can't create its log's files, and no other process writes. Elsewhere a worker may start
        # to write at any moment, so SQLite must not assume an immutable file.
        return f"{address}?mode=ro" + ("" if os.access(self.path.parent, os.W_OK) else "&immutable=1")

    def _explained(self, reason: str) -> str:
        if "locked" in reason or "busy" in reason:
            return f"{self.path} has been busy for {BUSY_SECONDS:.0f} seconds: close the program that holds it, then try again."
        if "full" in reason:
            return f"The disk is full, so {self.path} could not be written: free some space, then resume."
        if "readonly" in reason or "unable to open" in reason:
            return f"{self.path} can't be opened ({reason}): check the folder's permissions, or choose another with --store."
        return f"{self.path} is damaged or not a store ({reason}): restore it from a copy, or choose another with --store."


def _text(content: bytes) -> str:
    """Text that is not UTF-8, as in a damaged file, must not hide every other row."""
    return content.decode(errors="replace")
