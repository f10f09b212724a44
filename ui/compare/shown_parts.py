"""Shows the parts of a report on the page."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from gpcore.drawing.rows import Rows
from gpcore.report.parts import Chapter, Figure, Part
from ui.components import show_charts, show_rows
from ui.widgets import csv_button, errors_shown, figure_shown
from ui.wording import plain


def show(part: Part, name: str) -> None:
    """Shows a part; `name` is that of its file of numbers."""
    for sentence in part.sentences:
        st.markdown(plain(sentence))
    width = min(len(part.figures), 2)
    for start in range(0, len(part.figures), 2):
        columns = st.columns(width, gap="large") if width > 1 else [st.container()]
        for figure, column in zip(part.figures[start : start + 2], columns, strict=False):
            with column:
                _show_figure(figure)
    if part.table:
        frame = pd.DataFrame(part.table)
        whole = {key: st.column_config.NumberColumn(format="localized") for key in frame.select_dtypes("number")}
        st.dataframe(frame, hide_index=True, height="content" if len(frame) < 12 else 300, column_config=whole)
    if part.caption:
        st.caption(plain(part.caption))
    if part.numbers:
        csv_button("Numbers", part.numbers, f"{name}.csv", f"{name}-csv")


def show_tabs(chapter: Chapter, key: str) -> None:
    """Shows a chapter in tabs, of which only the open one is computed."""
    for (title, make), tab in zip(
        chapter.parts.items(), st.tabs(list(chapter.parts), key=key, bind="query-params"), strict=True
    ):
        if tab.open:
            with tab, errors_shown(go_on=True):
                show(make(), f"{key}-{title.lower()}")


def show_commands(chapter: Chapter) -> None:
    """Shows the commands that reproduce a chapter when they are asked for."""
    with st.popover("Reproduce it", icon=":material/terminal:", type="tertiary"):
        st.code("\n".join(chapter.commands), "sh", wrap_lines=True)


def _show_figure(figure: Figure) -> None:
    if figure.title:
        st.markdown(f"**{plain(figure.title)}**")
    match figure.drawing:
        case Rows():
            show_rows(figure.drawing, figure.name, figure.name)
        case go.Figure():
            figure_shown(figure.drawing, figure.name, figure.name)
        case charts:
            show_charts(charts, figure.name)
