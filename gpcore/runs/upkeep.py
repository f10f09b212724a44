"""Checks a store after crashes, and repairs everything that needs no decision."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from gpcore.errors import StoreError
from gpcore.runs.claims import requeue_orphans
from gpcore.runs.records import RUN_ID
from gpcore.runs.store import Store

OURS = re.compile(r"\.?(epoch|state|calibration)-\d+\.(safetensors|json)(\.[0-9a-f]{8})?")
"""Names of the files in a run's folder; one that begins with a dot was being written."""

LEFT_SECONDS = 3600.0
"""A file that was being written so long ago is not written any more."""


def repair(store: Store, thorough: bool = True) -> Iterator[str]:
    """Repairs a store; yields a sentence for all that was repaired or freed, and for all that a person has to decide.

    Runs whose worker died wait again, folders of deleted runs and unfinished files are removed. Links are not followed, and
    folders that hold other files are left alone. If `thorough`, the database and every run's weights are looked at too.
    """
    if thorough:
        yield from store.check_database()
    yield from store.damaged()
    before = store.counts().get("queued", 0)
    with store.changing() as connection:
        requeue_orphans(connection, store.folder)
    if more := store.counts().get("queued", 0) - before:
        yield f"{more} runs whose worker died wait for another one."
    folders = [path for path in store.folder.iterdir() if path.is_dir() and not path.is_symlink()]
    known = store.ids()  # after the folders: a run is known before its folder is there
    for folder in folders:
        yield from _remove_orphan(folder) if folder.name not in known else _remove_unfinished(folder)
    if thorough:
        yield from _missing_weights(store)


def _remove_orphan(folder: Path) -> Iterator[str]:
    if not RUN_ID.fullmatch(folder.name):
        return
    files = list(folder.iterdir())
    if not all(OURS.fullmatch(path.name) and path.is_file() and not path.is_symlink() for path in files):
        yield f"{folder} belongs to no run, but holds other files: look at it, and remove it yourself."
        return
    size = sum(path.stat().st_size for path in files)
    shutil.rmtree(folder, ignore_errors=True)
    yield f"{folder} belonged to no run and was removed: {size / 1e6:,.1f} MB freed."


def _remove_unfinished(folder: Path) -> Iterator[str]:
    for path in folder.glob(".*"):
        status = path.lstat()
        if OURS.fullmatch(path.name) and time.time() - status.st_mtime > LEFT_SECONDS:
            path.unlink(missing_ok=True)
            yield f"{path} was never finished and was removed: {status.st_size / 1e6:,.1f} MB freed."


def _missing_weights(store: Store) -> Iterator[str]:
    for run in store.runs():
        try:
            if run.epochs_done and not store.weights(run.id, run.epochs_done).is_file():
                yield f"{run.id} lacks the weights of its last epoch {run.epochs_done}: restore them, or delete the run."
        except StoreError as error:
            yield str(error)
