"""The drawings of the first page, which are prepared in advance, and the two lines of results."""

import json
from pathlib import Path

import streamlit as st

from gpcore.recipe import HEAD_LABELS, Pool
from gpcore.verdicts.published import ARTICLE_MILESTONES
from ui import stores, widgets
from ui.components import show_drawing
from ui.wording import plain

PAIR: tuple[Pool, Pool] = ("gap", "gmp")

DRAWN = Path(__file__).with_name("opening.json")
"""Written by `python -m gpcore.figures.opening`."""


def show_networks() -> None:
    """Shows both networks on one image: the map of the winning class, and its pooled score."""
    for place, (column, drawing) in enumerate(zip(st.columns(2, gap="large"), _drawings(), strict=True)):
        with column:
            show_drawing(drawing, f"first-{place}")


@st.cache_data(show_spinner=False)
def _drawings() -> list[dict[str, object]]:
    return json.loads(DRAWN.read_text("utf-8"))


def show_results() -> None:
    """Shows the article's result with one seed, and the result here over seeds: a line each."""
    ends = [f"{HEAD_LABELS[pool]} {ARTICLE_MILESTONES[pool][-1].words}" for pool in PAIR]
    st.markdown(f":material/article: **The article**, one seed: {' and '.join(ends)} on FashionMNIST's test images.")
    with widgets.errors_shown(go_on=True):
        if ours := _over_seeds():
            st.markdown(f":material/casino: **Here**, {ours}")


def _over_seeds() -> str:
    """Returns the verdict on GAP and GMP in the experiment with most seeds, the article's recipe first."""
    from gpcore.verdicts.experiments import Experiment, experiments  # imports SciPy, after the rest of the page is shown

    found = [
        Experiment(each.recipe, {pool: each.runs[pool] for pool in PAIR})
        for each in experiments(stores.trained_runs().values())
        if each.recipe.dataset == "fashion-mnist" and set(PAIR) <= set(each.runs)
    ]
    compared = [each for each in found if each.compared]
    if not compared:
        return ""
    best = max(compared, key=lambda each: (each.recipe.name == "article", each.seeds))
    return f"{plain(best.title)}: {best.accuracies.sentence}"
