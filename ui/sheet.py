"""A sheet on a page: drawn by the browser, with the value under the pointer and a button that saves it as PNG."""

from pathlib import Path

import streamlit as st

from gpcore.figures.charts import saving
from gpcore.figures.sheet import Sheet

HTML = """
<div class="sheet">
  <canvas role="img"></canvas>
  <button type="button" title="Save as PNG" aria-label="Save as PNG">↓</button>
  <div class="note" hidden></div>
</div>
"""

CSS = """
.sheet { position: relative; width: 100%; color: var(--st-text-color); font-family: var(--st-font); }
.sheet canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.sheet button { position: absolute; top: 0; right: 0; padding: 0 6px; border: 0; border-radius: 4px; opacity: 0;
  cursor: pointer; font-size: 18px; line-height: 24px; color: inherit; background: var(--st-secondary-background-color); }
.sheet:hover button, .sheet button:focus-visible { opacity: 0.85; }
@media (hover: none) { .sheet button { opacity: 0.6; } }
.sheet .note { position: absolute; z-index: 1; padding: 2px 8px; border-radius: 4px; font-size: 12px; white-space: nowrap;
  pointer-events: none; color: var(--st-background-color); background: var(--st-text-color); }
"""

_mounted = st.components.v2.component(
    "poolscope_sheet", html=HTML, css=CSS, js=saving() + Path(__file__).with_suffix(".js").read_text("utf-8")
)


def show_sheet(sheet: Sheet, key: str, name: str, label: str | None = None) -> None:
    """A sheet; `name` is what it is called when it is saved, and what a screen reader says unless `label` has more to say."""
    # The theme is part of the data, since texts have its colour: in another one the sheet is drawn anew.
    _mounted(data=sheet.data() | {"name": name, "label": label or name, "theme": st.context.theme.type}, key=key)
