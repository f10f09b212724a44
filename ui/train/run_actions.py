"""The actions on runs on the Train page: choose, stop, resume, extend, repeat, rename and delete them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, get_args

import pandas as pd
import streamlit as st

from gpcore.errors import GpcoreError
from gpcore.instance import Instance
from gpcore.recipe import Pool, shown_dataset
from gpcore.runs import launcher
from gpcore.runs.records import RunRecord
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from ui import links, stores
from ui.wording import duration, plain

CHOSEN = "runs"
"""The key of the chosen runs in the link."""

SHOWN = 8
"""Most runs that are drawn when none is chosen."""

MARKS = {"queued": ":gray", "running": ":blue", "finished": ":green", "stopped": ":orange", "failed": ":red"}


def choose_runs(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Returns the runs to draw: those in the link, else active ones, else the newest; each with its pair."""
    known = {run.id: run for run in records}
    links.explain_choice(CHOSEN, known, "run")
    chosen = st.multiselect(
        "Runs to look at",
        list(reversed(known)),
        format_func=lambda run: known[run].title,
        key=CHOSEN,
        bind="query-params",
        placeholder="the runs being trained, or else the newest",
    )
    return [known[run] for run in chosen] or _default(records)


def _default(records: Sequence[RunRecord]) -> list[RunRecord]:
    running = [run for run in records if run.status == "running"]
    queued = [run for run in records if run.status == "queued"]
    chosen = running or queued[:1] or records[-1:]
    pairs = {run.pair for run in chosen if run.pair}
    return [run for run in records if run in chosen or run.pair in pairs][:SHOWN]


def twin_of(run: RunRecord, shown: Sequence[RunRecord]) -> RunRecord:
    """Returns the other run of its pair, if that is shown and has an epoch; otherwise the run itself."""
    return next((each for each in shown if run.pair and each.pair == run.pair and each != run and each.epochs_done), run)


def show_actions(run: RunRecord, twin: RunRecord) -> None:
    """Shows a run's state and its possible actions; `twin` is the run to compare it with."""
    accuracy = f" · {run.last.validation_accuracy:.1%}" if run.last else ""
    figures = f"{run.epochs_done} of {run.recipe.epochs} epochs{accuracy}"  # the live part shows them for a run in training
    state = f"{MARKS[run.status]}-badge[{run.status}] {figures if run.status not in ('queued', 'running') else ''}"
    st.markdown(f"**{plain(run.title)}** {state}")
    with st.container(horizontal=True, key=f"actions-{run.id}"):
        if run.status in ("queued", "running"):
            _button(run, "Stop", "stop", Store.request_stop, "Keeps everything so far; you can resume it later")
        else:
            if run.epochs_done < run.recipe.epochs:
                _button(run, "Resume", "play_arrow", Store.resume, "Continues exactly where it stopped")
            _ask_epochs(run)
        _ask_pool(run)
        _ask_title(run)
        if Instance.read().allows("delete"):
            _ask_deletion(run)
    if run.epochs_done:
        show_ways_on(run, twin)
    if run.error:
        st.error(f"It {'failed' if run.status == 'failed' else 'was ended'}: {plain(run.error)}", icon=":material/error:")


def show_ways_on(run: RunRecord, twin: RunRecord) -> None:
    """Shows links from a trained run to the other pages, and its network as a file; `twin` is the run beside it."""
    first, second = (f"{stores.own_store_folder().name}/{each.id}" for each in (run, twin))
    pages: dict[str, tuple[str, str, dict[str, str | list[str]]]] = {
        "inside": ("Look inside", "grid_on", {"run": first, "run2": second}),
        "compare": ("Compare", "balance", {"runs": list(dict.fromkeys([first, second]))}),
        "classify": ("Classify with it", "photo_camera", {"first": first, "second": second}),
    }
    with st.container(horizontal=True, key=f"ways-{run.id}"):
        for page, (title, icon, asked) in pages.items():
            if st.button(title, key=f"{page}-{run.id}", icon=f":material/{icon}:", type="tertiary"):
                st.switch_page(links.page_file(page), query_params=asked)
        st.download_button(
            "Export ONNX",
            lambda: as_onnx(run),
            f"{run.id}.onnx",
            key=f"onnx-{run.id}",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )


def as_onnx(record: RunRecord) -> bytes:
    """Returns a run's last network as the content of an ONNX file."""
    from gpcore.nets.onnx import onnx_bytes  # it imports PyTorch's exporter, which nothing else here needs

    run = Run(stores.own_store(), record)
    return onnx_bytes(run.network(), run.recipe, run.classes, run.image_shape)


