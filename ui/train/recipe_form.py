"""The form of a recipe, built from the fields of `Recipe` with their explanations, choices and ranges."""

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import Field
from pathlib import Path
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.errors import DatasetError, GpcoreError
from gpcore.instance import Instance
from gpcore.recipe import FOLDER_PREFIX, HEAD_LABELS, RECIPE_WORDS, RECIPES, DatasetName, Recipe, TrunkName, folder_settings
from ui.train.folder_check import show_folder, with_options

FIELDS: dict[str, Field] = {spec.name: spec for spec in dataclasses.fields(Recipe)}

OPEN: dict[str, Sequence[str]] = {
    "dataset": get_args(DatasetName),
    "trunk": get_args(TrunkName),
}
"""Fields with a list of names that also take other values: the path of a folder, or a network of timm's."""

SHORT = ("dataset", "epochs", "seed")
"""The fields that are always visible, besides the pooling and the recipe; the others are under "more"."""


FEW_IMAGES = 2000
"""Most files in a folder for which the recipe `small` is offered."""


def ask_for_recipes() -> DeltaGenerator:
    """Shows the form; returns a place above "more" for the button, visible without scrolling."""
    st.pills(
        "Pooling",
        FIELDS["pool"].metadata["choices"],
        selection_mode="multi",
        default=["gap", "gmp"],
        format_func=HEAD_LABELS.__getitem__,
        wrap=True,
        key="new-pools",
        persist_state="session",
        help=f"{explained('pool')} Choose two to train a pair: same seed, same trunk, same order of the images.",
    )
    name = st.segmented_control(
        "Recipe",
        list(RECIPES),
        default="modern",
        required=True,
        wrap=True,
        key="new-recipe",
        persist_state="session",
        help="Sets all other fields; you can then change any of them.",
    )
    start = RECIPES[name or "modern"]
    st.caption(RECIPE_WORDS[start.name])
    _ask("dataset", start)
    _suit_to_folder(start)
    with contextlib.suppress(GpcoreError):  # which the button says
        show_folder(as_dataset(str(st.session_state.get(_key(start, "dataset"), start.dataset))))
    for field, column in zip(SHORT[1:], st.columns(2), strict=True):
        with column:
            _ask(field, start)
    place = st.container()
    with st.expander("More"):
        for field in FIELDS:
            if field not in (*SHORT, "name", "pool"):
                _ask(field, start)
    return place


def _suit_to_folder(start: Recipe) -> None:
    """Offers a pretrained network if a folder is typed, and the recipe for small folders if it is small."""
    asked = str(st.session_state.get(_key(start, "dataset"), start.dataset))
    folder = Path(asked.removeprefix(FOLDER_PREFIX)).expanduser()
    reads = Instance.read().reads(folder) and folder.is_dir()
    if start.name in ("small", "photographs") or asked == start.dataset or not reads:
        return
    st.button(
        "These are photographs: put the poolings behind a pretrained network",
        icon=":material/photo_library:",
        key="suit-photographs",
        on_click=_take,
        args=("photographs", asked),
    )
    files = sum(1 for _ in itertools.islice(folder.glob("**/*.*"), FEW_IMAGES + 1))
    if files <= FEW_IMAGES:
        st.button(
            f"{files:,} files only: take the recipe small",
            icon=":material/eco:",
            key="suit",
            on_click=_take,
            args=("small", asked),
        )


def _take(recipe: str, dataset: str) -> None:
    st.session_state["new-recipe"] = recipe
    st.session_state[_key(RECIPES[recipe], "dataset")] = dataset


def chosen_recipes() -> list[Recipe]:
    """Returns the form's current recipes.

    A button's callback calls this, since text typed just before the click is not in the recipes of the last drawing.

    Raises:
        GpcoreError: a field has a value that is not allowed, or its folder is not there.
    """
    start = RECIPES[st.session_state["new-recipe"]]
    asked = [field for field in FIELDS if field not in ("name", "pool")]
    values = {field: st.session_state.get(_key(start, field), getattr(start, field)) for field in asked}
    values["dataset"] = with_options(as_dataset(values["dataset"]))
    return [start.but(**values, pool=pool) for pool in st.session_state["new-pools"]]


def as_dataset(asked: str) -> str:
    """Returns the typed dataset as a recipe names it: the path of a folder may lack its prefix.

    Raises:
        DatasetError: the folder is not there, or not one that visitors may name.
    """
    path = folder_settings(FOLDER_PREFIX + asked.removeprefix(FOLDER_PREFIX))[0]
    if asked.startswith((FOLDER_PREFIX, "/", "~")):
        Instance.read().check_dataset(f"{FOLDER_PREFIX}{path}")
    if asked not in get_args(DatasetName) and Path(path).is_dir():
        Instance.read().check_dataset(f"{FOLDER_PREFIX}{path}")
        return f"{FOLDER_PREFIX}{path}"
    if asked.startswith(FOLDER_PREFIX):
        raise DatasetError(f"There is no folder {path}: give the path of one with a sub-folder per class.")
    return asked


def _key(start: Recipe, field: str) -> str:
    """Returns a widget's key; each recipe to start from has its own widgets."""
    return f"new-{start.name}-{field}"


def explained(field: str) -> str:
    """Returns a field's explanation and its range as a sentence."""
    metadata = FIELDS[field].metadata
    sentence = metadata["help"][0].upper() + metadata["help"][1:]
    allowed = f", from {metadata['low']:,} to {metadata['high']:,}" if "low" in metadata else ""
    return f"{sentence}{allowed}."


def _ask(field: str, start: Recipe) -> None:
    """Shows the widget for a field, with the value of the recipe to start from."""
    metadata, value = FIELDS[field].metadata, getattr(start, field)
    shared: dict[str, Any] = {
        "key": _key(start, field),
        "help": explained(field),
        "persist_state": "session",
    }
    label = field.replace("_", " ").capitalize()
    if field in OPEN:
        names = list(OPEN[field])
        st.selectbox(label, names, names.index(value), accept_new_options=True, **shared)
    elif "choices" in metadata:
        choices = metadata["choices"]
        st.selectbox(label, choices, choices.index(value), **shared)
    elif isinstance(value, bool):
        st.toggle(label, value, **shared)
    # The widget has no limits: it would silently refuse a number, and the recipe's own error explains more.
    elif isinstance(value, float):
        st.number_input(label, value=value, step=value / 10, format="%.2e", **shared)
    else:
        st.number_input(label, value=value, step=1, placeholder="all", **shared)
