"""Classify: what is in my picture?"""

import dataclasses
from collections.abc import Callable, Sequence

import streamlit as st

from gpcore.figures.crop import box_of, croppable
from gpcore.figures.overlay import likeliest, maps_over_photo
from gpcore.figures.steps import tile
from gpcore.figures.theme import POOL_COLOURS
from gpcore.insight.answers import check_takes_photos
from gpcore.runs.choice import default_pair
from gpcore.runs.run import Run
from ui import links, widgets
from ui import picture as pictures
from ui.picture import Picture
from ui.wording import plain

FOREGROUNDS = {"automatic": "found by itself", "swapped": "the other part", "everything": "the whole box"}
POLARITIES = {"automatic": "found by itself", "negated": "negated", "kept": "as in the photograph"}
SOURCES = [
    ":material/upload: Files",
    ":material/content_paste: Paste",
    ":material/photo_camera: Camera",
    ":material/image: Examples",
]

st.title("What is in my picture?")
found = widgets.trained_runs_or_stop()
st.caption(
    "A photograph is cut out, trimmed, shrunk and negated until it is what FashionMNIST would have held, since that is all "
    "these networks know: T-shirts, trousers, pullovers, dresses, coats, sandals, shirts, sneakers, bags and ankle boots."
)


def take_files() -> None:
    """The four ways to bring pictures."""
    upload, paste, camera, shipped = st.tabs(SOURCES, key="bring", on_change="rerun")
    turn = st.session_state.setdefault("upload_turn", 0)  # a new key empties the widget, and frees what it held
    with upload:
        files = st.file_uploader("Pictures of clothes, up to 20 MB each", accept_multiple_files=True, key=f"files {turn}")
    with paste:
        pasted = st.chat_input("Click here, paste a picture (Ctrl+V or ⌘V), press Enter", accept_file="multiple", key="pasted")
    with camera:
        shot = (
            st.camera_input("Photograph it from straight above, on a plain floor", key=f"shot {turn}") if camera.open else None
        )
    with shipped:
        chosen = show_examples()
    new = [*(files or []), *(pasted.files if pasted else []), *([shot] if shot else []), *chosen]
    if new:
        pictures.bring(new)
        st.session_state.upload_turn += 1
        st.rerun()


def show_examples() -> list[pictures.Example]:
    """Shipped pictures to try; those just clicked."""
    examples = pictures.examples()
    st.caption("FashionMNIST test images, made into large pictures by `make examples`.")
    row = st.container(horizontal=True)
    clicked = []
    for example in examples:
        with row.container(width=132):
            st.image(str(example.path), width="stretch")
            if st.button(example.path.stem.replace("-", " "), key=f"example {example.name}", type="tertiary"):
                clicked.append(example)
    if examples and row.button("Try all of them", key="all examples"):
        clicked = examples
    return clicked


def overview(brought: Sequence[Picture], runs: Sequence[Run]) -> Picture:
    """All pictures with both answers, as a table to choose from and to download."""
    rows = [row_of(picture, runs) for picture in brought]
    table = [{"picture": picture.thumbnail, **row} for picture, row in zip(brought, rows, strict=True)]
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        row_height=72,
        height=min(38 + 72 * len(rows), 420),
        column_config={"picture": st.column_config.ImageColumn("", width="small")}
        | {f"{run.record.title}, probability": st.column_config.NumberColumn("probability", format="percent") for run in runs},
        key=f"overview {len(brought)}",
    )
    left, right = st.columns(2)
    with left:
        widgets.csv_button("All answers", lambda: rows, "classified.csv", key="classified csv")
    right.button("Clear all pictures", icon=":material/delete:", on_click=brought.clear, key="clear")
    selected = event.selection.rows
    return brought[selected[0] if selected else min(st.session_state.get("chosen_picture", 0), len(brought) - 1)]


def row_of(picture: Picture, runs: Sequence[Run]) -> dict[str, object]:
    """One line of the table and of the CSV."""
    row: dict[str, object] = {"name": picture.name}
    for run in runs:
        answer = pictures.answered(picture, run) if picture.prepared else None
        row[run.record.title] = answer.label if answer else ""
        row[f"{run.record.title}, probability"] = round(float(answer.probabilities.max()), 4) if answer else None
        row["none of these"] = bool(row.get("none of these")) or bool(answer and answer.none_of_these)
    return row | {"problem": picture.error or ""}


