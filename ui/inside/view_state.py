"""The state of the *Inside* page: two runs, an epoch, a layer and an image, all of them in the URL."""

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import streamlit as st

from gpcore.data.datasets import Dataset
from gpcore.errors import StoreError
from gpcore.insight.analysis import Analysis
from gpcore.insight.layer_maps import Layer
from gpcore.insight.perturbation import UNCHANGED, Change, changed
from gpcore.runs import selection
from gpcore.runs.run import Run
from gpcore.runs.selection import default_pair
from ui import links, shared_networks, widgets
from ui.inside import computed
from ui.inside.computed import Snapshot
from ui.inside.image_picker import Picked

SECONDS_PER_EPOCH = 0.6
"""How long each epoch is shown while the epochs play."""

NEWER_SECONDS = 2.0
"""Seconds between two checks for a new epoch of an active run."""

SCALES = {"each map": "map", "each network": "layer", "both": "both"}


@dataclass(frozen=True)
class Scene:
    """Two snapshots, first and second, of runs on one dataset, and the image for both."""

    snapshots: tuple[Snapshot, Snapshot]
    dataset: Dataset
    picked: Picked

    @cached_property
    def looks(self) -> list[Analysis]:
        return [
            Analysis(shared_networks.network(snapshot.run, snapshot.epoch), snapshot.run.recipe.output, self.picked.image)
            for snapshot in self.snapshots
        ]

    @cached_property
    def names(self) -> list[str]:
        """Each network's name: its pooling if the two differ in it, otherwise its title."""
        for names in ([look.network.head_title for look in self.looks], [run.record.title for run in self.runs]):
            if len(set(names)) == len(names):
                return names
        return [f"{names[0]} (left)", f"{names[1]} (right)"]

    @property
    def runs(self) -> tuple[Run, Run]:
        first, second = self.snapshots
        return first.run, second.run


def pick_runs(found: dict[str, Run]) -> tuple[Run, Run]:
    """Two runs on one dataset: the second box offers only what the first one can be compared with."""
    first_default, second_default = default_pair(found)
    left, right = st.columns(2)
    links.explain_choice("run", found, "run")
    with left:
        first = widgets.pick_run("First network", "run", found, first_default, lambda: _bring_twin(found))
    comparable = {key: run for key, run in found.items() if run.recipe.dataset == first.recipe.dataset}
    if first.recipe.dataset != found[second_default].recipe.dataset:
        second_default = default_pair(comparable)[1]
    links.explain_choice("run2", comparable, "second run")
    with right:
        second = widgets.pick_run("Second network", "run2", comparable, second_default)
    if second is first:  # the default can't depend on the first run: a link that leaves it out would open another one
        st.info("Both sides show the same run: choose another one to compare it with.", icon=":material/content_copy:")
    return first, second


def _bring_twin(found: dict[str, Run]) -> None:
    """Selects the matching second network when the first one changes."""
    if twin := selection.twin_of(found[st.session_state.run], found):
        st.session_state.run2 = twin


def pick_epoch(runs: Sequence[Run]) -> tuple[Snapshot, Snapshot]:
    """The epoch slider with its play button; a run that ended earlier stays at its last epoch.

    Of a study's runs only the last epoch may be kept: such a run stays there.
    """
    kept = [computed.kept_epochs(run) for run in runs]
    begin, last = min(epochs[0] for epochs in kept), max(epochs[-1] for epochs in kept)
    _follow_runs(tuple(run.id for run in runs), last)
    links.number_within("epoch", begin, last, "epoch")
    if last > begin:
        epoch = _epoch_slider(begin, last)
    else:
        epoch, st.session_state.playing = last, False  # other runs were playing before
    first, second = (
        Snapshot(run, max((each for each in epochs if each <= epoch), default=epochs[0]))
        for run, epochs in zip(runs, kept, strict=True)
    )
    return first, second


def _follow_runs(chosen: tuple[str, ...], last: int) -> None:
    """Shows the last epoch if the last epoch of other runs was shown; stays if the same runs have new epochs."""
    state = st.session_state
    before, before_last = state.get("epochs_of", (chosen, last))
    state.epochs_of = chosen, last
    if last != before_last:
        shown = state.get("epoch", before_last)
        state.epoch = last if before != chosen and shown == before_last else shown


