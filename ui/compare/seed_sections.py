"""The parts of *Compare* that are about seeds: the verdict over all experiments, and one experiment in detail."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from gpcore.figures import head_tables, learning_curves
from gpcore.figures import seed_rows as figures
from gpcore.recipe import HEAD_LABELS, shown_dataset
from gpcore.runs.run import Run
from gpcore.verdicts import published
from gpcore.verdicts.experiments import (
    Experiment,
    bands,
    class_accuracies,
    curves_of,
    experiments,
    never_reached,
    overfitting_sentence,
    overviews,
    reachable,
    times_to,
    usual_device,
)
from gpcore.verdicts.standings import LEGEND, RULE, VerdictTable
from ui import links
from ui.components import show_charts, show_rows
from ui.widgets import csv_button, errors_shown, figure_shown
from ui.wording import plain

WIDTHS = {"dataset": 98, "seeds": 58, "MLP with dropout": 122, "recipe": None}
"""Pixels of columns that are not as wide as a number: of eight heads, too, all is seen on a screen 1280 pixels wide."""


def show_verdict(found: dict[str, Run]) -> list[Experiment]:
    """One sentence and one row of a table for every experiment in which several seeds compare several heads.

    Returned are all experiments with several seeds.
    """
    several = [experiment for experiment in _experiments(found, _marks(found)) if experiment.seeds > 1]
    if not several:
        st.info(
            "So far every recipe has been trained with one seed only, and what another seed would change may be more than the "
            "difference between two poolings. A study below trains the others.",
            icon=":material/casino:",
        )
        return []
    compared = [experiment for experiment in several if experiment.compared]
    if not compared:
        st.info(
            "Several seeds have been trained, but with one head alone. A study below trains another.", icon=":material/casino:"
        )
        return several
    for experiment in compared:
        if not experiment.on_canvas:
            st.markdown(f":material/balance: **{plain(experiment.title)}** — {experiment.accuracies.sentence}")
    for rows in overviews(compared):
        columns = {name: st.column_config.TextColumn(width=WIDTHS.get(name, 102)) for name in rows[0]}
        columns["dataset"] = st.column_config.TextColumn(pinned=True, width=WIDTHS["dataset"])
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=columns)
    st.caption(f"Validation accuracy in per cent, mean ± 95 % interval over seeds. {LEGEND}.")
    with st.expander("The rule of these verdicts", icon=":material/gavel:"):
        st.markdown(RULE)
    return several


def _marks(found: dict[str, Run]) -> tuple[tuple[str, str, float | None], ...]:
    return tuple((key, run.record.status, run.record.finished) for key, run in found.items())


@st.cache_resource(max_entries=4, show_spinner=False)
def _experiments(_found: dict[str, Run], marks: tuple[tuple[str, str, float | None], ...]) -> list[Experiment]:
    return experiments(_found.values())


@st.fragment
def show_experiment(several: Sequence[Experiment]) -> None:
    """One experiment in detail, in tabs of which only the open one is computed."""
    titles = titled(several)
    links.explain_choice("setting", titles, "setting")
    experiment = titles[st.selectbox("Over the seeds of", list(titles), key="setting", bind="query-params")]
    parts = {
        "Seeds": _show_seeds,
        "Learning": _show_learning,
        "Overfitting": _show_overfitting,
        "Classes": _show_classes,
        "Time": _show_times,
        "Cost": _show_costs,
    }
    if experiment.recipe.dataset == "fashion-mnist":
        parts["Published"] = _show_published
    for tab, show in zip(st.tabs(list(parts), key="part", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab, errors_shown(go_on=True):
                show(experiment)


def titled(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    """The experiments by what to call them: where two folders share their name, the later one by its whole path."""
    titles: dict[str, Experiment] = {}
    for experiment in experiments:
        titles[
            f"{experiment.title} ({shown_dataset(experiment.recipe.dataset)})"
            if experiment.title in titles
            else experiment.title
        ] = experiment
    return titles


def _show_seeds(experiment: Experiment) -> None:
    table = experiment.accuracies
    left, right = st.columns(2, gap="large")
    with left:
        show_rows(figures.over_seeds(table), "standings", "accuracy-over-seeds")
    with right:
        show_rows(figures.differences(table), "differences", "paired-differences")
    st.caption(
        "First every seed and the mean with its 95 % interval; then the same seeds in pairs, with a 95 % bootstrap interval."
    )
    for verdict in table.verdicts.values():
        st.markdown(f":material/balance: {verdict.sentence}")
    csv_button("Every seed", lambda: _by_seed(table, "accuracy"), "seeds.csv", "seeds-csv")


def _by_seed(table: VerdictTable, name: str) -> list[dict[str, Any]]:
    return [
        {"pooling": standing.pool, "seed": seed, name: number}
        for standing in table.standings
        for seed, number in standing.accuracies.items()
    ]


def _show_learning(experiment: Experiment) -> None:
    drawn = bands(curves_of(experiment))
    show_charts([learning_curves.learning_curves(drawn)], "learning")
    st.caption(
        "Strong: validation accuracy, the mean with a band from the lowest seed to the highest. Dotted: training. Drag across "
        "a part to enlarge it, double-click for all of it; a click on a name hides it."
    )
    rows = [
        {"pooling": band.pool, "epoch": epoch, "mean": mean, "lowest": low, "highest": high, "training": training}
        for band in drawn
        for epoch, mean, low, high, training in zip(band.epochs, band.mean, band.low, band.high, band.training, strict=True)
    ]
    csv_button("These curves", lambda: rows, "learning.csv", "learning-csv")


def _show_overfitting(experiment: Experiment) -> None:
    if sentence := overfitting_sentence(experiment):
        st.markdown(f":material/gavel: {sentence}")
    table, title = experiment.overfitting, "training less validation accuracy"
    show_rows(figures.over_seeds(table, title, lowest=-1), "overfitting", "overfitting")
    st.caption(
        "How much better a network is, after its last epoch, on the images that it has seen than on new ones; 95 % intervals "
        "over seeds."
    )
    csv_button("Every seed", lambda: _by_seed(table, title), "overfitting.csv", "overfitting-csv")


def _show_classes(experiment: Experiment) -> None:
    shares, classes = class_accuracies(experiment), experiment.every_run[0].classes
    figure_shown(head_tables.per_class(shares, classes), "per-class", "per-class")
    st.caption("The share of each class's test images that is answered right after the last epoch, mean over the seeds.")
    rows = [
        {"pooling": pool, "class": name, "accuracy": share}
        for pool, found in shares.items()
        for name, share in zip(classes, found, strict=True)
    ]
    csv_button("These accuracies", lambda: rows, "per-class.csv", "per-class-csv")


def _show_times(experiment: Experiment) -> None:
    curves = curves_of(experiment)
    best = reachable(curves)
    key = f"target {experiment.title}"
    target = st.number_input("Validation accuracy to reach (%)", 0, 100, round(100 * best), key=key)
    reached = times_to(target / 100, experiment, curves)
    device = usual_device(experiment)
    epochs, seconds = learning_curves.times(reached, device)
    left, right = st.columns(2, gap="large")
    with left:
        show_rows(epochs, "epochs-to", "epochs-to-accuracy")
    with right:
        show_rows(seconds, "seconds-to", "seconds-to-accuracy")
    if never := never_reached(reached):
        st.markdown(f":material/timer_off: {never}")
    st.caption(
        f"The epoch after which a run first had that accuracy, and its seconds until then: only of runs on {device}, since "
        "seconds on another device are others; what else ran on the machine counts too."
    )
    rows = [
        {"pooling": head.pool, "seed": seed, "epochs": epochs, "seconds": head.seconds.get(seed)}
        for head in reached
        for seed, epochs in head.epochs.items()
    ]
    csv_button("These times", lambda: rows, "times.csv", "times-csv")


def _show_costs(experiment: Experiment) -> None:
    from gpcore.verdicts.costs import COUNTED, costs  # needs PyTorch, for which the rest of the page does not wait

    rows = [
        {
            "head": HEAD_LABELS[pool],
            "parameters": cost.parameters,
            "of these the head": cost.head_parameters,
            "FLOPs for an image": cost.flops,
            "of those the head": cost.head_flops,
        }
        for pool, cost in costs(experiment).items()
    ]
    whole = {name: st.column_config.NumberColumn(format="localized") for name in rows[0] if name != "head"}
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=whole)
    st.caption(f"{COUNTED} All heads stand behind the same trunk.")
    csv_button("Costs", lambda: rows, "costs.csv", "costs-csv")


def _show_published(experiment: Experiment) -> None:
    from gpcore.verdicts.costs import costs  # as above

    parameters = {pool: cost.parameters for pool, cost in costs(experiment).items()}
    figure_shown(head_tables.published(experiment.accuracies.standings, parameters), "published", "published")
    st.dataframe(pd.DataFrame(published.rows()), hide_index=True, height=240)
    st.caption(
        f"Grey: what others report, from [the dataset's own list]({published.SOURCE}), whose authors say that they have not "
        "tested it. One number each, without seeds or intervals, and trained as each of them chose."
    )
    csv_button("Published results", published.rows, "published.csv", "published-csv")
