"""The live part of the Train page: how far every run is, and its curves, while a worker trains it."""

import contextlib
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.errors import GpcoreError, StoreError
from gpcore.figures import training as figures
from gpcore.figures.training import Chart, Trace
from gpcore.insight.starvation import explained, starved_classes
from gpcore.runs.estimate import seconds_left
from gpcore.runs.records import Epoch, LossCurve, RunRecord
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from ui import cached, workers
from ui.wording import duration, plain

REFRESH_SECONDS = 0.5
"""Between two looks at the store: batches are reported every quarter of a second, so the page is under a second behind."""

EXPLAIN_SECONDS = 2.0
"""Between two looks at what changes with an epoch only."""

LISTED = 12
"""So many runs are shown with their progress; the others of a long queue are counted."""

POINTS = 400
"""Points of a loss curve: a chart is about so many pixels wide."""


def show_live(chosen: Sequence[str]) -> None:
    """Progress and curves of the chosen runs, and progress of all that are active; it moves for as long as any is."""
    active = _store().active()
    live = st.fragment(_show, run_every=REFRESH_SECONDS if active else None)
    live(tuple(chosen), _situation(active))


def _store() -> Store:
    """Opened for reading, as nothing is written here: that is quicker, and this happens twice a second."""
    return Store(cached.own_store_folder(), read_only=True)


def _situation(active: Sequence[RunRecord]) -> list[tuple[str, str, bool]]:
    """What the rest of the page depends on: when it changes, the whole page is drawn anew."""
    return [(run.id, run.status, run.stop_requested) for run in active]


def _show(chosen: Sequence[str], situation: list[tuple[str, str, bool]]) -> None:
    try:
        store = _store()
        active = store.active()
        if _situation(active) != situation:
            st.rerun()
        _start_workers(store)
        shown = [store.run(run) for run in chosen]
        _list_progress(active)
        _draw(store, shown)
    except GpcoreError as error:
        st.error(str(error), icon=":material/error:")


def _start_workers(store: Store) -> None:
    try:
        workers.start_missing(store)
    except StoreError as error:
        st.error(str(error), icon=":material/error:")
        st.button("Start it again", on_click=workers.forget_broken, args=(store,))


def _list_progress(active: Sequence[RunRecord]) -> None:
    queued = [run.id for run in active if run.status == "queued"]
    for run in active[:LISTED]:
        place = f"number {queued.index(run.id) + 1} in the queue" if run.id in queued else _doing(run)
        st.progress(run.done, text=f"**{plain(run.title)}** · {place}")
    if len(active) > LISTED:
        st.caption(f"… and {len(active) - LISTED} more in the queue")


def _doing(run: RunRecord) -> str:
    """What a run under way is doing, how fast, where, and for how much longer."""
    told = run.progress
    if run.stop_requested:
        return "stopping"
    if "step" not in told:
        return f"{told.get('doing', 'starting')} · {run.device or ''}"
    doing = "training" if told["doing"] == "training" else f"evaluating {told['evaluated']:.0%}"
    left = seconds_left(run)
    parts = [
        f"epoch {told['epoch']} of {run.recipe.epochs}, {doing}",
        f"{told['images_per_second']:,.0f} images/s" if "images_per_second" in told else "",
        f"{duration(left)} left" if left is not None else "",
        run.device or "",
    ]
    return " · ".join(part for part in parts if part)


def _draw(store: Store, shown: Sequence[RunRecord]) -> None:
    traces = [_trace(store, run) for run in shown]
    left, right = st.columns(2)
    _chart(left, figures.batch_losses(traces), "live-losses", "The loss of every batch is drawn here.")
    _chart(right, figures.accuracies(traces), "live-accuracies", "Accuracies are drawn here after every epoch.")
    st.caption(
        "Validation accuracy is drawn strong, training accuracy thin. "
        "Drag moves a chart along, Ctrl and the wheel zoom, a double click shows all of it again."
    )
    more = st.expander("Learning rate and seconds per epoch", key="live-more", on_change="rerun")
    if more.open:
        left, right = more.columns(2)
        _chart(left, figures.per_epoch(traces, "learning_rate"), "live-rates", "Drawn after every epoch.")
        _chart(right, figures.per_epoch(traces, "seconds"), "live-seconds", "Drawn after every epoch.")


def _chart(place: DeltaGenerator, chart: Chart, key: str, promise: str) -> None:
    """A chart, or, as long as it would be empty, what it promises to hold, in as much room."""
    if not chart.data["x"]:
        middle = place.container(height=figures.HEIGHT, horizontal_alignment="center", vertical_alignment="center")
        middle.caption(promise, width="content")
        return
    # Streamlit forgets a zoom with the next data unless the zoom is a selection that it reports.
    place.vega_lite_chart(
        chart.data, chart.specification, width="stretch", key=key, on_select="rerun", selection_mode=[figures.ZOOM["name"]]
    )


def _trace(store: Store, run: RunRecord) -> Trace:
    losses, epochs = _read(store, str(store.folder), run.id, run.created, run.progress.get("step", 0), run.epochs_done)
    return Trace(run.title, run.recipe.pool, losses, epochs)


@st.cache_data(max_entries=64, show_spinner=False)
def _read(_store: Store, folder: str, run: str, created: float, step: int, epochs_done: int) -> tuple[LossCurve, list[Epoch]]:
    """A run's curves, read once for every step that it reaches however many look."""
    return _store.loss_curve(run, at_most=POINTS), _store.epochs(run)


def explain(chosen: Sequence[str]) -> None:
    """Say of every run what its curves don't: what was damaged, which classes starve.

    Apart from the rest, to stand below the buttons: what comes and goes above one moves it away from under the pointer.
    """
    st.fragment(_explain, run_every=EXPLAIN_SECONDS if _store().active() else None)(tuple(chosen))


def _explain(chosen: Sequence[str]) -> None:
    store = _store()
    with contextlib.suppress(GpcoreError):  # the live part shows what is wrong
        for run in [store.run(run) for run in chosen]:
            if notice := run.progress.get("notice"):
                st.warning(f"**{plain(run.title)}**: {notice}")
            if run.last and (sentence := explained(starved_classes(run.last.confusion, Run(store, run).classes))):
                st.info(f"**{plain(run.title)}** {sentence}", icon=":material/trending_flat:")
