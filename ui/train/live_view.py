"""The live part of the Train page: progress and curves of every run while a worker trains it."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from gpcore.drawing import charts
from gpcore.errors import GpcoreError
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from gpcore.verdicts.starvation import at_chance, explained, starved_classes
from ui import started_workers, stores
from ui.train.live_feed import situation, start_workers
from ui.wording import plain

EXPLAIN_SECONDS = 15.0
"""Seconds between two checks of values that change once per epoch."""

HTML = """
<div class="live">
  <div class="trouble" role="alert" hidden></div>
  <div class="runs"></div>
  <div class="charts"></div>
  <p>Validation accuracy is drawn strong, training accuracy thin. Drag across a part of a chart to enlarge it; a double click
    shows all of it again. A click on a name hides its curve.</p>
  <details><summary>Learning rate and seconds per epoch</summary><div class="charts"></div></details>
</div>
"""

CSS = """
.live { color: var(--st-text-color); font-family: var(--st-font); font-size: 14px; }
.live .trouble { padding: 12px; border-radius: 8px; margin-bottom: 12px; background: var(--st-red-background-color);
  color: var(--st-red-text-color); }
.live .run { margin-bottom: 12px; overflow-wrap: anywhere; }
.live .bar { height: 8px; margin-top: 4px; border-radius: 4px; overflow: hidden;
  background: var(--st-secondary-background-color); }
.live .bar div { height: 100%; background: var(--st-primary-color); }
.live .idle .bar { visibility: hidden; }
.live p { opacity: 0.65; }
.live summary { cursor: pointer; margin-bottom: 8px; }
"""

_mounted = st.components.v2.component(
    "poolscope_live",
    html=HTML,
    css=charts.stylesheet() + CSS,
    js=charts.script() + Path(__file__).with_suffix(".js").read_text("utf-8"),
)


def show_live(chosen: Sequence[str]) -> None:
    """Shows progress and curves of the chosen runs, and progress of all active ones, and updates them.

    It polls `ui/train/live_feed.py`, and redraws the page when a run starts, ends or joins the queue.
    """
    store = _store()
    active = store.active()
    trouble = start_workers(store) if active else ""
    if trouble:
        st.error(plain(trouble), icon=":material/error:")
        st.button("Start it again", on_click=started_workers.forget_broken, args=(store,))
    # The theme is part of the data, since the axes have its colours.
    asked = {"runs": list(chosen), "situation": situation(active, trouble), "theme": st.context.theme.type}
    _mounted(data=asked, key="live", on_situation_change=lambda: None)


def _store() -> Store:
    """Opens the store read-only, which is faster."""
    return Store(stores.own_store_folder(), read_only=True)


def explain(chosen: Sequence[str]) -> None:
    """Shows what the curves of a run don't: damage, and starved classes.

    It is below the buttons, because a message that appears above a button moves it away from the pointer.
    """
    st.fragment(_explain, run_every=EXPLAIN_SECONDS if _store().active() else None)(tuple(chosen))


def _explain(chosen: Sequence[str]) -> None:
    with contextlib.suppress(GpcoreError):  # the live part shows what is wrong
        store = _store()
        for run in [store.run(run) for run in chosen]:
            if notice := run.progress.get("notice"):
                st.warning(f"**{plain(run.title)}**: {notice}")
            if not run.last:
                continue
            sentence = at_chance(run.last.confusion) or explained(starved_classes(run.last.confusion, Run(store, run).classes))
            if sentence:
                st.info(f"**{plain(run.title)}** {sentence}", icon=":material/trending_flat:")
