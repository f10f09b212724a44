"""The part of *Compare* that is about seeds: how the poolings stand over all of them, and studies that train more."""

from typing import get_args

import streamlit as st

from gpcore.figures import standings as figures
from gpcore.insight.standings import Table, tables
from gpcore.recipe import RECIPES, Pool
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from gpcore.runs.study import Study, check_datasets, members, queue_missing
from ui import cached, workers
from ui.inside_grids import csv_button, figure_shown


def show_standings(found: dict[str, Run]) -> None:
    """For every setting that has been trained with several seeds: a chart, and a verdict on every pair of poolings."""
    finished = [run for run in found.values() if run.record.status == "finished" and run.record.last]
    results = [(run.recipe, run.record.last.validation_accuracy) for run in finished if run.record.last]
    several = {_title(table): table for table in tables(results) if max(each.mean.count for each in table.standings) > 1}
    if not several:
        st.info(
            "So far every recipe has been trained with one seed only, and what another seed would change may be more than the "
            "difference between two poolings. A study below trains the others.",
            icon=":material/casino:",
        )
        return
    table = several[st.selectbox("Over the seeds of", list(several), key="setting")]
    figure_shown(figures.accuracies(table), "standings", "accuracy-over-seeds")
    for verdict in table.verdicts:
        st.markdown(f":material/balance: {verdict.sentence}")
    st.caption("p is from the exact sign-flip test on the seeds' paired differences, after Holm's correction for all pairs.")
    rows = [
        {"pooling": standing.pool, "seed": seed, "accuracy": accuracy}
        for standing in table.standings
        for seed, accuracy in standing.accuracies.items()
    ]
    csv_button("Every seed", lambda: rows, "seeds.csv", "seeds-csv")


def _title(table: Table) -> str:
    setting = table.setting
    placed = ", on features" if setting.placement == "features" else ""
    return f"{setting.name} on {setting.dataset}, {setting.epochs} epochs{placed}"


def study_form() -> None:
    """A form that queues what a study still lacks; the Train page then shows it live."""
    with st.expander("Train a study: poolings × seeds", icon=":material/science:"), st.form("study", border=False):
        first, second, third = st.columns([2, 1, 1])
        pools = first.multiselect("Poolings", list(get_args(Pool)), ["gap", "gmp"], key="study-pools")
        recipe = second.selectbox("Recipe", list(RECIPES), list(RECIPES).index("modern"), key="study-recipe")
        dataset = third.text_input("Dataset", "fashion-mnist", key="study-dataset")
        seeds = first.slider("Seeds", 1, 20, 6, key="study-seeds", help="Fewer than 6 can't make any difference significant.")
        epochs = second.number_input("Epochs", 1, 1000, RECIPES["modern"].epochs, key="study-epochs")
        asked = st.form_submit_button("Train what is missing", icon=":material/playlist_add:")
    if asked:
        study = Study(tuple(pools), tuple(range(seeds)), (dataset,), (RECIPES[recipe].but(epochs=epochs),))
        _start(study)


def _start(study: Study) -> None:
    store, shipped = cached.own_store(), cached.shipped_store_folder()
    others = [Store(shipped, read_only=True)] if (shipped / "runs.db").is_file() else []
    check_datasets([member for member in members(study, store, others) if not member.finished], cached.data_folder())
    queued = queue_missing(study, store, others)
    workers.start_missing(store)
    there = sum(member.finished for member in members(study, store, others))
    st.success(
        f"{len(queued)} of {len(study.recipes)} runs were queued, {there} had been trained before. *Train* shows them live, "
        "and the verdict stands here as soon as they are finished.",
        icon=":material/playlist_add_check:",
    )
