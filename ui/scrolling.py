"""Scrolls to a part of a page, once for each request."""

import streamlit as st

JS = """
const REDRAWN = 400; // milliseconds: the content above the place may still be growing
export default function ({ data, parentElement }) {
  if (parentElement.turn === data.turn) return;
  parentElement.turn = data.turn;
  setTimeout(() => {
    const place = document.querySelector(`.st-key-${data.place}`);
    if (place) place.style.scrollMarginTop = "4.5rem";
    place?.scrollIntoView({ behavior: "smooth" });
  }, REDRAWN);
}
"""

_mounted = st.components.v2.component("poolscope_scroll", html="", js=JS)


def scroll_to(place: str) -> None:
    """Makes the next drawing of the page scroll to the container with this key."""
    st.session_state.scroll_turn = st.session_state.get("scroll_turn", 0) + 1
    st.session_state.scroll_place = place


def follow() -> None:
    """Scrolls if requested; call it once, at the end of a page."""
    if "scroll_place" in st.session_state:
        _mounted(data={"place": st.session_state.scroll_place, "turn": st.session_state.scroll_turn}, key="scroll")
