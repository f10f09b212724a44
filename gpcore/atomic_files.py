"""Atomic files: complete or absent."""

import os
from pathlib import Path


def publish(temporary: Path, path: Path) -> None:
    """Renames a synced temporary file to its final name, durably even if the power fails."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
