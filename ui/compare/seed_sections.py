"""The sections of *Compare* over seeds: GAP against GMP, every head by dataset, and one experiment in detail."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from gpcore.recipe import shown_dataset
from gpcore.report import chapters, experiment_parts
from gpcore.report.parts import Chapter, Part, Source
from gpcore.runs.run import Run
from gpcore.verdicts.conclusions import question
from gpcore.verdicts.experiments import Experiment, curves_of, experiments, reachable
from ui import links
from ui.compare import study_form
from ui.compare.shown_parts import show, show_commands, show_tabs
from ui.wording import duration, plain

WIDTHS = {"dataset": 112, "seeds": 58, "MLP with dropout": 122, "recipe": None}
"""Pixels of columns that are not as wide as a number."""

ONE_SEED = (
    "So far every recipe has been trained with one seed only, and another seed may change more than another pooling does. A "
    "study below trains further seeds."
)
ONE_HEAD = "Several seeds have been trained, but with one head alone. A study below trains another."


def all_experiments(found: dict[str, Run]) -> list[Experiment]:
    """The experiments of all runs, found again only when a run has changed."""
    return _experiments(found, tuple((key, run.record.status, run.record.finished) for key, run in found.items()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _experiments(_found: dict[str, Run], marks: tuple[tuple[str, str, float | None], ...]) -> list[Experiment]:
    return experiments(_found.values())


def show_headline(every: Sequence[Experiment], source: Source) -> None:
    """The answer to GAP or GMP, with the seeds and the curves behind it."""
    if asked := question(every):
        chapter = chapters.headline(asked, source)
        st.subheader(plain(chapter.title), anchor="gap-or-gmp")
        for make in chapter.parts.values():
            show(make(), "gap-or-gmp")
        show_commands(chapter)


@st.fragment
def show_heads(every: Sequence[Experiment], source: Source) -> None:
    """Every head by dataset, and the experiment that is chosen, in detail."""
    several = [experiment for experiment in every if experiment.seeds > 1]
    compared = [experiment for experiment in several if experiment.compared]
    if not compared:
        st.info(ONE_HEAD if several else ONE_SEED, icon=":material/casino:")
    titles = titled(several)
    if compared:
        _show_overview(
            chapters.heads(compared, source), {id(experiment): title for title, experiment in titles.items()}, compared
        )
        _show_folded(
            "Conclusions, each with its command", "conclusions", lambda: _show_chapter(chapters.concluding(several, source))
        )
    if titles:
        _show_experiment(titles, source)


def _show_overview(chapter: Chapter, titles: dict[int, str], compared: Sequence[Experiment]) -> None:
    st.subheader(chapter.title)
    for name, make in chapter.parts.items():
        if name == "By dataset":
            _show_rows(make, [titles[id(each)] for each in compared if not each.on_canvas], "heads")
        elif name == "On canvases":
            rows = [titles[id(each)] for each in compared if each.on_canvas]
            _show_folded(f"On {len(rows)} canvases", "canvases", partial(_show_rows, make, rows, "on-canvas"))
        else:
            _show_folded(name, "rule", partial(_show_sentences, make))


def _show_rows(make: Callable[[], Part], titles: Sequence[str], key: str) -> None:
    """A table whose chosen row is the experiment in detail."""

    def choose() -> None:
        if rows := st.session_state[key].selection.rows:
            st.session_state["setting"] = titles[rows[0]]

    part = make()
    columns = {name: st.column_config.TextColumn(width=WIDTHS.get(name, 102)) for name in part.table[0]}
    columns["dataset"] = st.column_config.TextColumn(pinned=True, width=WIDTHS["dataset"])
    st.dataframe(
        pd.DataFrame(part.table), hide_index=True, column_config=columns, key=key, on_select=choose, selection_mode="single-row"
    )
    if part.caption:
        st.caption(f"{part.caption} Choose a row to see its seeds below, and to add some.")


def _show_sentences(make: Callable[[], Part]) -> None:
    show(make(), "rule")


def _show_folded(title: str, key: str, fill: Callable[[], None]) -> None:
    """An expander whose inside is computed when it is opened."""
    with st.expander(title, key=key, on_change="rerun") as folded:
        if folded.open:
            fill()


def _show_chapter(chapter: Chapter) -> None:
    for title, make in chapter.parts.items():
        part = make()
        st.markdown(f"**{title}**" + (f" · {plain(part.caption)}" if part.caption else ""))
        for row in part.table:
            first, second = row.values()
            st.markdown(f"- {plain(first)}  \n  " + (f"`{second}`" if "command" in row else f":gray[{plain(second)}]"))


def _show_experiment(titles: dict[str, Experiment], source: Source) -> None:
    links.explain_choice("setting", titles, "setting")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    experiment = titles[left.selectbox("Over the seeds of", list(titles), key="setting", bind="query-params")]
    seconds = sum(run.record.seconds for run in experiment.every_run) / len(experiment.every_run) * len(experiment.runs)
    if right.button("Add seeds", icon=":material/add:", help=f"One more seed of every head takes {duration(seconds)}."):
        study_form.fill(experiment)
    chapter = experiment_parts.chapter(experiment, source)

    def times() -> Part:
        best = round(100 * reachable(curves_of(experiment)))
        target = st.number_input("Validation accuracy to reach (%)", 0, 100, best, key=f"target {experiment.title}")
        return experiment_parts.times(experiment, target / 100)

    show_tabs(replace(chapter, parts={**chapter.parts, "Time": times}), "part")
    show_commands(chapter)


def titled(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    """The experiments by what to call them: where two folders share their name, the later one by its whole path."""
    titles: dict[str, Experiment] = {}
    for experiment in experiments:
        twice = experiment.title in titles
        titles[f"{experiment.title} ({shown_dataset(experiment.recipe.dataset)})" if twice else experiment.title] = experiment
    return titles
