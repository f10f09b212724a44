"""Learn: what is global pooling? By hand, on two small maps whose numbers the visitor edits."""

import pandas as pd
import streamlit as st

from gpcore.figures.by_hand import gradient_grid
from gpcore.insight.by_hand import EXAMPLES, Grid, Pooled, pool_by_hand
from gpcore.nets.pooling import POOLS

NAMES = ("Class A", "Class B")

st.title("What is global pooling?")
st.markdown(
    "A convolutional network ends with one small map per class: each cell says how much *that place* of the image looks like "
    "that class. **Global pooling** turns each map into one number, the score; the class with the largest score is the answer. "
    "Change a number below and watch what each pooling makes of it."
)


def edit(title: str, grid: Grid, key: str) -> Grid:
    """A table of numbers that the visitor can change."""
    st.markdown(f"**{title}**")
    numbers = {str(column): st.column_config.NumberColumn("", required=True, format="%.1f") for column in range(3)}
    table = pd.DataFrame(grid, columns=list(numbers), dtype=float)
    return st.data_editor(table, hide_index=True, column_config=numbers, key=key).fillna(0.0).to_numpy().tolist()


def show(pool: str, results: list[Pooled]) -> None:
    """What one pooling makes of both maps, and where its gradient goes."""
    scores = [result.score for result in results]
    winner = "a tie" if abs(scores[0] - scores[1]) < 1e-6 else NAMES[scores.index(max(scores))]
    st.markdown(f"### {POOLS[pool].label}\nanswers **{winner}**")
    for name, result, column in zip(NAMES, results, st.columns(2), strict=True):
        column.metric(f"{name}: score", f"{result.score:.2f}")
        column.plotly_chart(gradient_grid(result.gradient, pool), key=f"{pool} {name}", config={"displayModeBar": False})


example = st.selectbox("Start from", list(EXAMPLES), key="example", bind="query-params")
editors = zip(NAMES, EXAMPLES[example], st.columns(2), strict=True)
grids = []
for name, grid, column in editors:
    with column:
        grids.append(edit(f"{name}: its map", grid, f"{example} {name}"))

st.caption(
    "Under each score: where the gradient goes, that is which cells training will change and by how much of the whole. GAP "
    "sends it everywhere alike, GMP to the one brightest cell, and the others lie between."
)
for pools in (("gap", "gmp"), ("lse", "avgmax")):
    for pool, column in zip(pools, st.columns(2), strict=True):
        with column.container(border=True):
            show(pool, [pool_by_hand(grid, pool) for grid in grids])

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
"""
)
st.page_link("views/inside.py", label="See it on real images: *Inside*", icon=":material/grid_on:")
