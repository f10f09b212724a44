"""The image that *Inside* shows: a test image by index, by class or at random, or the visitor's own picture."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gpcore.data.datasets import Dataset, scaled
from gpcore.errors import GpcoreError, ImageError
from gpcore.figures.map_grids import image_sheet
from ui import links, scrolling
from ui.components import show_sheet
from ui.inside.own_picture import own_picture
from ui.wording import plain

TEST, OWN = "Test image", "My picture"

ANY = "any class"


@dataclass(frozen=True)
class Picked:
    """An image (1, channels, height, width) in [0, 1], its true class where it has one, and what to call it."""

    image: Float[Tensor, "1 channels height width"]
    actual: int | None
    title: str


def pick_image(dataset: Dataset, disagreements: Callable[[], Int64[Tensor, " found"]], square: bool = False) -> Picked:
    """The picker; `disagreements` computes the test images on which the two networks differ, only when it is asked to. Of one's
    own picture, `square` takes the middle, as pretrained networks do.

    Raises:
        ImageError: the picture can't be shown to networks of this dataset.
    """
    _follow_sent_picture()
    source = st.segmented_control(
        "Image",
        [TEST, OWN],
        default=TEST,
        key="source",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
        wrap=True,
    )
    return _pick_own(dataset, square) if source == OWN else _pick_test_image(dataset, disagreements)


def _pick_test_image(dataset: Dataset, disagreements: Callable[[], Int64[Tensor, " found"]]) -> Picked:
    last = len(dataset.test) - 1
    links.number_within("image", 0, last, "test image")
    links.explain_choice("class", [ANY, *dataset.classes], "class")
    index = st.number_input("Index", 0, last, min(2, last), key="image", bind="query-params")
    name = st.selectbox("Only class", [ANY, *dataset.classes], key="class", bind="query-params")
    label = None if name == ANY else dataset.classes.index(name)

    def differing() -> Int64[Tensor, " found"]:
        found = disagreements()
        return found if label is None else found[dataset.test.labels[found] == label]

    buttons = st.container(horizontal=True, gap="xsmall")
    for key, title, choose in (
        ("previous", "Previous", lambda: _step(_of_class(dataset, label), index, -1)),
        ("next", "Next", lambda: _step(_of_class(dataset, label), index, 1)),
        ("random", "Random", lambda: _by_chance(_of_class(dataset, label), index)),
        ("differing", "They disagree", lambda: _by_chance(differing(), index)),
    ):
        buttons.button(title, key=key, on_click=_go, args=(choose,))
    actual = int(dataset.test.labels[index])
    return Picked(scaled(dataset.test.images[index : index + 1]), actual, f"Test image {index:,}: {dataset.classes[actual]}")


def show_image(picked: Picked, hidden: bool) -> None:
    """The image, whose pixels answer to the cells of the maps; where answers are hidden, its class is not named."""
    title = picked.title.partition(":")[0] if hidden else picked.title
    show_sheet(image_sheet(picked.image), "image-sheet", title)
    st.markdown(f"**{plain(title)}**")
    if "gallery_left" in st.session_state:
        st.button("Back to the gallery", icon=":material/arrow_downward:", type="tertiary", on_click=_back)


def _back() -> None:
    del st.session_state.gallery_left
    scrolling.scroll_to("sections")


def _go(choose: Callable[[], int]) -> None:
    with contextlib.suppress(GpcoreError):  # the page meets the same error next, and shows it
        st.session_state.image = choose()


def _of_class(dataset: Dataset, label: int | None) -> Int64[Tensor, " found"]:
    return torch.arange(len(dataset.test)) if label is None else (dataset.test.labels == label).nonzero()[:, 0]


def _step(found: Int64[Tensor, " found"], index: int, by: int) -> int:
    """Returns the next or previous image among those found, wrapping around at the ends."""
    if not len(found):
        return index
    beyond = found[found > index] if by > 0 else found[found < index].flip(0)
    return int(beyond[0] if len(beyond) else found[0 if by > 0 else -1])


def _by_chance(found: Int64[Tensor, " found"], index: int) -> int:
    others = found[found != index].tolist()
    return random.choice(others) if others else index


def _follow_sent_picture() -> None:
    """Selects the picture that another page has just sent; the visitor can then choose another."""
    sent = st.session_state.get("sent_picture")
    if sent is not None and sent is not st.session_state.get("sent_picture_seen"):
        st.session_state.sent_picture_seen = st.session_state.own_picture = sent
        st.session_state.source = OWN


def _pick_own(dataset: Dataset, square: bool) -> Picked:
    picture = own_picture(dataset, square)
    st.caption("It stays in this session: a link to this page does not include it.")
    if picture is None:
        st.info("Drop a picture here, or open one from the *Classify* page.", icon=":material/upload:")
        st.stop()
    return Picked(_as_image(picture, dataset), None, str(picture["name"]))


def _as_image(picture: dict[str, Any], dataset: Dataset) -> Float[Tensor, "1 channels height width"]:
    pixels = torch.from_numpy(np.ascontiguousarray(picture["pixels"]))
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    wanted = tuple(dataset.test.images.shape[1:])
    if tuple(pixels.shape) != wanted:
        raise ImageError(
            f"{picture['name']} has the shape {'×'.join(map(str, pixels.shape))}, and these networks were trained on "
            f"{'×'.join(map(str, wanted))} (channels, height, width): choose runs on images of that shape."
        )
    return scaled(pixels[None])
