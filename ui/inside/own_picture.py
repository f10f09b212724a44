"""A visitor's own picture on the *Inside* page, prepared like the networks' training images."""

from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from gpcore.data.datasets import Dataset
from gpcore.data.decoding import Photo
from gpcore.data.pictures import as_in, squared
from gpcore.data.preparation import prepare
from ui.uploads import unpacked

CLOTHES_SHAPE = (1, 28, 28)
"""The images that photographs are cut out and toned for: FashionMNIST's."""


def own_picture(dataset: Dataset, square: bool) -> dict[str, Any] | None:
    """The picture that was dropped here or sent on from another page, whichever came last, as `{"name", "pixels"}`.

    It is kept in the session, since the widget forgets its file when the page changes.

    Raises:
        ImageError: the file is not a usable picture.
    """
    file = st.file_uploader("A picture of your own", key="inside_file")
    if file is not None and st.session_state.get("own_picture_of") != (file.file_id, dataset.name):
        photo = unpacked(file)
        st.session_state.own_picture = {"name": photo.name, "pixels": _as_in(dataset, photo, square)}
        st.session_state.own_picture_of = file.file_id, dataset.name
    return st.session_state.get("own_picture")


def _as_in(dataset: Dataset, photo: Photo, square: bool) -> UInt8[np.ndarray, "channels height width"]:
    """A photograph as an image of the dataset: cut out as clothes are, or fitted into the size where it holds no clothes."""
    channels, height, width = dataset.test.images.shape[1:]
    if (channels, height, width) == CLOTHES_SHAPE:
        return prepare(photo).image[None]
    return squared(photo.pixels, height) if square else as_in(photo, (channels, height, width)).image
