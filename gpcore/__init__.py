"""gpcore: what global pooling does to a convolutional network, as a library. It never imports Streamlit."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpcore.runs.run import Run

__all__ = ["open_run"]


def open_run(run: str | Path, store: str | Path = "runs") -> "Run":
    """A run by the path of its folder, or by its id in `store`: its recipe, its epochs and `network(epoch=None)`.

        run = gpcore.open_run("checkpoints/article-gap-seed0")
        maps = run.network().maps(images)

    Raises:
        StoreError: there is no such run.
    """
    from gpcore.runs.run import open_run as opened  # PyTorch takes seconds to import: not for whoever only wants a name

    return opened(run, store)
