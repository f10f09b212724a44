"""Poolscope's navigation: runs for every visitor at every change (`app.py` starts it).

It is alone in its folder: Streamlit serves a folder `pages` beside its main script by itself, without this file, to the first
visitor of a fresh server who follows a link.
"""

from pathlib import Path

import streamlit as st

from ui import sharing
from ui.links import page_file
from ui.serving import garbage

# Our own file: Streamlit's icons are fetched from another server, which fails without a network.
st.set_page_config(page_title="Poolscope", page_icon=Path(__file__).parents[1] / "ui" / "icon.svg", layout="wide")
# What of Streamlit's themes is hard to read: WCAG 2.2 asks for 4.5:1. (A comment, since Streamlit would show a string.)
CONTRAST = {
    "light": "[data-testid=stCaptionContainer] * { color: #5b5f6b !important }",
    "dark": "[data-testid=stCaptionContainer] * { color: #b3b6bf !important } "
    "[data-testid=stBaseButton-primary] * { color: #0b1526 !important }",
}

st.html(f"<style>{CONTRAST.get(st.context.theme.type or 'light', '')}</style>")


def opening() -> None:
    """Go to the page that opens first: it has no path of its own, and older links call it /first."""
    asked = {name: st.query_params.get_all(name) for name in st.query_params}  # several runs, each by a value of its own
    st.switch_page(page_file("compare" if asked else "first"), query_params=asked)


page = st.navigation(
    [
        st.Page(page_file("first"), title="Poolscope", icon=":material/filter_center_focus:", url_path="start", default=True),
        st.Page(opening, url_path="first", visibility="hidden"),
        st.Page(page_file("learn"), title="Learn", icon=":material/school:", url_path="learn"),
        st.Page(page_file("compare"), title="Compare", icon=":material/balance:", url_path="compare"),
        st.Page(page_file("train"), title="Train", icon=":material/play_circle:", url_path="train"),
        st.Page(page_file("inside"), title="Inside", icon=":material/grid_on:", url_path="inside"),
        st.Page(page_file("classify"), title="Classify", icon=":material/photo_camera:", url_path="classify"),
        st.Page(page_file("lab"), title="Lab", icon=":material/science:", url_path="lab"),
        st.Page(page_file("about"), title="About", icon=":material/info:", url_path="about"),
    ],
    position="top",
)
garbage.spare_imports()
sharing.apply_text_size()
page.run()
