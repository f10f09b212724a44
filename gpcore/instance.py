"""An instance's settings for its visitors: its mode, its limits, the folders that it reads and the names that it answers to.

The settings are in one file, `poolscope.toml`, and in environment variables such as `POOLSCOPE_MODE`, which take precedence.
They apply to visitors of the pages; the command line is the owner's.
"""

import logging
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from gpcore.errors import DatasetError, NotAllowedError, SettingsError
from gpcore.recipe import FOLDER_PREFIX, Recipe, folder_settings

Mode = Literal["demo", "train", "own"]
Action = Literal["train", "stop", "resume", "extend", "rename", "delete", "change how many runs train at once"]

FILE = "poolscope.toml"
PREFIX = "POOLSCOPE_"

ALLOWED: dict[Mode, tuple[Action, ...]] = {
    "demo": (),
    "train": ("train", "stop", "resume", "extend", "rename"),
    "own": get_args(Action),
}
"""What visitors may do with runs, by mode."""

DEFAULTS: dict[Mode, dict[str, Any]] = {
    "demo": {"pictures": 24, "upload_mb": 60.0, "visitors": 200},
    "train": {"queue": 40, "epochs": 100, "disk_gb": 10.0, "pictures": 60},
    "own": {"folders": (str(Path.home()), str(Path.cwd()))},
}
"""Each mode's differences from the defaults of `Instance`."""

RUN_YOUR_OWN = "To train, run your own: `git clone` the project, then `make app`."

LOG = logging.getLogger("gpcore.asked")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """The settings of an instance, each with its environment variable: `POOLSCOPE_` and the name in capitals.

    `hosts` are further names that it answers to (`*`: any), `frame_ancestors` the pages that may embed it, as in a content
    security policy, and `folders` those under which `folder:PATH` is read. `queue` counts runs, `epochs` those of one run,
    `disk_gb` bounds the store with what is queued, `worker_memory_gb` one worker (0: nine tenths of the machine).
    `pictures`, `upload_mb` are of one visitor, `uploads_mb` of all.
    """

    mode: Mode = "own"
    token: str = ""
    hosts: tuple[str, ...] = ()
    frame_ancestors: str = "'self'"
    store: str = "runs"
    checkpoints: str = "checkpoints"
    data: str = "data"
    folders: tuple[str, ...] = ()
    queue: int = 500
    epochs: int = 10_000
    parallel: int = 64
    disk_gb: float = 100.0
    worker_memory_gb: float = 0.0
    pictures: int = 200
    upload_mb: float = 400.0
    uploads_mb: float = 1000.0
    visitors: int = 500

    @classmethod
    def read(cls, file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """Returns the settings of the file, if it is there, and of the environment.

        Raises:
            SettingsError: an unknown name, or a value that is not allowed.
        """
        given = _of_file(file or Path(environment.get(f"{PREFIX}SETTINGS", FILE)))
        kinds = {spec.name: spec.type for spec in fields(cls)}
        if unknown := given.keys() - kinds:
            raise SettingsError(f"{FILE} has no setting {min(unknown)!r}: its settings are {', '.join(kinds)}.")
        given |= {name: environment[PREFIX + name.upper()] for name in kinds if PREFIX + name.upper() in environment}
        if (mode := given.get("mode", "own")) not in DEFAULTS:
            raise SettingsError(f"mode is {mode!r}: choose one of {', '.join(DEFAULTS)}.")
        return cls(**DEFAULTS[mode] | {name: _typed(name, value, kinds[name]) for name, value in given.items()})

    def allows(self, action: Action) -> bool:
        """Returns whether visitors may do this."""
        return action in ALLOWED[self.mode]

    def reads(self, folder: Path) -> bool:
        """Returns whether visitors may name a folder: links are resolved first."""
        real = Path(os.path.realpath(folder))
        return any(real.is_relative_to(os.path.realpath(root)) for root in (self.data, *self.folders))

    def check_dataset(self, name: str) -> None:
        """Raises DatasetError for a folder outside those that visitors may name; the error reveals nothing about it."""
        if name.startswith(FOLDER_PREFIX) and not self.reads(Path(folder_settings(name)[0])):
            raise DatasetError(
                f"{name} is outside the folders that this instance reads: put the images under one of those, or add "
                f"the folder to `folders` in {FILE} (POOLSCOPE_FOLDERS), which its owner can do."
            )


@dataclass(frozen=True)
class Visitor:
    """A visitor of the pages, and the instance."""

    instance: Instance
    name: str = "a visitor"

    def check(self, action: Action, subject: str) -> None:
        """Raises NotAllowedError unless visitors may do this; logs the request."""
        allowed = self.instance.allows(action)
        LOG.info("%s: %s %r%s", self.name, action, subject, "" if allowed else " (refused)")
        if not allowed:
            raise NotAllowedError(
                f"Visitors of this instance can't {action} (it runs in {self.instance.mode} mode). {RUN_YOUR_OWN}"
            )

    def check_recipe(self, recipe: Recipe, queued: int, gigabytes: Callable[[], float]) -> None:
        """Raises a GpcoreError if the limits have no room for a run; `gigabytes` counts what is kept and what is queued."""
        limits = self.instance
        limits.check_dataset(recipe.dataset)
        if recipe.epochs > limits.epochs:
            raise NotAllowedError(f"epochs is {recipe.epochs:,}: a run has at most {limits.epochs:,} epochs on this instance.")
        if queued >= limits.queue:
            raise NotAllowedError(f"{queued:,} runs wait already, as many as this instance allows: try again later.")
        if (used := gigabytes()) > limits.disk_gb:
            raise NotAllowedError(f"The runs kept and queued take {used:.1f} of {limits.disk_gb:.1f} GB: delete some first.")


def _of_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} can't be read ({error}): correct it, or remove it.") from error


def _typed(name: str, value: Any, kind: Any) -> Any:
    """A setting as its type; lists are separated by commas in the environment, and by the path separator for folders."""
    if kind == tuple[str, ...]:
        parts = value.split(os.pathsep if name == "folders" else ",") if isinstance(value, str) else value
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if kind not in (int, float):
        return str(value)
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = -1
    if not number >= 0:
        raise SettingsError(f"{name} is {value!r}: give a number of 0 or more.")
    return number
