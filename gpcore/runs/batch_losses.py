"""Batch losses in the database: aligned rows of many steps, each with its mean, minimum and maximum.

Rows are aligned, so that writing the same steps again overwrites them. They are summarised, so that a curve of a million
batches is drawn from a few thousand rows.
"""

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from gpcore.runs.records import LossCurve, Phase

CHUNK = 256
"""Steps that share a row."""


def write_losses(connection: sqlite3.Connection, run: str, phase: Phase, first_step: int, losses: Sequence[float]) -> None:
    """Writes the losses of consecutive steps into their rows, keeping the rows' other losses."""
    written, values = 0, np.asarray(losses, np.float32)
    while written < len(values):
        chunk, offset = divmod(first_step + written, CHUNK)
        part = values[written : written + CHUNK - offset]
        before = _row(connection, run, phase, chunk)
        row = np.concatenate([before[:offset], part, before[offset + len(part) :]])
        connection.execute(
            "INSERT OR REPLACE INTO batch_losses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run, phase, chunk, len(row), float(row.mean()), float(row.min()), float(row.max()), row.tobytes()),
        )
        written += len(part)


def read_losses(connection: sqlite3.Connection, run: str, phase: Phase) -> Iterator[tuple[int, float]]:
    """Yields every step in order, counted from 0, with its loss."""
    for chunk, losses in connection.execute(f"SELECT chunk, losses {ROWS}", (run, phase)):
        yield from enumerate(np.frombuffer(losses, np.float32).tolist(), start=chunk * CHUNK)


def count_losses(connection: sqlite3.Connection, run: str, phase: Phase) -> int:
    """Returns how many steps have a loss."""
    last = connection.execute(f"SELECT chunk, count {ROWS} DESC LIMIT 1", (run, phase)).fetchone()
    return last["chunk"] * CHUNK + last["count"] if last else 0


def read_curve(connection: sqlite3.Connection, run: str, phase: Phase, at_most: int) -> LossCurve:
    """Returns the losses as at most `at_most` points, each the mean, minimum and maximum of neighbouring steps."""
    rows = connection.execute(f"SELECT count(*) {ROWS}", (run, phase)).fetchone()[0]
    if rows >= at_most:  # the rows' summaries are fine enough; the losses themselves are not read
        query = f"SELECT chunk * {CHUNK}, mean, low, high {ROWS}"
        steps, mean, low, high = np.array([tuple(row) for row in connection.execute(query, (run, phase))]).T
    else:
        parts = [np.frombuffer(row["losses"], np.float32) for row in connection.execute(f"SELECT losses {ROWS}", (run, phase))]
        mean = low = high = np.concatenate(parts, dtype=np.float64) if parts else np.zeros(0)
        steps = np.arange(len(mean))
    return _thinned(steps, mean, low, high, at_most)


ROWS = "FROM batch_losses WHERE run = ? AND phase = ? ORDER BY chunk"


def _row(connection: sqlite3.Connection, run: str, phase: Phase, chunk: int) -> np.ndarray:
    query = "SELECT losses FROM batch_losses WHERE run = ? AND phase = ? AND chunk = ?"
    row = connection.execute(query, (run, phase, chunk)).fetchone()
    return np.frombuffer(row["losses"], np.float32) if row else np.zeros(0, np.float32)


def _thinned(steps: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray, at_most: int) -> LossCurve:
    if not len(steps):
        return LossCurve([], [], [], [])
    # Group sizes are powers of two, so that a growing curve keeps its points and two runs share theirs.
    starts = np.arange(0, len(steps), 1 << (-(-len(steps) // at_most) - 1).bit_length())
    sizes = np.diff(np.append(starts, len(steps)))
    return LossCurve(
        steps[starts].astype(int).tolist(),
        (np.add.reduceat(mean, starts) / sizes).tolist(),
        np.minimum.reduceat(low, starts).tolist(),
        np.maximum.reduceat(high, starts).tolist(),
    )