def _button(run: RunRecord, title: str, icon: str, action: Callable[[Store, str], object], help_: str) -> None:
    st.button(
        title,
        key=f"{title}-{run.id}",
        icon=f":material/{icon}:",
        help=help_,
        on_click=attempt,
        args=(lambda store: action(store, run.id),),
    )


def _ask_epochs(run: RunRecord) -> None:
    key = f"epochs-{run.id}"

    def extend(store: Store) -> None:
        store.extend(run.id, st.session_state[key])
        store.resume(run.id)

    with _popover(run, "Extend", "add"):
        if run.recipe.schedule == "one-cycle":
            st.caption("The learning rate then follows the longer cycle, which differs from training that long from the start.")
        st.number_input("Epochs in all", value=run.recipe.epochs + 10, step=1, key=key)
        _confirm(run, "Extend", "Go on", extend)


def _ask_pool(run: RunRecord) -> None:
    key = f"pool-{run.id}"
    others = [pool for pool in get_args(Pool) if pool != run.recipe.pool]
    with _popover(run, "Again", "repeat", help="Run again with another pooling"):
        st.pills("With another pooling", others, default=others[0], required=True, format_func=str.upper, wrap=True, key=key)
        _confirm(run, "Again", "Train it", lambda store: store.add_twin(run.id, st.session_state[key]))


def _ask_title(run: RunRecord) -> None:
    key = f"title-{run.id}"
    with _popover(run, "Rename", "edit"):
        st.text_input("Title", run.title, max_chars=100, key=key)
        _confirm(run, "Rename", "Rename", lambda store: store.rename(run.id, st.session_state[key]))


def _ask_deletion(run: RunRecord) -> None:
    with _popover(run, "Delete", "delete"):
        st.write(f"Delete **{plain(run.title)}** with the weights of its {run.epochs_done} epochs, for good?")
        _confirm(run, "Delete", "Delete it", lambda store: store.delete(run.id))


def _popover(run: RunRecord, name: str, icon: str, help: str | None = None) -> AbstractContextManager[Any]:
    return st.popover(name, icon=f":material/{icon}:", help=help, key=f"{name}-of-{run.id}", on_change="rerun")


def _confirm(run: RunRecord, popover: str, title: str, action: Callable[[Store], object]) -> None:
    """Shows the button that performs a popover's action with its current values, and closes it."""

    def follow() -> None:
        attempt(action)
        st.session_state[f"{popover}-of-{run.id}"] = False

    st.button(title, key=f"{popover.lower()}-{run.id}", type="primary", on_click=follow)


def attempt(action: Callable[[Store], object]) -> None:
    """Performs a click's action before the page is redrawn; an error is shown there.

    The action reads values from the session's state, since they may have been typed after the page was drawn.
    """
    try:
        action(stores.own_store())
    except GpcoreError as error:
        st.session_state["refused"] = str(error)


def show_refusal() -> None:
    """Shows why the last click failed."""
    if refused := st.session_state.pop("refused", None):
        st.error(plain(refused), icon=":material/error:")


def ask_about_all(store: Store) -> None:
    """What can be done with all runs at once."""
    with st.container(horizontal=True):
        st.button(
            "Stop all", icon=":material/stop_circle:", on_click=attempt, args=(Store.stop_all,), help="Keeps all that is done"
        )
        clear = "Runs that never began are deleted; those being trained go on"
        st.button("Clear queue", icon=":material/playlist_remove:", on_click=attempt, args=(Store.clear_queue,), help=clear)
    if Instance.read().allows("change how many runs train at once"):
        _ask_parallel(store)


def _ask_parallel(store: Store) -> None:
    """How many runs train at once on this machine."""
    default = launcher.default_parallel()
    chosen = st.number_input(
        "Runs at once",
        min_value=1,
        max_value=max(1, Instance.read().parallel),
        value=min(launcher.parallel(store), max(1, Instance.read().parallel)),
        help=f"Each trains in its own process, on one core if there is no accelerator; {default} is right for this machine.",
    )
    if chosen != launcher.parallel(store):
        store.set_parallel(None if chosen == default else chosen)


def show_table(records: Sequence[RunRecord]) -> None:
    """All runs, the newest first."""
    rows = [
        {
            "run": run.title,
            "status": run.status,
            "pooling": run.recipe.pool.upper(),
            "recipe": run.recipe.name,
            "dataset": shown_dataset(run.recipe.dataset),
            "epochs": f"{run.epochs_done} / {run.recipe.epochs}",
            "accuracy": run.last.validation_accuracy if run.last else None,
            "best": run.best_accuracy,
            "time": duration(run.seconds),
            "queued": pd.Timestamp(run.created, unit="s"),
        }
        for run in reversed(records)
    ]
    percent = st.column_config.NumberColumn(format="percent")
    st.dataframe(rows, hide_index=True, height=320, column_config={"accuracy": percent, "best": percent})
