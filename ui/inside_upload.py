"""A picture dropped on the *Inside* page, made into what the networks were trained on."""

from typing import Any

import streamlit as st

from gpcore.data.datasets import Dataset


def uploaded_picture(dataset: Dataset) -> dict[str, Any] | None:
    """The picture that was dropped last, as `{"name", "pixels"}`, or None; kept, since the widget forgets its file."""
    return st.session_state.get("inside_upload")
