"""Widgets that several pages share."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from gpcore.data.locations import short
from gpcore.errors import GpcoreError
from gpcore.instance import RUN_YOUR_OWN, Action, Instance
from gpcore.runs import selection
from gpcore.runs.run import Run
from ui import stores
from ui.links import page_file
from ui.wording import cell, plain

PLOT_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"], "responsive": True}


@contextlib.contextmanager
def errors_shown(go_on: bool = False) -> Iterator[None]:
    """Shows an error as one sentence and ends the page; with `go_on`, the rest of the page follows."""
    try:
        yield
    except GpcoreError as error:
        st.error(plain(str(error)), icon=":material/error:")
        if not go_on:
            st.stop()


def trained_runs_or_stop() -> dict[str, Run]:
    """Returns the trained runs; without any, explains what to do and ends the page."""
    with errors_shown():
        found = stores.trained_runs()
    for sentence in stores.damaged()[:3]:
        st.warning(plain(sentence), icon=":material/report:")
    if not found:
        st.info(
            f"There are no trained runs yet, neither in `{short(stores.own_store_folder())}` nor in "
            f"`{short(stores.shipped_store_folder())}`. Train one, or name other folders with POOLSCOPE_STORE and "
            "POOLSCOPE_CHECKPOINTS.",
            icon=":material/hourglass_empty:",
        )
        st.page_link(page_file("train"), label="Train a pair of networks", icon=":material/play_circle:")
        st.stop()
    return found


def switched_off(action: Action, what: str) -> bool:
    """Returns whether this is switched off for visitors, and shows how to run one's own instance."""
    mode = Instance.read().mode
    if allowed := Instance.read().allows(action):
        return not allowed
    st.info(f"{what} is switched off on this instance, which runs in {mode} mode. {RUN_YOUR_OWN}", icon=":material/lock:")
    return True


def pick_run(title: str, key: str, found: dict[str, Run], default: str, on_change: Callable[[], None] | None = None) -> Run:
    """A select box over runs, by what they are; the URL holds the chosen run's key under `key`.

    Streamlit would write into the URL what the box shows, which changes when a run is extended: that link would no longer open.
    """
    titles = selection.listed(found, stores.own_store_folder())
    if st.session_state.get(key) not in titles:
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in titles else default
    chosen = st.selectbox(title, list(titles), format_func=titles.__getitem__, key=key, on_change=on_change)
    if chosen != st.query_params.get(key, default):
        st.query_params[key] = chosen
    return found[chosen]


def figure_shown(figure: go.Figure, key: str, name: str) -> None:
    """Shows a figure whose toolbar saves it as PNG under `name`."""
    figure.layout.font = {"color": "#fafafa" if st.context.theme.type == "dark" else "#31333f"}
    picture = {"format": "png", "filename": name, "scale": 3}
    st.plotly_chart(figure, width="stretch", key=key, config=PLOT_CONFIG | {"toImageButtonOptions": picture})


def csv_button(title: str, rows: Callable[[], Sequence[Mapping[str, Any]]], name: str, key: str) -> None:
    """Shows a button that writes rows, such as a figure's numbers, as CSV when it is pressed."""
    st.download_button(
        f"{title} (CSV)",
        lambda: pd.DataFrame(rows()).map(cell).to_csv(index=False),
        name,
        "text/csv",
        key=key,
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
