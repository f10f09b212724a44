"""Widgets that several pages share."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from gpcore.errors import GpcoreError
from gpcore.runs.run import Run
from ui import stores
from ui.links import page_file

PLOT_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"], "responsive": True}


@contextlib.contextmanager
def errors_shown(go_on: bool = False) -> Iterator[None]:
    """Shows an error as one sentence and ends the page; with `go_on`, the rest of the page follows."""
    try:
        yield
    except GpcoreError as error:
        st.error(str(error), icon=":material/error:")
        if not go_on:
            st.stop()


def trained_runs_or_stop() -> dict[str, Run]:
    """Returns the trained runs; without any, explains what to do and ends the page."""
    with errors_shown():
        found = stores.trained_runs()
    if not found:
        st.info(
            "There are no trained runs yet. Train one, or get the shipped ones back with `git checkout checkpoints`.",
            icon=":material/hourglass_empty:",
        )
        st.page_link(page_file("train"), label="Train a pair of networks", icon=":material/play_circle:")
        st.stop()
    return found


def pick_run(title: str, key: str, found: dict[str, Run], default: str) -> Run:
    """A select box over runs whose choice is in the URL under `key`.

    It lists the runs' keys, since Streamlit writes into the URL what the box shows: a title or an accuracy changes while
    a run is trained, and a link that holds it would no longer open.
    """
    keys = list(found)
    chosen = st.selectbox(title, keys, index=keys.index(default) if default in keys else 0, key=key, bind="query-params")
    return found[chosen]


def figure_shown(figure: go.Figure, key: str, name: str) -> None:
    """Shows a figure whose toolbar saves it as PNG under `name`."""
    figure.layout.font = {"color": "#fafafa" if st.context.theme.type == "dark" else "#31333f"}
    picture = {"format": "png", "filename": name, "scale": 3}
    st.plotly_chart(figure, width="stretch", key=key, config=PLOT_CONFIG | {"toImageButtonOptions": picture})


def csv_button(title: str, rows: Callable[[], Sequence[dict[str, Any]]], name: str, key: str) -> None:
    """Shows a button that writes rows, such as a figure's numbers, as CSV when it is pressed."""
    st.download_button(
        f"{title} (CSV)",
        lambda: pd.DataFrame(rows()).to_csv(index=False),
        name,
        "text/csv",
        key=key,
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
