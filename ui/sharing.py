"""Sharing a page: a link to the current view, also as a QR code, and a text size for projectors."""

import urllib.parse

import segno
import streamlit as st

SIZES = {"normal": 100, "large": 125, "projector": 150}
"""Per cent of the browser's own text size."""


def apply_text_size() -> None:
    """Applies the chosen text size, which may come from a link, to every page."""
    if asked := st.query_params.get("text"):
        st.session_state.text_size = asked
    if percent := SIZES.get(st.session_state.get("text_size", "normal"), 100) - 100:
        st.html(f"<style>html {{ font-size: {100 + percent}% }}</style>")


def show_sharing() -> None:
    """Shows a button with the link to the current view, its QR code, and the text size."""
    with st.popover("Share", icon=":material/qr_code_2:", key="share", on_change="rerun") as opened:
        if opened.open:
            asked = {name: st.query_params.get_all(name) for name in st.query_params}
            link = f"{st.context.url}?{urllib.parse.urlencode(asked, doseq=True)}".removesuffix("?")
            st.code(link, language=None, wrap_lines=True)  # with a button that copies it
            st.image(qr_code(link), width=240, alt="The link as a QR code")
            st.segmented_control("Text size", list(SIZES), default="normal", required=True, key="text", bind="query-params")


@st.cache_data(max_entries=64, show_spinner=False)
def qr_code(link: str) -> str:
    """Returns the QR code of a link as SVG, black on white in any theme."""
    return segno.make(link, error="l").svg_inline(scale=6, border=4, dark="#000", light="#fff")
