"""Streamlit components that show the engine's drawings: charts, rows and sheets, each with a button that saves it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from gpcore.drawing import charts
from gpcore.drawing.browser import FRAME_CSS, frame_script, framed
from gpcore.drawing.charts import Chart
from gpcore.drawing.rows import Rows

if TYPE_CHECKING:  # a sheet holds tensors, and *Compare* draws its charts without PyTorch
    from gpcore.drawing.sheets import Sheet

CHARTS_CSS = ".charts { color: var(--st-text-color); font-family: var(--st-font); }"

CHARTS_JS = """
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".charts");
  for (const chart of data.charts) showChart(place, chart);
  if (place.theme !== data.theme) for (const figure of place.children) redraw(figure);
  place.theme = data.theme;
}
"""

SHEET_HTML = framed("sheet", '<canvas role="img"></canvas>')

SHEET_CSS = (
    FRAME_CSS
    + """
.sheet { width: 100%; }
.sheet canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
"""
)

SHEET_JS = frame_script("sheets.js")

_charts = st.components.v2.component(
    "poolscope_charts", html='<div class="charts"></div>', css=charts.stylesheet() + CHARTS_CSS, js=charts.script() + CHARTS_JS
)

_rows = st.components.v2.component(
    "poolscope_rows", html=framed("drawing", '<div class="shown"></div>'), css=FRAME_CSS, js=frame_script("rows.js")
)

_sheet = st.components.v2.component("poolscope_sheet", html=SHEET_HTML, css=SHEET_CSS, js=SHEET_JS)


def show_charts(shown: Sequence[Chart], key: str) -> None:
    """Shows charts in a row, or below each other on a narrow page."""
    _charts(data={"charts": [chart.to_json() for chart in shown], "theme": st.context.theme.type}, key=key)


def show_rows(rows: Rows, key: str, name: str) -> None:
    """Shows rows of dots; `name` is the name of the saved file."""
    _rows(data={"svg": rows.svg(), "name": name}, key=key)


def show_sheet(
    sheet: "Sheet", key: str, name: str, label: str | None = None, on_click: Callable[[str], None] | None = None
) -> None:
    """Shows a sheet; `name` is the name of the saved file, and what a screen reader says where `label` says nothing else.

    A click on a matrix calls `on_click` with the matrix's name before the page runs again.
    """
    drawing = sheet.data(dark=st.context.theme.type == "dark")
    show_drawing(drawing | {"name": name, "label": label or name, "clicks": on_click is not None}, key, on_click)


def show_drawing(drawing: dict[str, Any], key: str, on_click: Callable[[str], None] | None = None) -> None:
    """Shows a sheet that is already JSON, with its name and label."""

    def clicked() -> None:
        name = st.session_state[key].clicked
        if on_click and name is not None:
            on_click(name)

    # The theme is part of the data, since texts have its colour: the browser draws the sheet again when it changes.
    # From the start, so that nothing below it moves.
    height: int | Literal["content"] = "content" if drawing["shrinks"] else drawing["pixels"]
    _sheet(data=drawing | {"theme": st.context.theme.type}, key=key, height=height, on_clicked_change=clicked)
