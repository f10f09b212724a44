"""What *Compare* says of the answers that runs give to the test images: their networks are asked."""

import streamlit as st

from gpcore.drawing.theme import POOL_COLOURS
from gpcore.figures import reliability_diagram
from gpcore.insight.reliability import Reliability
from gpcore.runs.run import Run
from gpcore.verdicts.run_comparison import PairedCount, other_differences, verdict
from ui import shared_networks
from ui.inside import computed
from ui.inside.computed import Snapshot
from ui.widgets import figure_shown
from ui.wording import plain

CALIBRATION = (
    "Of the answers given with a probability of 80 %, are 80 % right? Below the diagonal a network is too sure. ECE, the "
    "expected calibration error, is the mean distance from the diagonal. Dotted: after dividing the logits by the one "
    "temperature that makes the true classes of these images likeliest, as *Classify* does."
)


def say_verdict(first: Run, second: Run) -> None:
    """The verdict on two runs, and what it does not rest on."""
    if first.recipe.dataset != second.recipe.dataset:
        st.info(
            "The first two runs were trained on different datasets, so their accuracies can't be compared.",
            icon=":material/info:",
        )
        return
    one, other = (Snapshot(run, run.record.epochs_done) for run in (first, second))
    count = PairedCount.of(computed.disagreement(one, other, shared_networks.dataset(first.recipe)))
    others = other_differences(first.recipe, second.recipe)
    caution = f" The two also differ in: {', '.join(others)}; so it is not the pooling alone." if others else ""
    box = st.success if count.clear else st.info
    names = plain(first.record.title), plain(second.record.title)
    box(verdict(*names, count) + caution, icon=":material/balance:")
    st.caption(
        f"{count.only_first:,} images are right only in {names[0]}, {count.only_second:,} only in {names[1]}; p is McNemar's "
        "exact test on those. One seed each: what a seed changes stands above."
    )


def show_calibration(run: Run, key: str) -> None:
    """How often a run's answers of each probability are right."""
    dataset = shared_networks.dataset(run.recipe)
    scores = computed.scores(Snapshot(run, run.record.epochs_done), dataset)
    found = Reliability.of(scores, dataset.test.labels)
    st.markdown(f"**{plain(run.record.title)}** on {len(dataset.test):,} test images")
    figure_shown(reliability_diagram.reliability_diagram(found, POOL_COLOURS[run.recipe.pool]), key, f"{run.id}-calibration")
