"""The part of *Compare* that sets single runs against each other: verdict, curves, confusion, calibration."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.drawing.theme import POOL_COLOURS
from gpcore.recipe import HEAD_LABELS
from gpcore.report import run_parts
from gpcore.report.parts import Source
from gpcore.runs.run import Run
from gpcore.runs.selection import default_pair
from gpcore.verdicts.statistics import accuracy_interval
from ui import links, stores
from ui.compare.shown_parts import show, show_commands, show_tabs
from ui.widgets import csv_button, errors_shown
from ui.wording import plain

MOST_RUNS = 6


@st.fragment
def show_runs(found: dict[str, Run], source: Source) -> None:
    """Which runs, and all about them; the rest of the page keeps still while others are chosen."""
    st.subheader(run_parts.TITLE)
    links.explain_choice("runs", found, "run")
    chosen_keys = st.multiselect(
        "Runs to compare",
        list(found),
        list(dict.fromkeys(default_pair(found))),
        max_selections=MOST_RUNS,
        key="runs",
        bind="query-params",
        help="The first two are set against each other in the verdict. Type a part of a name to find a run of a study.",
    )
    _show_table(found)
    source = replace(source, chosen=[found[key] for key in chosen_keys])
    if len(source.chosen) > 1:
        with errors_shown(go_on=True):  # the verdict needs the test images, the rest does not
            show(run_parts.pair(source.chosen, _asked), "pair")
    if source.chosen:
        with errors_shown(go_on=True):
            _show_metrics(source.chosen)
        chapter = run_parts.chapter(source, _asked)
        show_tabs(chapter, "detail")
        show_commands(chapter)
    else:
        st.info("Choose at least one run above.", icon=":material/arrow_upward:")
    st.download_button(
        "Report (HTML)",
        partial(_report, source),
        "poolscope.html",
        "text/html",
        key="report",
        icon=":material/description:",
        on_click="ignore",
        help="Everything on this page in one file that opens without a network, with the commands that reproduce it.",
    )


def _report(source: Source) -> str:
    from gpcore.report.page import page  # needed only here, and takes its time to import

    return page(source)


def _asked(run: Run) -> "run_parts.Asked":
    """The scores that all visitors share."""
    from ui import shared_networks  # and PyTorch, for which what is above need not wait
    from ui.inside import computed

    dataset = shared_networks.dataset(run.recipe)
    return computed.scores(computed.Snapshot(run, run.record.epochs_done), dataset), dataset.test


def _show_table(found: dict[str, Run]) -> None:
    """All runs as one table: the rows that are chosen there are compared."""

    def choose() -> None:
        rows = st.session_state["runs-table"].selection.rows
        st.session_state["runs"] = [list(found)[row] for row in rows[:MOST_RUNS]]

    with st.expander(
        f"All {len(found):,} runs in a table", icon=":material/table_rows:", key="all-runs", on_change="rerun"
    ) as all_runs:
        if not all_runs.open:
            return
        rows = [_row(key, run) for key, run in found.items()]
        frame = pd.DataFrame(rows)
        differing = [name for name in frame if name in KEPT or frame[name].nunique(dropna=False) > 1]
        coloured = frame[differing].style.map(lambda label: f"color: {COLOURS[label]}", subset=["pooling"])
        st.dataframe(
            coloured, hide_index=True, column_config=COLUMNS, key="runs-table", on_select=choose, selection_mode="multi-row"
        )
        st.caption("Choose rows to compare them. A click on a name sorts; columns are what the recipes differ in.")
        csv_button("Runs", lambda: rows, "runs.csv", "runs-csv")


KEPT = ("run", "recipe", "pooling", "dataset", "seed", "status", "epochs", "last accuracy")
COLOURS = {HEAD_LABELS[pool]: colour for pool, colour in POOL_COLOURS.items()}
COLUMNS = {
    "last accuracy": st.column_config.NumberColumn(format="percent"),
    "best accuracy": st.column_config.NumberColumn(format="percent"),
    "seconds per epoch": st.column_config.NumberColumn("s per epoch", format="%.1f"),
    "minutes": st.column_config.NumberColumn(format="%.1f"),
}


def _row(key: str, run: Run) -> dict[str, object]:
    record, recipe = run.record, run.recipe.to_json()
    return {
        "run": key,
        "recipe": recipe.pop("name"),
        "pooling": HEAD_LABELS[recipe.pop("pool")],
        "dataset": recipe.pop("dataset"),
        "seed": recipe.pop("seed"),
        "status": record.status,
        "epochs": record.epochs_done,
        "last accuracy": record.last.validation_accuracy if record.last else None,
        "best accuracy": record.best_accuracy,
        "seconds per epoch": record.seconds / max(record.epochs_done, 1),
        "minutes": record.seconds / 60,
        "device": record.device,
    } | {name.replace("_", " "): value for name, value in recipe.items() if name != "epochs"}


def _show_metrics(chosen: Sequence[Run]) -> None:
    """A card for each run: its accuracy with the interval that chance in the images leaves."""
    for run, column in zip(chosen, _abreast(chosen, 3), strict=True):
        last = run.record.last
        assert last is not None  # only runs with an epoch can be chosen
        images = sum(map(sum, last.confusion))
        low, high = accuracy_interval(last.validation_accuracy, images)
        with column.container(border=True):
            st.metric(f"{plain(run.record.title)} · validation accuracy", f"{last.validation_accuracy:.2%}")
            on_logits = f" · {last.validation_logit_accuracy:.2%} on the logits" if run.recipe.output == "sigmoid" else ""
            st.caption(f"95 % interval {low:.1%} to {high:.1%} ({images:,} images, 1 seed){on_logits}")
            st.caption(f"{stores.parameters(run):,} parameters · training accuracy {last.training_accuracy:.2%}")


def _abreast(chosen: Sequence[Run], most: int) -> list[DeltaGenerator]:
    """A place for each run, row by row."""
    width = min(len(chosen), most)
    return [column for _ in range(0, len(chosen), width) for column in st.columns(width)][: len(chosen)]
