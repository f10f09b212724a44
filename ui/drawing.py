"""Drawings on a page: an SVG of `gpcore.figures`, what its marks say under the pointer, and a button that saves it as PNG."""

from pathlib import Path

import streamlit as st

from gpcore.figures.rows import Rows
from ui import frame
from ui.frame import framed, script

_mounted = st.components.v2.component(
    "poolscope_drawing",
    html=framed("drawing", '<div class="shown"></div>'),
    css=frame.CSS,
    js=script(Path(__file__).with_suffix(".js")),
)


def show_rows(rows: Rows, key: str, name: str) -> None:
    """Rows of dots; `name` is what the drawing is called when it is saved."""
    _mounted(data={"svg": rows.svg(), "name": name}, key=key)
