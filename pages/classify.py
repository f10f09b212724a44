"""Classify: what is in my picture?"""

from collections.abc import Sequence

import streamlit as st

from gpcore.runs.run import Run
from gpcore.runs.selection import default_pair
from ui import links, widgets
from ui.classify import picture_sources, picture_view
from ui.classify import pictures as pictures
from ui.classify.pictures import Picture

st.title("What is in my picture?")
found = widgets.trained_runs_or_stop()
PRETRAINED = "as it is, by a pretrained network"
ARTICLE = "cut out and shrunk to 28×28, by the article's network"
CAPTIONS = {
    PRETRAINED: "The square in the middle of a photograph goes through a network that was pretrained on ImageNet; only the "
    "heads were trained here, on photographs of clothes, one with each pooling.",
    ARTICLE: "A photograph is cut out, trimmed, shrunk and negated to look like an image of FashionMNIST, which these networks "
    "were trained on: T-shirts, trousers, pullovers, dresses, coats, sandals, shirts, sneakers, bags and ankle boots.",
}
PAIRS = {PRETRAINED: default_pair(found, recipe="photographs"), ARTICLE: default_pair(found, recipe="photo")}


def take_pair() -> None:
    """Put the runs of the chosen way into the two boxes."""
    st.session_state.first, st.session_state.second = PAIRS[st.session_state.way]


way = st.segmented_control(
    "Take the photograph", list(PAIRS), default=PRETRAINED, key="way", on_change=take_pair, required=True
)
st.caption(CAPTIONS[way])


def overview(brought: Sequence[Picture], runs: Sequence[Run]) -> Picture:
    """Shows all pictures with both answers as a table, to choose from and to download."""
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
        answer = pictures.answered(picture, run) if picture.photo else None
        row[run.record.title] = answer.label if answer else ""
        row[f"{run.record.title}, probability"] = round(float(answer.probabilities.max()), 4) if answer else None
        row["none of these"] = bool(row.get("none of these")) or bool(answer and answer.none_of_these)
    return row | {"problem": picture.error or ""}


picture_sources.take_files()
with widgets.errors_shown():
    sides = st.columns(2)
    chosen_runs = []
    for side, key, title, run_key in zip(sides, ("first", "second"), ("First model", "Second model"), PAIRS[way], strict=True):
        with side:
            links.explain_choice(key, found, title.lower())
            chosen_runs.append(widgets.pick_run(title, key, found, run_key))
    if not pictures.brought():
        st.info("Drop a picture above, or try an example.", icon=":material/arrow_upward:")
        st.stop()
    if "too_many" in st.session_state:
        st.warning(st.session_state.pop("too_many"), icon=":material/inventory_2:")
    shown = overview(pictures.brought(), chosen_runs)
    picture_view.show_picture(shown, chosen_runs)
    picture_view.explain_probabilities(chosen_runs)