def show_picture(picture: Picture, runs: Sequence[Run]) -> None:
    """One picture: how it was prepared, what both models answer and where that comes from."""
    if picture.photo is None or picture.prepared is None:
        st.error(picture.error, icon=":material/broken_image:")
        return
    for note in picture.photo.notes:
        st.info(note, icon=":material/info:")
    steps = picture.prepared.steps
    strip = st.container(horizontal=True, gap="small")
    for step in steps:
        strip.image(tile(step), step.title, width=132)
    correct(picture)
    if st.button("Look inside both networks with this picture", icon=":material/grid_on:", key="look inside"):
        st.session_state.sent_picture = pictures.sent_on(picture)
        st.switch_page("views/inside.py")
    answers = [pictures.answered(picture, run) for run in runs]
    if any(answer.none_of_these for answer in answers):
        st.warning(
            "This is perhaps none of the ten classes: no class stands out from the others as it does for 95 % of "
            "FashionMNIST's test images. A hat or a skirt makes this warning come up, but so does a hard photograph of clothes "
            "that the network knows.",
            icon=":material/help:",
        )
    for place, (column, run, answer) in enumerate(zip(st.columns(2, gap="large"), runs, answers, strict=True)):
        colour = POOL_COLOURS[run.recipe.pool]
        with column:
            st.markdown(f"**{plain(run.record.title)}**: {answer.label}")
            st.plotly_chart(likeliest(answer, colour), key=f"bars-{place}", config=widgets.PLOT_CONFIG)
            figure = maps_over_photo(picture.photo.pixels, picture.prepared.box, answer, colour)
            st.plotly_chart(figure, key=f"over-photo-{place}", config=widgets.PLOT_CONFIG)


def explain_probabilities(runs: Sequence[Run]) -> None:
    """Why these are not the probabilities that the article's networks were trained with."""
    with st.expander("What these probabilities mean", icon=":material/percent:"):
        st.markdown(
            "The article's recipe puts a sigmoid before the softmax of its loss. A sigmoid lies between 0 and 1, so after the "
            "softmax no class could ever get more than *e* / (*e* + 9) = 0.23, however sure the network is. Shown here is "
            "softmax(logits / *T*) instead, with one temperature *T* per network, fitted on FashionMNIST's test images so that "
            "of the answers given with 80 %, about 80 % are right *there*: "
            + "; ".join(f"{plain(run.record.title)} has *T* = {pictures.calibration(run).temperature:.2f}" for run in runs)
            + ". Photographs are harder than the test images, so on them even these are too high."
        )


def correct(picture: Picture) -> None:
    """What to change where the guess is wrong; it is followed before the page is drawn anew, so that it is drawn once."""
    assert picture.photo is not None
    crop, part, light = (f"{name} {id(picture)}" for name in ("crop", "part", "light"))

    def follow(**changes: object) -> None:
        picture.correct(dataclasses.replace(picture.correction, **changes))

    with st.expander("The wrong part was cut out?", icon=":material/crop:"):
        photo_side, choices_side = st.columns([1.4, 1], gap="large")
        with photo_side:
            st.caption("Drag a box around the object; a double click takes the whole picture again.")
            st.plotly_chart(
                croppable(picture.photo.pixels),
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
    """One of a few, the first one being what happens by itself."""
    st.segmented_control(
        title, list(options), default=chosen, format_func=options.get, required=True, key=key, on_change=on_change
    )


take_files()
with widgets.errors_shown():
    default = default_pair(found, recipe="photo")
    sides = st.columns(2)
    chosen_runs = []
    for side, key, title, run_key in zip(sides, ("first", "second"), ("First model", "Second model"), default, strict=True):
        with side:
            links.explain_choice(key, found, title.lower())
            chosen_runs.append(widgets.pick_run(title, key, found, run_key))
    for run in chosen_runs:
        check_takes_photos(run)
    if not pictures.brought():
        st.info("Drop a picture above, or try an example.", icon=":material/arrow_upward:")
        st.stop()
    if "too_many" in st.session_state:
        st.warning(st.session_state.pop("too_many"), icon=":material/inventory_2:")
    shown = overview(pictures.brought(), chosen_runs)
    show_picture(shown, chosen_runs)
    explain_probabilities(chosen_runs)
