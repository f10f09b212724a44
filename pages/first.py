"""The first page: what global pooling is, on one image, and what comes of it; everything else is a door away."""

import streamlit as st

from ui.first import shown
from ui.links import page_file

if set(st.query_params) - {"text"}:  # Compare opened here once, and links to what it shows go on working
    st.switch_page(page_file("compare"), query_params={name: st.query_params.get_all(name) for name in st.query_params})

st.title("Poolscope")
st.markdown(
    "A network that looks at images ends in one small map per class: the brighter a cell, the more that place looks like the "
    "class. *Global average pooling* (GAP) takes the mean of a map as the score, so a class wins that is bright "
    "**on average**. *Global max pooling* (GMP) takes its maximum, so **one bright cell** is enough."
)
shown.show_networks()
shown.show_results()

DOORS = {
    "learn": ("Understand", "school", "One map, its mean and its brightest cell, and where the two differ. Five minutes."),
    "train": ("Train live", "play_circle", "Train both networks here, watch them learn, and look inside meanwhile."),
    "compare": ("Compare", "balance", "Which one wins, over seeds, datasets and other poolings, with intervals."),
}

for column, (page, (title, icon, sentence)) in zip(st.columns(3), DOORS.items(), strict=True):
    with column.container(border=True):
        st.page_link(page_file(page), label=f"**{title}**", icon=f":material/{icon}:")
        st.caption(sentence)
