"""The part of *Classify* that takes pictures: from files, the clipboard, a camera, or the examples."""

from pathlib import Path

import streamlit as st

from ui.classify import pictures as pictures

SOURCES = [
    ":material/upload: Files",
    ":material/content_paste: Paste",
    ":material/photo_camera: Camera",
    ":material/image: Examples",
]


def take_files() -> None:
    """The four ways to bring pictures."""
    upload, paste, camera, shipped = st.tabs(SOURCES, key="bring", on_change="rerun")
    turn = st.session_state.setdefault("upload_turn", 0)  # a new key empties the widget and frees its memory
    with upload:
        files = st.file_uploader("Pictures of clothes, up to 20 MB each", accept_multiple_files=True, key=f"files {turn}")
    with paste:
        pasted = st.chat_input("Click here, paste a picture (Ctrl+V or ⌘V), press Enter", accept_file="multiple", key="pasted")
    with camera:
        shot = (
            st.camera_input("Photograph it from straight above, on a plain floor", key=f"shot {turn}") if camera.open else None
        )
    with shipped:
        chosen = show_examples() if shipped.open else []
    new: list[pictures.File] = [*(files or []), *(pasted.files if pasted else []), *([shot] if shot else []), *chosen]
    if new:
        pictures.bring(new)
        st.session_state.upload_turn += 1
        st.rerun()


def show_examples() -> list[pictures.Example]:
    """Shipped pictures to try; those just clicked."""
    examples = pictures.examples()
    st.caption("Photographs that no network here was trained on; and FashionMNIST test images, enlarged by `make examples`.")
    row = st.container(horizontal=True)
    clicked = []
    for example in examples:
        with row.container(width=132):
            st.image(str(example.path), width="stretch")
            if st.button(Path(example.name).stem.replace("-", " "), key=f"example {example.name}", type="tertiary"):
                clicked.append(example)
    if examples and row.button("Try all of them", key="all examples"):
        clicked = examples
    return clicked
