"""The part of *Classify* that shows one picture: how it was prepared, what both models answer and where that comes from."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from gpcore.drawing.theme import POOL_COLOURS
from gpcore.figures.answer_sheets import answer_sheet
from gpcore.figures.crop_box import box_of
from gpcore.insight.answers import Answer, cuts_out, turn_hint
from gpcore.runs.run import Run
from ui import stores, widgets
from ui.classify import pictures as pictures
from ui.classify.pictures import Picture
from ui.components import show_sheet
from ui.links import page_file
from ui.wording import plain

FOREGROUNDS = {"automatic": "found by itself", "swapped": "the other part", "everything": "the whole box"}
POLARITIES = {"automatic": "found by itself", "negated": "negated", "kept": "as in the photograph"}

NO_MAPS = (
    "This network has no class maps to show where its answer comes from: choose a run that pools class maps, such "
    "as GAP or GMP."
)


def show_picture(picture: Picture, runs: Sequence[Run]) -> None:
    """One picture: how it was prepared, what both models answer and where that comes from."""
    if picture.photo is None:
        st.error(plain(picture.error or ""), icon=":material/broken_image:")
        return
    for note in picture.photo.notes:
        st.info(plain(note), icon=":material/info:")
    turn, *_ = st.columns([1, 3])
    turn.button("Turn by 90°", icon=":material/rotate_right:", key="turn", on_click=picture.turn)
    if any(map(cuts_out, runs)):
        strip = st.container(horizontal=True, gap="small")
        for step, shown in zip(picture.prepared.steps, picture.shown_steps(picture.prepared), strict=True):
            strip.image(shown, step.title, width=132)
        correct(picture)
    if st.button("Look inside both networks with this picture", icon=":material/grid_on:", key="look inside"):
        st.session_state.sent_picture = pictures.sent_on(picture, runs[0])
        first, second = map(stores.key_of, runs)
        st.switch_page(page_file("inside"), query_params={"run": first, "run2": second})
    answers = [pictures.answered(picture, run) for run in runs]
    for hint in dict.fromkeys(filter(None, (turn_hint(picture.photo, answer) for answer in answers))):
        st.info(hint, icon=":material/rotate_right:")
    if any(answer.none_of_these for answer in answers):
        st.warning(
            "This is perhaps none of the classes: no class stands out from the others as it does for 95 % of the test images. "
            "An object of another kind makes this warning come up, but so does a hard photograph of one that the network "
            "knows.",
            icon=":material/help:",
        )
    for place, (column, run, answer) in enumerate(zip(st.columns(2, gap="large"), runs, answers, strict=True)):
        with column:
            show_answer(picture, run, answer, f"answer-{place}")


def show_answer(picture: Picture, run: Run, answer: Answer, key: str) -> None:
    """Shows one model's answer, and which part of the photograph it comes from."""
    assert picture.photo is not None
    doubt = ", or perhaps none of these" if answer.none_of_these else ""
    st.markdown(f"**{plain(run.record.title)}**: {plain(answer.label)}{doubt}")
    st.caption(measured(run))
    colour, framed = POOL_COLOURS[run.recipe.pool], run.recipe.pool == "gmp"
    sheet = answer_sheet(picture.beneath, picture.photo.size, picture.prepared_for(run).box, answer, colour, framed)
    saved_as = f"{run.record.title}-{Path(picture.name).stem}"
    show_sheet(sheet, key, saved_as, label=f"{run.record.title}: {answer.ranking}")
    if answer.class_maps is None:
        st.info(NO_MAPS, icon=":material/info:")


def measured(run: Run) -> str:
    """How often a run is right, on how many images that it was not trained on."""
    last = run.record.last
    assert last is not None
    what = "photographs" if not cuts_out(run) else "of FashionMNIST's test images"
    return f"Right for {last.validation_accuracy:.0%} of {pictures.calibration(run).images:,} {what} it was not trained on."


def correct(picture: Picture) -> None:
    """Shows the corrections; they are applied before the page is redrawn, so that it is drawn once."""
    assert picture.photo is not None
    crop, part, light = (f"{name} {id(picture)}" for name in ("crop", "part", "light"))

    def follow(**changes: Any) -> None:
        picture.correct(dataclasses.replace(picture.correction, **changes))

    with st.expander("The wrong part was cut out?", icon=":material/crop:"):
        photo_side, choices_side = st.columns([1.4, 1], gap="large")
        with photo_side:
            st.caption("Drag a box around the object; a double click takes the whole picture again.")
            st.plotly_chart(
                picture.crop_chart,
                key=crop,
                on_select=lambda: follow(box=box_of(st.session_state[crop].selection)),
                selection_mode="box",
                theme=None,
                config=widgets.PLOT_CONFIG | {"displayModeBar": False},
            )
        with choices_side:
            now = picture.correction
            choose("The object is", FOREGROUNDS, now.foreground, part, lambda: follow(foreground=st.session_state[part]))
            choose("Light and dark", POLARITIES, now.polarity, light, lambda: follow(polarity=st.session_state[light]))


def choose(title: str, options: dict[str, str], chosen: str, key: str, on_change: Callable[[], None]) -> None:
    """Shows a choice of a few options; the first is the automatic one."""
    st.segmented_control(
        title, list(options), default=chosen, format_func=options.__getitem__, required=True, key=key, on_change=on_change
    )


def explain_probabilities(runs: Sequence[Run]) -> None:
    """Explains why these are not the probabilities that the article's networks were trained with."""
    temperatures = "; ".join(f"{plain(run.record.title)} has *T* = {pictures.calibration(run).temperature:.2f}" for run in runs)
    with st.expander("What these probabilities mean", icon=":material/percent:"):
        if not all(map(cuts_out, runs)):
            st.markdown(
                "Shown is softmax(logits / *T*), averaged over the photograph and its mirror image, with one temperature *T* "
                "per network, fitted on test images so that of the answers given with 80 %, about 80 % are right: "
                + temperatures
            )
            return
        st.markdown(
            "The article's recipe puts a sigmoid before the softmax of its loss. A sigmoid lies between 0 and 1, so after the "
            "softmax no class could ever get more than *e* / (*e* + 9) = 0.23, however sure the network is. Shown here is "
            "softmax(logits / *T*) instead, with one temperature *T* per network, fitted on FashionMNIST's test images so that "
            "of the answers given with 80 %, about 80 % are right *there*: "
            + temperatures
            + ". Photographs are harder than the test images, so on them even these are too high."
        )
