"""The form of *Compare* that trains a study: poolings × seeds."""

from typing import get_args

import streamlit as st

from gpcore.instance import Instance
from gpcore.recipe import HEAD_LABELS, RECIPES, Pool, Recipe
from gpcore.runs.study import Study, check_datasets, members, queue_missing
from gpcore.verdicts.experiments import Experiment
from gpcore.verdicts.standings import OTHER_HEADS, title_of
from gpcore.verdicts.statistics import seeds_needed
from ui import started_workers, stores
from ui.widgets import switched_off

EPOCHS = "Only runs with as many epochs are compared with each other."


def fill(experiment: Experiment) -> None:
    """Fills the form with an experiment and the seeds that its verdicts need, and shows it."""
    seeds = max(experiment.seeds + 1, seeds_needed(OTHER_HEADS))
    st.session_state.update(
        {
            "study-open": True,
            "study-base": experiment.recipe,
            "study-pools": list(experiment.runs),
            "study-recipe": experiment.recipe.name,
            "study-dataset": experiment.recipe.dataset,
            "study-seeds": min(seeds, 20),
            "study-epochs": experiment.recipe.epochs,
        }
    )
    st.rerun(scope="app")


def study_form() -> None:
    """A form that queues what a study still lacks; the Train page then shows it live."""
    if switched_off("train", "Training a study"):
        return
    title = "Train a study: poolings × seeds"
    with st.expander(title, icon=":material/science:", key="study-open", on_change="rerun"), st.form("study", border=False):
        first, second, third = st.columns([2, 1, 1])
        pools = first.multiselect(
            "Poolings", list(get_args(Pool)), ["gap", "gmp"], format_func=HEAD_LABELS.__getitem__, key="study-pools"
        )
        recipe = second.selectbox("Recipe", list(RECIPES), list(RECIPES).index("modern"), key="study-recipe")
        dataset = third.text_input("Dataset", "fashion-mnist", key="study-dataset")
        seeds = first.slider("Seeds", 1, 20, 6, key="study-seeds", help="Fewer than 6 can't make any difference significant.")
        epochs = second.number_input(
            "Epochs", 1, 1000, None, key="study-epochs", help=EPOCHS, placeholder="as many as the recipe has"
        )
        base = _base(recipe)
        if base != RECIPES[recipe].but(dataset=base.dataset, epochs=base.epochs):
            st.caption(f"With everything else as in {title_of(base)}.")
        asked = st.form_submit_button("Train what is missing", icon=":material/playlist_add:")
    if asked:
        asked_for = base.but(epochs=epochs or base.epochs)
        study = Study(tuple(pools), tuple(range(seeds)), (dataset,), (asked_for,))
        _start(study)


def _base(recipe: str) -> Recipe:
    """The recipe of the experiment that filled the form, as long as the form names it."""
    base = st.session_state.get("study-base")
    return base if base and base.name == recipe else RECIPES[recipe]


def _start(study: Study) -> None:
    store, others = stores.own_store(), stores.shipped_stores()
    for dataset in study.datasets:
        Instance.read().check_dataset(dataset)
    check_datasets([member for member in members(study, store, others) if not member.finished], stores.data_folder())
    queued = queue_missing(study, store, others)
    started_workers.start_missing(store)
    there = sum(member.finished for member in members(study, store, others))
    st.success(
        f"{len(queued)} of {len(study.recipes)} runs were queued, {there} had been trained before. *Train* shows them live, "
        "and the verdict stands here as soon as they are finished.",
        icon=":material/playlist_add_check:",
    )
