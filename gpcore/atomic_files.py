"""Files that are there whole or not at all."""

import os
from pathlib import Path


def publish(temporary: Path, path: Path) -> None:
    """Rename a synced temporary file to its name, and make the rename itself survive a power cut."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
