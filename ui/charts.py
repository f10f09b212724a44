"""Charts on a page: curves that `gpcore/figures/charts.js` draws, side by side where there is room for it."""

from collections.abc import Sequence

import streamlit as st

from gpcore.figures import charts
from gpcore.figures.charts import Chart

CSS = ".charts { color: var(--st-text-color); font-family: var(--st-font); }"

JS = """
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".charts");
  for (const chart of data.charts) showChart(place, chart);
  if (place.theme !== data.theme) for (const figure of place.children) redraw(figure);
  place.theme = data.theme;
}
"""

_mounted = st.components.v2.component(
    "poolscope_charts", html='<div class="charts"></div>', css=charts.stylesheet() + CSS, js=charts.script() + JS
)


def show_charts(shown: Sequence[Chart], key: str) -> None:
    """Charts in a row, or below each other on a narrow page."""
    _mounted(data={"charts": [chart.to_json() for chart in shown], "theme": st.context.theme.type}, key=key)
