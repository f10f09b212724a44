"""Networks and datasets that all visitors share."""

from pathlib import Path

import streamlit as st
import torch

from gpcore.data.datasets import Dataset, Split, test_split_only
from gpcore.instance import Instance
from gpcore.nets.network import Network
from gpcore.recipe import Recipe
from gpcore.runs.run import Run
from gpcore.training.features import feature_dataset, images_to_see
from ui import stores

# Each visitor has a thread, and for a single image a second core costs more than it gains: the first core waits for it while
# the browser draws there.
torch.set_num_threads(1)


def network(run: Run, epoch: int | None = None) -> Network:
    """Returns a run's network after an epoch, by default the last; loaded once for all visitors, so never change it.

    Raises:
        CheckpointError: there are no weights of that epoch, or they are damaged.
    """
    chosen = epoch or run.record.epochs_done
    path = run.store.weights(run.id, chosen)
    # The file's time is part of the key: a run that was deleted and trained again under the same name is another network.
    return _network(run, chosen, str(path.absolute()), path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_resource(max_entries=256, show_spinner=False)
def _network(_run: Run, epoch: int, path: str, written: int) -> Network:
    return _run.network(epoch)


def dataset(recipe: Recipe) -> Dataset:
    """The test images of a recipe's dataset, as its network takes them; its training images stay on the disk.

    Raises:
        DatasetError: it is missing or damaged, or a folder that visitors may not see.
    """
    Instance.read().check_dataset(recipe.dataset)
    return _dataset(recipe.but(pool="gap", seed=0) if recipe.frozen else recipe.dataset, str(stores.data_folder().absolute()))


@st.cache_resource(max_entries=4, show_spinner="Reading the dataset, which is downloaded first if it isn't here …")
def _dataset(asked: str | Recipe, folder: str) -> Dataset:
    return test_split_only(asked, Path(folder)) if isinstance(asked, str) else images_to_see(asked, Path(folder))


def inputs(run: Run, shown: Dataset) -> Split:
    """What to ask a run's network about all test images with: the images, or their features behind a frozen trunk."""
    return _features(run.recipe.trunk, shown.name, str(stores.data_folder().absolute())) if run.recipe.frozen else shown.test


@st.cache_resource(max_entries=4, show_spinner="Looking at all test images through the pretrained network, once …")
def _features(trunk: str, name: str, folder: str) -> Split:
    return feature_dataset(trunk, name, Path(folder), test_only=True).test
