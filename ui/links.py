"""Links between pages: the file of a page, and a warning for a link to something that does not exist."""

from collections.abc import Collection
from pathlib import Path

import streamlit as st

from ui.wording import plain


def page_file(name: str) -> Path:
    """Returns the file of a page, as `st.Page`, `st.switch_page` and `st.page_link` take it."""
    return Path(__file__).parents[1] / "pages" / f"{name}.py"


def explain_choice(key: str, allowed: Collection[str], name: str) -> None:
    """Warns about choices in a link that don't exist (any more); call it before the widget of that key."""
    for asked in filter(None, st.query_params.get_all(key)):  # Streamlit writes an empty value when nothing is chosen
        if asked not in allowed:
            _say(f"The link asks for the {name} {asked!r}, which is not here: it may have been deleted or renamed.")


def number_within(key: str, low: int, high: int, name: str) -> None:
    """Brings a widget's number within what is allowed now, and says so if it is a link that holds another; call it before it.

    What was chosen for other runs may lie outside, and Streamlit then refuses to draw the widget.
    """
    if key in st.session_state:
        st.session_state[key] = min(max(st.session_state[key], low), high)
        return
    asked = st.query_params.get(key)
    if asked is None:
        return
    try:
        inside = low <= int(float(asked)) <= high
    except (ValueError, OverflowError):
        inside = False
    if not inside:
        _say(f"The link asks for {name} {asked!r}: choose one from {low:,} to {high:,}.")


def _say(sentence: str) -> None:
    st.warning(plain(sentence), icon=":material/link_off:")
