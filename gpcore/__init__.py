"""gpcore: what global pooling does to a convolutional network, as a library. It never imports Streamlit."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpcore.inspection.inside import inspect as inspect
    from gpcore.runs.run import Run

__all__ = ["inspect", "open_run"]

LAZY = {"inspect": "gpcore.inspection.inside"}
"""Names of the package and the modules that hold them: PyTorch takes seconds to import, so each is imported when asked for."""


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name]), name)


def open_run(run: str | Path, store: str | Path = "runs") -> "Run":
    """A run by the path of its folder, or by its id in `store`: its recipe, its epochs and `network(epoch=None)`.

        run = gpcore.open_run("checkpoints/article-gap-seed0")
        maps = run.network().maps(images)

    Raises:
        StoreError: there is no such run.
    """
    from gpcore.runs.run import open_run as opened  # PyTorch takes seconds to import: not for whoever only wants a name

    return opened(run, store)
