"""The form of *Compare* that trains a study: poolings × seeds."""

from typing import get_args

import streamlit as st

from gpcore.instance import Instance
from gpcore.recipe import HEAD_LABELS, RECIPES, Pool
from gpcore.runs.study import Study, check_datasets, members, queue_missing
from ui import started_workers, stores
from ui.widgets import switched_off

EPOCHS = (
    "Only runs with as many epochs are compared with each other: to add seeds to a row of the tables above, give its number."
)


def study_form() -> None:
    """A form that queues what a study still lacks; the Train page then shows it live."""
    if switched_off("train", "Training a study"):
        return
    with st.expander("Train a study: poolings × seeds", icon=":material/science:"), st.form("study", border=False):
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
        asked = st.form_submit_button("Train what is missing", icon=":material/playlist_add:")
    if asked:
        asked_for = RECIPES[recipe].but(epochs=epochs or RECIPES[recipe].epochs)
        study = Study(tuple(pools), tuple(range(seeds)), (dataset,), (asked_for,))
        _start(study)


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
