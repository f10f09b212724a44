"""Results of *Inside* that are computed once for all visitors: class maps of all test images, and all epochs of a run."""

from dataclasses import dataclass

import streamlit as st
from jaxtyping import Float
from torch import Tensor

from gpcore.data.datasets import Dataset
from gpcore.insight import layer_maps, placement, swap
from gpcore.insight.disagreement import Answers, Disagreement, answers_of
from gpcore.insight.history import History, history
from gpcore.insight.layer_maps import Layer
from gpcore.runs.run import Run
from ui import shared_networks


@dataclass(frozen=True)
class Snapshot:
    """A run after an epoch, with its weights file: if the file is rewritten, it is another snapshot."""

    run: Run
    epoch: int

    @property
    def key(self) -> tuple[str, int]:
        path = self.run.store.weights(self.run.id, self.epoch)
        return str(path.absolute()), path.stat().st_mtime_ns if path.exists() else 0


def layers(snapshot: Snapshot, image_shape: tuple[int, int, int]) -> list[Layer]:
    """The layers of a run's network; the same in every epoch."""
    return _layers(snapshot, image_shape, snapshot.key)


@st.cache_data(max_entries=64, show_spinner=False)
def _layers(_snapshot: Snapshot, image_shape: tuple[int, int, int], key: tuple[str, int]) -> list[Layer]:
    return layer_maps.layers(shared_networks.network(_snapshot.run, _snapshot.epoch), image_shape)


def class_maps(snapshot: Snapshot, dataset: Dataset) -> Float[Tensor, "n classes rows columns"]:
    """The class maps of every test image: 3.6 MB for 10,000 of them. Shared, so never change it."""
    return _class_maps(snapshot, dataset, snapshot.key, dataset.name)


@st.cache_resource(max_entries=32, show_spinner="Computing all test images …")
def _class_maps(_snapshot: Snapshot, _dataset: Dataset, key: tuple[str, int], name: str) -> Tensor:
    return layer_maps.all_class_maps(
        shared_networks.network(_snapshot.run, _snapshot.epoch), shared_networks.inputs(_snapshot.run, _dataset)
    )


def curve(snapshot: Snapshot, dataset: Dataset, output: str) -> list[float]:
    """The accuracy over the test images with every pooling from the mean to the maximum."""
    return _curve(snapshot, dataset, output, snapshot.key, dataset.name)


@st.cache_data(max_entries=256, show_spinner="Pooling all test images again …")
def _curve(_snapshot: Snapshot, _dataset: Dataset, output: str, key: tuple[str, int], name: str) -> list[float]:
    return swap.accuracy_curve(class_maps(_snapshot, _dataset), _dataset.test.labels, output)  # type: ignore[arg-type]


def disagreement(first: Snapshot, second: Snapshot, dataset: Dataset) -> Disagreement:
    """Returns two networks' answers to all test images."""
    return Disagreement(dataset.test.labels, _answers_of(first, dataset), _answers_of(second, dataset))


def _answers_of(snapshot: Snapshot, dataset: Dataset) -> Answers:
    return answers_of(scores(snapshot, dataset), dataset.test.labels, snapshot.run.recipe.output)


def scores(snapshot: Snapshot, dataset: Dataset) -> Float[Tensor, "n classes"]:
    """Returns a network's scores of all test images. Shared, so never change it."""
    network = shared_networks.network(snapshot.run, snapshot.epoch)
    if network.has_class_maps:
        return network.pool(class_maps(snapshot, dataset))
    return _scores(snapshot, dataset, snapshot.key, dataset.name)


@st.cache_resource(max_entries=32, show_spinner="Computing all test images …")
def _scores(_snapshot: Snapshot, _dataset: Dataset, key: tuple[str, int], name: str) -> Tensor:
    return layer_maps.all_scores(
        shared_networks.network(_snapshot.run, _snapshot.epoch), shared_networks.inputs(_snapshot.run, _dataset)
    )


def moved_scores(snapshot: Snapshot, dataset: Dataset) -> Float[Tensor, "n classes"]:
    """Returns the scores of all test images if the network pooled its features.

    Raises:
        InsightError: its pooling can't be moved there.
    """
    return _moved_scores(snapshot, dataset, snapshot.key, dataset.name)


@st.cache_resource(max_entries=32, show_spinner="Computing all test images …")
def _moved_scores(_snapshot: Snapshot, _dataset: Dataset, key: tuple[str, int], name: str) -> Tensor:
    return layer_maps.all_scores(
        placement.moved(shared_networks.network(_snapshot.run, _snapshot.epoch)),
        shared_networks.inputs(_snapshot.run, _dataset),
    )


def kept_epochs(run: Run) -> list[int]:
    """Returns the epochs whose weights exist; without any, the last one, whose loading then explains what is missing."""
    return [epoch for epoch in run.saved_epochs if epoch <= run.record.epochs_done] or [run.record.epochs_done]


def all_epochs(run: Run) -> History:
    """A run's network after each of its kept epochs."""
    epochs = kept_epochs(run)
    return _all_epochs(run, epochs, Snapshot(run, epochs[-1]).key)


@st.cache_resource(max_entries=16, show_spinner="Reading every epoch …")
def _all_epochs(_run: Run, epochs: list[int], key: tuple[str, int]) -> History:
    return history([_run.network(epoch) for epoch in epochs])
