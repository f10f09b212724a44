"""The folders of stores and datasets; paths are relative to the project's folder, not to the current one.

POOLSCOPE_STORE, POOLSCOPE_DATA and POOLSCOPE_CHECKPOINTS name other folders; results go to a folder that the user can write.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def project_folder() -> Path:
    """Returns the checkout of this code, or the current folder if it was installed without one."""
    return CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()


def user_folder() -> Path:
    """Returns the user's own folder, for files that can't be written into a read-only checkout."""
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "poolscope"


def cache_folder() -> Path:
    """Returns the folder for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "poolscope"


def store_folder() -> Path:
    """Returns the store to train into: POOLSCOPE_STORE, `runs` in the project, or the user's own if that is read-only."""
    return _named("POOLSCOPE_STORE") or _writable("runs")


def data_folder() -> Path:
    """Returns the folder of the datasets: POOLSCOPE_DATA, or `data` in the project."""
    return _named("POOLSCOPE_DATA") or project_folder() / "data"


def checkpoints_folder() -> Path:
    """Returns the store that ships with the project: POOLSCOPE_CHECKPOINTS, or `checkpoints` in the project."""
    return _named("POOLSCOPE_CHECKPOINTS") or project_folder() / "checkpoints"


def absolute(path: str | Path) -> Path:
    """Returns a path in its one spelling: from the project's folder, `~` expanded, without `..` or a slash at its end."""
    return Path(os.path.normpath(project_folder() / os.path.expanduser(path)))


def short(path: str | Path) -> str:
    """Returns a path as it is shown: relative to the project's folder where it lies inside, printable in any case."""
    path = Path(path)
    inside = path.relative_to(project_folder()) if path.is_relative_to(project_folder()) else path
    return printable(str(inside))


def printable(name: str) -> str:
    """Returns a file's name with a replacement character for every byte that is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return absolute(value) if value else None


def _writable(name: str) -> Path:
    folder = project_folder() / name
    nearest = folder if folder.exists() else folder.parent
    return folder if os.access(nearest, os.W_OK) else user_folder() / name
