"""Compare: which pooling wins, and by how much?"""

import pandas as pd
import streamlit as st

from gpcore.figures import curves
from gpcore.figures.curves import Curve
from gpcore.insight.comparison import PairedCount, accuracy_interval, other_differences, verdict
from gpcore.runs.run import Run
from ui import cached, standings
from ui.inside_memory import Snapshot, disagreement
from ui.widgets import PLOT_CONFIG, default_pair, download_csv, errors_shown, trained_runs_or_stop

MOST_RUNS = 6

st.title("Which pooling wins, and by how much?")
found = trained_runs_or_stop()
chosen_keys = st.multiselect(
    "Runs to compare",
    list(found),
    list(dict.fromkeys(default_pair(found))),
    max_selections=MOST_RUNS,
    key="runs",
    bind="query-params",
    help="The first two are set against each other in the verdict. Train more runs on the Train page.",
)
if not chosen_keys:
    st.info("Choose at least one run above.", icon=":material/arrow_upward:")
    st.stop()
chosen = [found[key] for key in chosen_keys]
with errors_shown():
    drawn = [Curve(run.record.title, run.recipe.pool, run.epochs) for run in chosen]
    classes = [run.classes for run in chosen]


def say_verdict(first: Run, second: Run) -> None:
    """The verdict on two runs, and what it does not rest on."""
    if first.recipe.dataset != second.recipe.dataset:
        st.info(
            "These two runs were trained on different datasets, so their accuracies can't be compared.", icon=":material/info:"
        )
        return
    with errors_shown():
        snapshots = [Snapshot(run, run.record.epochs_done) for run in (first, second)]
        count = PairedCount.of(disagreement(*snapshots, cached.dataset(first.recipe.dataset)))
    others = other_differences(first.recipe, second.recipe)
    caution = f" The two also differ in: {', '.join(others)}; so it is not the pooling alone." if others else ""
    box = st.success if count.clear else st.info
    box(verdict(first.record.title, second.record.title, count) + caution, icon=":material/balance:")
    st.caption(
        f"{count.only_first:,} images are right only in {first.record.title}, {count.only_second:,} only in "
        f"{second.record.title}; p is McNemar's exact test on those. One seed each: see what a seed changes by training more."
    )


if len(chosen) > 1:
    say_verdict(chosen[0], chosen[1])

for run, column in zip(chosen, st.columns(len(chosen)), strict=True):
    last = run.record.last
    images = sum(map(sum, last.confusion))
    low, high = accuracy_interval(last.validation_accuracy, images)
    with column.container(border=True):
        st.metric(f"{run.record.title} · validation accuracy", f"{last.validation_accuracy:.2%}")
        on_logits = f" · {last.validation_logit_accuracy:.2%} on the logits" if run.recipe.output == "sigmoid" else ""
        st.caption(f"95 % interval {low:.1%} to {high:.1%} ({images:,} images, 1 seed){on_logits}")
        st.caption(f"{cached.parameters(run):,} parameters · training accuracy {last.training_accuracy:.2%}")

article = all(run.recipe.name == "article" and run.recipe.dataset == "fashion-mnist" for run in chosen)
left, right = st.columns(2)
left.plotly_chart(curves.accuracy_curves(drawn, milestones=article), key="accuracy", config=PLOT_CONFIG)
right.plotly_chart(curves.loss_curves(drawn), key="loss", config=PLOT_CONFIG)
if article:
    st.caption(
        "Diamonds are what the article itself reports. Its accuracy is taken from the sigmoids, many of which are exactly 1.0 "
        "in float32: such ties go to the lower class. The same weights score a little more on the logits."
    )

st.subheader("What is taken for what")
for key, curve, names, column in zip(chosen_keys, drawn, classes, st.columns(len(chosen)), strict=True):
    column.markdown(f"**{curve.name}** · per cent of each actual class")
    column.plotly_chart(curves.confusion_matrix(curve, names), key=f"confusion {key}", config=PLOT_CONFIG)

with st.expander("Why the curves have plateaus: classes that are hardly ever answered", icon=":material/stacked_line_chart:"):
    st.markdown(
        "Each cell says how often a class was answered after an epoch, against how often it is true. **Red** is a class that "
        "has starved: the network almost never answers it. When it recovers, accuracy jumps."
    )
    for key, curve, names in zip(chosen_keys, drawn, classes, strict=True):
        st.markdown(f"**{curve.name}**")
        st.plotly_chart(curves.answers_over_epochs(curve, names), key=f"answers {key}", config=PLOT_CONFIG)

st.subheader("Over the seeds")
with errors_shown():
    standings.show_standings(found)
    standings.study_form()

st.subheader("All runs")
rows = [
    {
        "run": key,
        "recipe": run.recipe.name,
        "pooling": run.recipe.pool,
        "parameters": cached.parameters(run),
        "dataset": run.recipe.dataset,
        "seed": run.recipe.seed,
        "status": run.record.status,
        "epochs": run.record.epochs_done,
        "last accuracy": run.record.last.validation_accuracy,
        "best accuracy": run.record.best_accuracy,
        "seconds per epoch": run.record.seconds / run.record.epochs_done,
        "minutes": run.record.seconds / 60,
        "device": run.record.device,
    }
    for key, run in found.items()
]
percent, number = st.column_config.NumberColumn(format="percent"), st.column_config.NumberColumn(format="%.1f")
columns = {"last accuracy": percent, "best accuracy": percent, "seconds per epoch": number, "minutes": number}
st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns)
with st.container(horizontal=True):
    download_csv("Runs as CSV", rows, "runs.csv", "runs-csv")
    epochs = [
        {"run": curve.name} | {name: value for name, value in vars(epoch).items() if name != "confusion"}
        for curve in drawn
        for epoch in curve.epochs
    ]
    download_csv("Curves as CSV", epochs, "curves.csv", "curves-csv")
