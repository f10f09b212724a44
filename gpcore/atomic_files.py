"""Atomic files: complete or absent."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


def publish(temporary: Path, path: Path) -> None:
    """Renames a synced temporary file to its final name, durably even if the power fails."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to be written, which gets its name once the context ends well, and is gone if it doesn't.

    What is no regular file, such as `/dev/stdout`, is written itself.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        publish(temporary, path.resolve() if path.is_symlink() else path)
    finally:
        temporary.unlink(missing_ok=True)
