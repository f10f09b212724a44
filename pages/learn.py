"""Learn: what is global pooling? By hand, on two small maps whose numbers the visitor edits."""

import pandas as pd
import streamlit as st

from gpcore.errors import InsightError
from gpcore.figures.gradient_sheets import gradient_sheet
from gpcore.insight.hand_example import BY_HAND, EXAMPLES, Grid, pool_by_hand
from gpcore.nets.pooling import POOLS
from gpcore.recipe import Pool
from ui.components import show_sheet
from ui.links import page_file

NAMES = ("Class A", "Class B")

st.title("What is global pooling?")
st.markdown(
    "A convolutional network ends with one small map per class: each cell says how much *that place* of the image looks like "
    "that class. **Global pooling** turns each map into one number, the score; the class with the largest score is the answer. "
    "Change a number below and watch each pooling's score."
)


def forget_edits() -> None:
    """Resets the tables with new keys; unedited tables keep their keys and are not redrawn."""
    turn = st.session_state.tables_turn
    tables = (st.session_state.get(f"{name} {turn}") for name in NAMES)  # missing if the page was still being drawn
    if any(table and table["edited_rows"] for table in tables):
        st.session_state.tables_turn += 1


def edit(title: str, grid: Grid, key: str) -> Grid:
    """A table of numbers that the visitor can change."""
    st.markdown(f"**{title}**")
    numbers = {str(column): st.column_config.NumberColumn("", required=True, format="%.1f") for column in range(3)}
    table = pd.DataFrame(grid, columns=list(numbers), dtype=float)
    return st.data_editor(table, hide_index=True, column_config=numbers, key=key).fillna(0.0).to_numpy().tolist()


def show(pool: Pool) -> None:
    """Shows one pooling's scores of both maps and their gradients, or an error."""
    try:
        results = [pool_by_hand(grid, pool) for grid in grids]
    except InsightError as error:
        st.markdown(f"### {POOLS[pool].label}")
        st.info(str(error), icon=":material/block:")
        return
    scores = [result.score for result in results]
    winner = "a tie" if abs(scores[0] - scores[1]) < 1e-6 else NAMES[scores.index(max(scores))]
    st.markdown(f"### {POOLS[pool].label}\nanswers **{winner}**")
    for name, result, column in zip(NAMES, results, st.columns(2), strict=True):
        column.metric(f"{name}: score", f"{result.score:.2f}")
        with column:
            show_sheet(gradient_sheet(result.gradient, pool), f"{pool} {name}", f"{POOLS[pool].label}, {name}")


turn = st.session_state.setdefault("tables_turn", 0)
example = st.selectbox("Start from", list(EXAMPLES), key="example", bind="query-params", on_change=forget_edits)
editors = zip(NAMES, EXAMPLES[example], st.columns(2), strict=True)
grids = []
for name, grid, column in editors:
    with column:
        grids.append(edit(f"{name}: its map", grid, f"{name} {turn}"))

st.caption(
    "Under each score: where the gradient goes, that is which cells training will change and by how much of the whole. GAP "
    "sends it equally to all cells, GMP to the brightest one only, and the others lie between."
)
for place, pool in enumerate(BY_HAND):
    if place % 2 == 0:
        columns = st.columns(2)
    with columns[place % 2].container(border=True):
        show(pool)
with columns[1].container(border=True):
    st.markdown(
        "### Attention\nis not shown by hand: it is a weighted mean too, but how much a cell counts is *learned*, from what "
        "all maps hold there, so two small maps are not enough. *Inside* shows its weights on real images. The heads `mlp` and "
        "`mlp-dropout` don't pool: linear layers see every cell."
    )

st.subheader("In formulas")
st.markdown("For the cells $x_1, …, x_n$ of one map:")
st.markdown(
    r"""
| pooling | score | gradient of cell $i$ |
|---|---|---|
| GAP, global average | $\frac{1}{n}\sum_i x_i$ | $\frac{1}{n}$ |
| GMP, global max | $\max_i x_i$ | $1$ at the maximum, $0$ elsewhere |
| LSE, log-sum-exp with $r = 4$ | $\frac{1}{r}\log\left(\frac{1}{n}\sum_i e^{r x_i}\right)$ | $\mathrm{softmax}(r x)_i$ |
| Avg+Max | $\frac{1}{2}(\mathrm{mean} + \max)$ | the mean of the first two |
| GeM with $p = 3$, for $x_i \ge 0$ | $s = \left(\frac{1}{n}\sum_i x_i^p\right)^{1/p}$ | $\frac{1}{n}(x_i / s)^{p-1}$ |
| attention, $a$ learned | $\sum_i a_i x_i$ with $\sum_i a_i = 1$ | $a_i$, and what passes through $a$ |
"""
)
st.page_link(page_file("inside"), label="See it on real images: *Inside*", icon=":material/grid_on:")
