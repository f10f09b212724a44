"""Brings a part of a page into view, once for each time that it is asked for."""

import streamlit as st

JS = """
const REDRAWN = 400; // milliseconds: what stands above the place may still be growing
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
    """Has the page that is drawn next scroll to the container with this key."""
    st.session_state.scroll_turn = st.session_state.get("scroll_turn", 0) + 1
    st.session_state.scroll_place = place


def follow() -> None:
    """Scrolls, if asked to; to be called once on a page, at its end."""
    if "scroll_place" in st.session_state:
        _mounted(data={"place": st.session_state.scroll_place, "turn": st.session_state.scroll_turn}, key="scroll")
