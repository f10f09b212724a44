"""Drawings on a page: an SVG of `gpcore.figures`, what its marks say under the pointer, and a button that saves it as PNG."""

from pathlib import Path

import streamlit as st

from gpcore.figures.charts import saving
from gpcore.figures.rows import Rows

HTML = """
<div class="drawing">
  <div class="shown"></div>
  <button type="button" title="Save as PNG" aria-label="Save as PNG">↓</button>
  <div class="note" hidden></div>
</div>
"""

CSS = """
.drawing { position: relative; color: var(--st-text-color); font-family: var(--st-font); }
.drawing svg { display: block; }
.drawing button { position: absolute; top: 0; right: 0; padding: 0 6px; border: 0; border-radius: 4px; opacity: 0;
  cursor: pointer; font-size: 18px; line-height: 24px; color: inherit; background: var(--st-secondary-background-color); }
.drawing:hover button, .drawing button:focus-visible { opacity: 0.85; }
@media (hover: none) { .drawing button { opacity: 0.6; } }
.drawing .note { position: absolute; z-index: 1; padding: 2px 8px; border-radius: 4px; font-size: 12px; pointer-events: none;
  color: var(--st-background-color); background: var(--st-text-color); }
"""

_mounted = st.components.v2.component(
    "poolscope_drawing", html=HTML, css=CSS, js=saving() + Path(__file__).with_suffix(".js").read_text("utf-8")
)


def show_rows(rows: Rows, key: str, name: str) -> None:
    """Rows of dots; `name` is what the drawing is called when it is saved."""
    _mounted(data={"svg": rows.svg(), "name": name}, key=key)
