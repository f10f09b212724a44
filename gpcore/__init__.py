"""gpcore: what global pooling does to a convolutional network, as a library. It never imports Streamlit.

    run = gpcore.open_run("checkpoints/article-gap-seed0")
    network = run.network(epoch=31)
    maps = network.maps(images)

Each public name is imported when it is first used, since PyTorch takes seconds to import.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpcore.data.datasets import load_dataset as load_dataset
    from gpcore.insight.evidence import evidence as evidence
    from gpcore.inspection.inspected import inspect as inspect
    from gpcore.inspection.which import which_pooling as which_pooling
    from gpcore.nets.pooling import AttentionPool as AttentionPool
    from gpcore.nets.pooling import AverageMaxPool as AverageMaxPool
    from gpcore.nets.pooling import AveragePool as AveragePool
    from gpcore.nets.pooling import GeneralisedMeanPool as GeneralisedMeanPool
    from gpcore.nets.pooling import LogSumExpPool as LogSumExpPool
    from gpcore.nets.pooling import MaxPool as MaxPool
    from gpcore.recipe import RECIPES as RECIPES
    from gpcore.recipe import Recipe as Recipe
    from gpcore.runs.run import open_run as open_run
    from gpcore.training.fit import fit as fit
    from gpcore.training.state import TrainingState as TrainingState

PUBLIC = {
    "RECIPES": "gpcore.recipe",
    "AttentionPool": "gpcore.nets.pooling",
    "AverageMaxPool": "gpcore.nets.pooling",
    "AveragePool": "gpcore.nets.pooling",
    "GeneralisedMeanPool": "gpcore.nets.pooling",
    "LogSumExpPool": "gpcore.nets.pooling",
    "MaxPool": "gpcore.nets.pooling",
    "Recipe": "gpcore.recipe",
    "TrainingState": "gpcore.training.state",
    "evidence": "gpcore.insight.evidence",
    "fit": "gpcore.training.fit",
    "inspect": "gpcore.inspection.inspected",
    "load_dataset": "gpcore.data.datasets",
    "open_run": "gpcore.runs.run",
    "which_pooling": "gpcore.inspection.which",
}
"""The public names and the modules that define them."""

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(PUBLIC[name]), name)
