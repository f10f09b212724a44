"""Learn: what is global pooling? A story of one map, its mean and its brightest cell."""

import streamlit as st

from gpcore.insight.hand_example import EXAMPLES
from ui import sharing
from ui.first import shown
from ui.learn import story
from ui.links import page_file

st.title("What is global pooling?")

st.header("One map, one score")
st.markdown(
    "A convolutional network ends in one small map per class: a cell says how much *that place* of the image looks like the "
    "class. **Global pooling** makes one number of a map, its score, and the class with the largest score is the answer. "
    "Choose a value, click on cells, and watch both scores."
)
map_side, score_side = st.columns([1, 2.2], gap="large")
with map_side:
    grid = story.paint_map()
with score_side:
    story.show_scores(grid)

st.header("Why both work")
st.markdown(
    "*Global average pooling* asks whether a map is **bright on average**: training makes the true class's map bright "
    "wherever the thing is. *Global max pooling* asks for **one bright cell**: training makes one place as bright as it can, "
    "and the rest may stay dark. Here are two networks, alike but for that, on one image of the article:"
)
shown.show_networks()

st.header("Where the gradient goes")
st.markdown(
    "Training changes a cell by its share of the gradient: GAP sends it to all cells alike, GMP to the brightest one alone. So "
    "GAP learns from the whole thing, and GMP from its most telling part."
)
story.show_gradients(grid, story.PAIR)

st.header("Other poolings")
st.markdown("Between the mean and the maximum there are others, on the map that you painted:")
story.show_gradients(grid, ("lse", "avgmax", "gem"))
st.markdown(
    "*Attention* is a weighted mean whose weights are learned, so that it can't be shown on one map: *Inside* shows it on "
    "images. The heads `mlp` and `mlp-dropout` pool nothing: linear layers see every cell."
)
with st.expander("In formulas", icon=":material/function:"):
    st.markdown(
        r"""
For the cells $x_1, …, x_n$ of one map:

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

st.header("Where they differ")
st.markdown("Guess before you see: which class has the larger score?")
story.ask(st.selectbox("The maps", list(EXAMPLES), key="example", bind="query-params"))

sharing.show_sharing()
st.page_link(page_file("inside"), label="See it on real images: *Inside*", icon=":material/grid_on:")