def _epoch_slider(begin: int, last: int) -> int:
    slider, button = st.columns([1.7, 1], vertical_alignment="bottom")
    playing = st.session_state.get("playing", False)
    title, icon = ("Pause", ":material/pause:") if playing else ("Play", ":material/play_arrow:")
    button.button(title, icon=icon, help="All epochs, both networks in step", key="play", on_click=_toggle, args=(begin, last))
    return slider.slider("Epoch", begin, last, last, key="epoch", bind="query-params")


def offer_newer(snapshots: Sequence[Snapshot]) -> None:
    """Shows a button to an active run's newest epoch if another one is shown."""
    if any(snapshot.run.record.status == "running" for snapshot in snapshots) and not st.session_state.get("playing"):
        st.fragment(_offer_newer, run_every=NEWER_SECONDS)(snapshots)


def _offer_newer(snapshots: Sequence[Snapshot]) -> None:
    with contextlib.suppress(StoreError):  # it was deleted: the next drawing of the page shows that
        newest = max(snapshot.run.store.run(snapshot.run.id).epochs_done for snapshot in snapshots)
        _button_to(newest, max(snapshot.epoch for snapshot in snapshots))


def _button_to(newest: int, shown: int) -> None:
    def go() -> None:
        st.session_state.epoch = newest

    if newest > shown and st.button(f"A newer epoch is there: {newest}", icon=":material/fiber_new:", key="newer", on_click=go):
        st.rerun()  # the whole page, not this fragment alone


def _toggle(begin: int, last: int) -> None:
    st.session_state.playing = not st.session_state.get("playing", False)
    if st.session_state.playing and st.session_state.get("epoch", last) == last:
        st.session_state.epoch = begin


def keep_playing(runs: Sequence[Run]) -> None:
    """Moves to the next epoch in a moment while the epochs play; called last, so that a slow page is drawn to its end."""
    if st.session_state.get("playing"):
        st.session_state.epoch_turns_at = time.monotonic() + SECONDS_PER_EPOCH / 2
        st.fragment(_turn, run_every=SECONDS_PER_EPOCH)(max(computed.kept_epochs(run)[-1] for run in runs))


def _turn(last: int) -> None:
    """Moves to the next epoch when the timer fires, but not when the whole page runs."""
    if time.monotonic() < st.session_state.epoch_turns_at:
        return
    st.session_state.epoch = min(st.session_state.epoch + 1, last)
    st.session_state.playing = st.session_state.epoch < last
    st.rerun()


def pick_change(image: Picked) -> Picked:
    """Returns the image with the visitor's changes."""
    height, width = image.image.shape[2:]
    with st.popover("Change the image", icon=":material/tune:"):
        right = st.slider("Shift right", -width // 2, width // 2, 0, key="right", bind="query-params")
        down = st.slider("Shift down", -height // 2, height // 2, 0, key="down", bind="query-params")
        angle = st.slider("Rotate (degrees)", -180, 180, 0, key="turn", bind="query-params")
        scale = st.slider("Scale", 0.3, 2.0, 1.0, 0.05, key="zoom", bind="query-params")
        noise = st.slider("Noise (standard deviation)", 0.0, 0.5, 0.0, 0.01, key="noise", bind="query-params")
        columns = st.slider("Erase: from column, to column", 0, width, (0, 0), key="columns", bind="query-params")
        rows = st.slider("Erase: from row, to row", 0, height, (0, 0), key="rows", bind="query-params")
        st.button("Undo all", icon=":material/undo:", on_click=_undo)
    change = Change(right, down, float(angle), scale, noise, rows, columns)
    if change == UNCHANGED:
        return image
    return dataclasses.replace(image, image=changed(image.image, change), title=f"{image.title} (changed)")


def _undo() -> None:
    neutral = {"right": 0, "down": 0, "turn": 0, "zoom": 1.0, "noise": 0.0, "columns": (0, 0), "rows": (0, 0)}
    st.session_state.update(neutral)


def layers_of(snapshot: Snapshot, dataset: Dataset) -> list[Layer]:
    """The layers of a run, for images of its dataset."""
    channels, height, width = dataset.test.images.shape[1:]
    return computed.layers(snapshot, (channels, height, width))
