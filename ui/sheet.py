"""A sheet on a page: drawn by the browser, with the value under the pointer and a button that saves it as PNG."""

from pathlib import Path

import streamlit as st

from gpcore.figures.sheet import Sheet
from ui import frame
from ui.frame import framed, script

HTML = framed("sheet", '<canvas role="img"></canvas>')

CSS = (
    frame.CSS
    + """
.sheet { width: 100%; }
.sheet canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
"""
)

JS = script(Path(__file__).with_suffix(".js"))

_mounted = st.components.v2.component("poolscope_sheet", html=HTML, css=CSS, js=JS)


def show_sheet(sheet: Sheet, key: str, name: str, label: str | None = None) -> None:
    """A sheet; `name` is what it is called when it is saved, and what a screen reader says unless `label` has more to say."""
    # The theme is part of the data, since texts have its colour: in another one the sheet is drawn anew.
    _mounted(data=sheet.data() | {"name": name, "label": label or name, "theme": st.context.theme.type}, key=key)
