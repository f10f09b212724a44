"""Links to pages and from them: where a page lies, and a sentence for what a link asks for in vain."""

from collections.abc import Collection
from pathlib import Path

import streamlit as st


def page_file(name: str) -> Path:
    """Returns the file of a page, as `st.Page`, `st.switch_page` and `st.page_link` take it."""
    return Path(__file__).parents[1] / "pages" / f"{name}.py"


def explain_choice(key: str, allowed: Collection[str], name: str) -> None:
    """Say so of all that a link names and that can't be chosen (any more); call it before the widget of that key."""
    for asked in filter(None, st.query_params.get_all(key)):  # of nothing chosen, Streamlit writes an empty one
        if asked not in allowed:
            _say(f"The link asks for the {name} {asked!r}, which is not here: it may have been deleted or renamed.")


def explain_number(key: str, low: int, high: int, name: str) -> None:
    """Say so if the link holds a number outside what is allowed, or no number."""
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
    # Whatever a link holds is shown as it is, and never as markup.
    st.warning(sentence.replace("[", "\\[").replace("$", "\\$").replace("`", "'"), icon=":material/link_off:")
