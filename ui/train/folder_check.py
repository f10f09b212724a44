"""What a folder of pictures holds, shown before a network is trained on it, and how its pictures are read."""

from pathlib import Path
from typing import Any

import streamlit as st

from gpcore.data.folders import look_into
from gpcore.errors import GpcoreError
from gpcore.recipe import FOLDER_PREFIX, LARGEST_SIDE, SHAPE, SMALLEST_SIDE, folder_name, folder_settings

SIZE, SKIP = "folder-size", "folder-skip-broken"


def with_options(dataset: str) -> str:
    """Returns a folder's dataset with what the form asks for: a size, and whether broken files are left out."""
    if not dataset.startswith(FOLDER_PREFIX):
        return dataset
    path, size, skip_broken = folder_settings(dataset)
    return folder_name(path, st.session_state.get(SIZE) or size, bool(st.session_state.get(SKIP) or skip_broken))


def show_folder(dataset: str) -> None:
    """Shows the pictures of each class, and all that was changed, left out or is broken."""
    if not dataset.startswith(FOLDER_PREFIX):
        return
    st.number_input(
        "Pixels along the longer side",
        SMALLEST_SIDE,
        LARGEST_SIDE,
        None,
        key=SIZE,
        placeholder="as they are up to 128, else 64",
        persist_state="session",
    )
    path, size, _ = folder_settings(with_options(dataset))
    try:
        report = _report(path, size)
    except GpcoreError as error:
        st.error(f"{error} A folder holds {SHAPE}.", icon=":material/folder_off:")
        return
    if report["broken"]:
        st.checkbox("Leave out broken files", key=SKIP, persist_state="session")
    st.dataframe([{"class": name, **count} for name, count in report["classes"].items()], hide_index=True, height="content")
    for problem in report["problems"]:
        st.caption(problem.replace("[", "\\[").replace("*", "\\*"))


@st.cache_data(max_entries=16, ttl=30, show_spinner="Reading the folder, which is kept for the training …")
def _report(path: str, size: int | None) -> dict[str, Any]:
    return look_into(Path(path), size).report()
