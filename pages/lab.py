"""Lab: when does the other one win?"""

import streamlit as st

from ui import widgets
from ui.lab import sections

st.title("When does the other one win?")
found = widgets.trained_runs_or_stop()

SECTIONS = {
    "Disturbed images": sections.show_robustness,
    "One item, every place": sections.show_positions,
    "Small items in clutter": sections.show_crossover,
}

with widgets.errors_shown():
    for tab, show in zip(st.tabs(list(SECTIONS), key="lab", bind="query-params"), SECTIONS.values(), strict=True):
        if tab.open:
            with tab, widgets.errors_shown():
                show(found)
