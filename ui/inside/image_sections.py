"""The sections of *Inside* that are about one image: its evidence, cell by cell, and where on the image it lies."""

import contextlib
from collections.abc import Callable
from typing import Any

import streamlit as st

from gpcore.drawing.panels import signed
from gpcore.errors import InsightError
from gpcore.figures import evidence_sheets as figures
from gpcore.insight.analysis import Analysis
from ui.components import show_sheet
from ui.inside.view_state import Scene
from ui.widgets import csv_button, errors_shown
from ui.wording import plain

ANSWER = "its own answer"


def show_evidence(scene: Scene) -> None:
    """Shows for each network one class's score as a sum of cells, then the answer against its closest rival."""
    classes = scene.dataset.classes
    name = st.selectbox("Score of", [ANSWER, *classes], key="of", bind="query-params", width=260)
    _side_by_side(scene, lambda place: _explain(scene, place, None if name == ANSWER else classes.index(name)))
    csv_button(
        "Every cell of every class",
        lambda: _rows(scene, lambda look: figures.cell_rows(look, classes)),
        "evidence.csv",
        "evidence-csv",
    )


def _side_by_side(scene: Scene, show: Callable[[int], None]) -> None:
    """Shows both networks; a network without pooling has an explanation instead."""
    for place, column in enumerate(st.columns(2, gap="large")):
        with column, errors_shown(go_on=True):
            show(place)


def _explain(scene: Scene, place: int, label: int | None) -> None:
    look, name, classes = scene.looks[place], scene.names[place], scene.dataset.classes
    label = look.answer if label is None else label
    st.markdown(
        f"**{plain(name)}: where the score of {plain(classes[label])} comes from, and why it answers "
        f"{plain(classes[look.answer])} and not {plain(classes[look.contest.rival])}**"
    )
    show_sheet(figures.explained(look, label, classes), f"evidence-{place}", f"{name}-evidence")
    _proof(look, label)
    _contest(look, classes)


def _proof(look: Analysis, label: int) -> None:
    """Shows the sum of the evidence beside the network's own score, which is computed separately."""
    found, error = look.evidence, look.evidence.largest_error
    agreement = f"They differ by at most {error:.0e} of a score, over all classes." if error else "They are exactly equal."
    parts = [f"{found.shares[label].numel()} cells {signed(found.shares[label].sum().item())}"]
    if found.remainder_name:
        parts.append(f"{found.remainder_name}: {signed(found.remainders[label].item())}")
    st.markdown(
        f":material/check: {' and '.join(parts)} make **{found.totals[label].item():+.5f}**; the network itself scores "
        f"**{found.scores[label].item():+.5f}**. {agreement}"
    )


def _contest(look: Analysis, classes: tuple[str, ...]) -> None:
    contest = look.contest
    if look.tied:
        st.markdown(
            f":material/info: {plain(classes[contest.rival])} has the larger logit, but both sigmoids are exactly 1, and of "
            f"equal outputs the article takes the lower class, {plain(classes[contest.winner])}."
        )
        return
    remainder = f", {look.evidence.remainder_name} {signed(contest.remainder)}" if look.evidence.remainder_name else ""
    st.caption(
        f"Green cells speak for {plain(classes[contest.winner])}, purple ones for {plain(classes[contest.rival])}{remainder}."
    )


def show_on_the_image(scene: Scene) -> None:
    """The answer's class map and the gradients of its score, laid over the image."""
    _side_by_side(scene, lambda place: _lay_over(scene, place))
    csv_button("Gradient of every pixel", lambda: _rows(scene, figures.pixel_rows), "gradients.csv", "gradients-csv")


def _lay_over(scene: Scene, place: int) -> None:
    look, name = scene.looks[place], scene.dataset.classes[scene.looks[place].answer]
    row, column = look.evidence.strongest_cell(look.answer)
    st.markdown(f"**{plain(scene.names[place])}: where {plain(name)} lies on the image**")
    show_sheet(figures.over_the_image(look, name), f"image-{place}", f"{scene.names[place]}-on-the-image")
    st.caption(
        f"Solid: the pixels at the centre of the strongest cell (row {row + 1}, column {column + 1}). Dotted: its "
        f"receptive field, {figures.field_size(look)}: all that it can depend on; the gradient shows on what it does."
    )


def _rows(scene: Scene, rows_of: Callable[[Analysis], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of every network that has any."""
    rows = []
    for name, look in zip(scene.names, scene.looks, strict=True):
        with contextlib.suppress(InsightError):
            rows += [{"network": name, **row} for row in rows_of(look)]
    return rows
