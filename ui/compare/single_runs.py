"""The part of *Compare* that sets single runs against each other: verdict, curves, confusion, calibration."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.figures import confusion, epoch_curves
from gpcore.figures.epoch_curves import Curve
from gpcore.runs.run import Run
from gpcore.runs.selection import default_pair
from gpcore.verdicts.statistics import accuracy_interval
from ui import links, stores
from ui.compare import report_button
from ui.components import show_charts
from ui.widgets import csv_button, errors_shown, figure_shown
from ui.wording import plain

MOST_RUNS = 6


@st.fragment
def show(found: dict[str, Run]) -> None:
    """Which runs, and all about them; the rest of the page stands still while others are chosen."""
    st.subheader("Run against run")
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
    chosen = [found[key] for key in chosen_keys]
    if len(chosen) > 1:
        with errors_shown(go_on=True):  # the verdict needs the test images, the rest does not
            from ui.compare import answer_sections  # and PyTorch, for which what stands above need not wait

            answer_sections.say_verdict(chosen[0], chosen[1])
    if chosen:
        with errors_shown(go_on=True):
            show_metrics(chosen)
            show_details(chosen)
    else:
        st.info("Choose at least one run above.", icon=":material/arrow_upward:")
    report_button.show(found, chosen)


def show_metrics(chosen: Sequence[Run]) -> None:
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


def show_details(chosen: Sequence[Run]) -> None:
    """The runs' figures, in tabs of which only the open one is computed."""
    parts: dict[str, Callable[[Sequence[Run]], None]] = {
        "Curves": _show_curves,
        "Confusion": _show_confusion,
        "Calibration": _show_calibration,
        "Starved classes": _show_answers,
    }
    for tab, show in zip(st.tabs(list(parts), key="detail", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab, errors_shown(go_on=True):
                show(chosen)


def _show_curves(chosen: Sequence[Run]) -> None:
    drawn = [_curve(run) for run in chosen]
    article = all(run.recipe.name == "article" and run.recipe.dataset == "fashion-mnist" for run in chosen)
    show_charts([epoch_curves.accuracies(drawn, milestones=article), epoch_curves.losses(drawn)], "curves")
    told = "Strong: validation. Thin: training. Drag across a part of a chart to enlarge it, double-click for all of it."
    if article:
        told += (
            " Circles are what the article itself reports. Its accuracy is taken from the sigmoids, many of which are exactly "
            "1.0 in float32: such ties go to the lower class. The same weights score a little more on the logits."
        )
    st.caption(told)
    rows = [
        {"run": curve.name} | {name: value for name, value in vars(epoch).items() if name != "confusion"}
        for curve in drawn
        for epoch in curve.epochs
    ]
    csv_button("Curves", lambda: rows, "curves.csv", "curves-csv")


def _show_confusion(chosen: Sequence[Run]) -> None:
    for place, (run, column) in enumerate(zip(chosen, _abreast(chosen, 2), strict=True)):
        with column:
            st.markdown(f"**{plain(run.record.title)}** · per cent of each actual class")
            figure_shown(confusion.confusion_matrix(_curve(run), run.classes), f"confusion-{place}", f"{run.id}-confusion")


def _show_calibration(chosen: Sequence[Run]) -> None:
    from ui.compare import answer_sections  # as above

    for place, (run, column) in enumerate(zip(chosen, _abreast(chosen, 2), strict=True)):
        with column:
            answer_sections.show_calibration(run, f"calibration-{place}")
    st.caption(answer_sections.CALIBRATION)


def _show_answers(chosen: Sequence[Run]) -> None:
    st.markdown(
        "Why curves have plateaus: each cell says how often a class was answered after an epoch, against how often it is true. "
        "**Red** is a class that has starved: the network almost never answers it. When it recovers, accuracy jumps."
    )
    for place, run in enumerate(chosen):
        st.markdown(f"**{plain(run.record.title)}**")
        figure_shown(confusion.answers_over_epochs(_curve(run), run.classes), f"answers-{place}", f"{run.id}-answers")


def _abreast(chosen: Sequence[Run], most: int) -> list[DeltaGenerator]:
    """A place for each run, row by row."""
    width = min(len(chosen), most)
    return [column for _ in range(0, len(chosen), width) for column in st.columns(width)][: len(chosen)]


def _curve(run: Run) -> Curve:
    return Curve(run.record.title, run.recipe.pool, run.epochs)
