"""The sections of *Inside* that are about one image: its evidence, cell by cell, and where on the image it lies."""

import streamlit as st

from gpcore.figures import evidence as figures
from gpcore.figures.twins import signed
from gpcore.insight.look import Look
from ui.inside_grids import csv_button, figure_shown
from ui.inside_scene import Scene

ANSWER = "its own answer"


def show_evidence(scene: Scene) -> None:
    """For each network: one class's score as a sum of cells, then the answer set against its closest rival."""
    classes = scene.dataset.classes
    name = st.selectbox("Score of", [ANSWER, *classes], key="of", bind="query-params", width=260)
    for place, column in enumerate(st.columns(2, gap="large")):
        look = scene.looks[place]
        label = look.answer if name == ANSWER else classes.index(name)
        with column:
            st.markdown(f"**{scene.names[place]}: where the score of {classes[label]} comes from**")
            figure_shown(figures.taken_apart(look, label, classes[label]), f"apart-{place}", f"{scene.names[place]}-score")
            _proof(look, label)
            st.markdown(f"**Why {classes[look.answer]} and not {classes[look.contest.rival]}**")
            figure_shown(figures.set_against(look, classes), f"against-{place}", f"{scene.names[place]}-rival")
            _contest(look, classes)
    rows = lambda: [  # noqa: E731  # called only when the button is pressed
        row | {"network": name}
        for look, name in zip(scene.looks, scene.names, strict=True)
        for row in figures.cell_rows(look, classes)
    ]
    csv_button("Every cell of every class", rows, "evidence.csv", "evidence-csv")


def _proof(look: Look, label: int) -> None:
    """The sum beside the network's own score: they are computed apart."""
    found = look.evidence
    parts = [f"{found.shares[label].numel()} cells {signed(found.shares[label].sum().item())}"]
    if found.remainder_name:
        parts.append(f"{found.remainder_name}: {signed(found.remainders[label].item())}")
    st.markdown(
        f":material/check: {' and '.join(parts)} make **{found.totals[label].item():+.5f}**; the network itself scores "
        f"**{found.scores[label].item():+.5f}**. Over all classes they differ by {found.largest_error:.0e} of the score at most."
    )


def _contest(look: Look, classes: tuple[str, ...]) -> None:
    contest = look.contest
    if look.tied:
        st.markdown(
            f":material/info: {classes[contest.rival]} has the larger logit, but both sigmoids are 1.0 in float32, and of equal "
            f"outputs the article takes the lower class, {classes[contest.winner]}."
        )
        return
    remainder = f", {look.evidence.remainder_name} {signed(contest.remainder)}" if look.evidence.remainder_name else ""
    st.caption(f"Green cells speak for {classes[contest.winner]}, purple ones for {classes[contest.rival]}{remainder}.")


def show_on_the_image(scene: Scene) -> None:
    """The answer's class map and the gradients of its score, laid over the image."""
    for place, column in enumerate(st.columns(2, gap="large")):
        look = scene.looks[place]
        name = scene.dataset.classes[look.answer]
        with column:
            st.markdown(f"**{scene.names[place]}: where {name} lies on the image**")
            figure_shown(figures.over_the_image(look, name), f"image-{place}", f"{scene.names[place]}-on-the-image")
            row, column_ = look.evidence.strongest_cell(look.answer)
            st.caption(
                f"Solid: the pixels at the centre of the strongest cell (row {row}, column {column_}). Dotted: its receptive "
                f"field, {figures.field_size(look)}, all that it can depend on. The gradient says which pixels it does depend on."
            )
    rows = lambda: [  # noqa: E731
        row | {"network": name} for look, name in zip(scene.looks, scene.names, strict=True) for row in figures.pixel_rows(look)
    ]
    csv_button("Gradient of every pixel", rows, "gradients.csv", "gradients-csv")
