"""Widgets that several pages share."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import streamlit as st

from gpcore.errors import GpcoreError
from gpcore.runs.run import Run
from ui import cached

PLOT_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"], "responsive": True}


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Show what went wrong as one sentence, and end the page there."""
    try:
        yield
    except GpcoreError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()


def trained_runs_or_stop() -> dict[str, Run]:
    """The runs to look at; where there are none, the page says what to do and ends."""
    with errors_shown():
        found = cached.trained_runs()
    if not found:
        st.info(
            "There are no trained runs yet. Train one on the *Train* page, or get the shipped ones back with "
            "`git checkout checkpoints`.",
            icon=":material/hourglass_empty:",
        )
        st.stop()
    return found


def label(run: Run) -> str:
    """A run's title, and its accuracy so far."""
    accuracy = run.record.last and run.record.last.validation_accuracy
    return run.record.title + (f" · {accuracy:.1%}" if accuracy is not None else "")


def pick_run(title: str, key: str, found: dict[str, Run], default: str) -> Run:
    """A select box over runs whose choice is in the URL under `key`.

    It lists the runs' keys, since Streamlit writes into the URL what the box shows: a title or an accuracy changes while
    a run is trained, and a link that holds it would no longer open.
    """
    keys = list(found)
    chosen = st.selectbox(title, keys, index=keys.index(default) if default in keys else 0, key=key, bind="query-params")
    return found[chosen]


def default_pair(found: dict[str, Run], recipe: str = "article") -> tuple[str, str]:
    """The runs a page opens with: GAP and GMP with one recipe, dataset and seed, of this recipe if there are such."""
    twins = {run.recipe: key for key, run in reversed(found.items())}
    for gap_key, gap in sorted(found.items(), key=lambda item: item[1].recipe.name != recipe):
        gmp_key = twins.get(gap.recipe.but(pool="gmp"))
        if gap.recipe.pool == "gap" and gmp_key:
            return gap_key, gmp_key
    keys = list(found)
    return keys[0], keys[min(1, len(keys) - 1)]


def download_csv(title: str, rows: Sequence[dict[str, Any]], name: str, key: str) -> None:
    """A button that downloads rows as a CSV file."""
    import pandas as pd

    st.download_button(
        title, pd.DataFrame(rows).to_csv(index=False), name, "text/csv", key=key, icon=":material/download:", on_click="ignore"
    )
