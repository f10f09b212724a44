"""The form of a recipe, made from the fields of `Recipe`: their explanations, choices and ranges stand there alone."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import Field
from pathlib import Path
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.errors import DatasetError
from gpcore.recipe import FOLDER_PREFIX, HEAD_LABELS, RECIPE_WORDS, RECIPES, DatasetName, Recipe, TrunkName

FIELDS: dict[str, Field] = {spec.name: spec for spec in dataclasses.fields(Recipe)}

OPEN: dict[str, Sequence[str]] = {
    "dataset": get_args(DatasetName),
    "trunk": get_args(TrunkName),
}
"""Fields with names to choose from that take others, too: the path of a folder, or a network of timm's."""

SHORT = ("dataset", "epochs", "seed")
"""What is asked of everybody, beside the pooling and the recipe to start from; the rest is under "more"."""


FEW_IMAGES = 2000
"""Up to so many files in a folder the recipe `small` is offered."""


def ask_for_recipes() -> DeltaGenerator:
    """The form; returns a place above "more", where the button is seen without scrolling."""
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
        help="Sets all other fields; change from there what you like.",
    )
    start = RECIPES[name or "modern"]
    st.caption(RECIPE_WORDS[start.name])
    _ask("dataset", start)
    _suit_to_folder(start)
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
    """Offers the recipe for small folders where a small folder is typed."""
    asked = str(st.session_state.get(_key(start, "dataset"), start.dataset))
    folder = Path(asked.removeprefix(FOLDER_PREFIX)).expanduser()
    if start.name == "small" or asked == start.dataset or not folder.is_dir():
        return
    files = sum(1 for _ in itertools.islice(folder.glob("**/*.*"), FEW_IMAGES + 1))
    if files <= FEW_IMAGES:
        st.button(
            f"{files:,} files only: take the recipe small",
            icon=":material/eco:",
            key="suit",
            on_click=_take_small,
            args=(asked,),
        )


def _take_small(dataset: str) -> None:
    st.session_state["new-recipe"] = "small"
    st.session_state[_key(RECIPES["small"], "dataset")] = dataset


def chosen_recipes() -> list[Recipe]:
    """What the form holds at this moment.

    A button's callback asks this: what was typed right before the click came too late for the recipes that the page was drawn
    with.

    Raises:
        GpcoreError: a field has a value that is not allowed, or its folder is not there.
    """
    start = RECIPES[st.session_state["new-recipe"]]
    asked = [field for field in FIELDS if field not in ("name", "pool")]
    values = {field: st.session_state.get(_key(start, field), getattr(start, field)) for field in asked}
    values["dataset"] = as_dataset(values["dataset"])
    return [start.but(**values, pool=pool) for pool in st.session_state["new-pools"]]


def as_dataset(asked: str) -> str:
    """What was typed as a recipe names it: the path of a folder may go without its prefix.

    Raises:
        DatasetError: the folder is not there.
    """
    path = Path(asked.removeprefix(FOLDER_PREFIX)).expanduser()
    if path.is_dir():
        return f"{FOLDER_PREFIX}{path}"
    if asked.startswith(FOLDER_PREFIX):
        raise DatasetError(f"There is no folder {path.absolute()}: give the path of one with a sub-folder per class.")
    return asked


def _key(start: Recipe, field: str) -> str:
    """Another recipe to start from has widgets of its own."""
    return f"new-{start.name}-{field}"


def explained(field: str) -> str:
    """A field's explanation and what it allows, as a sentence."""
    metadata = FIELDS[field].metadata
    sentence = metadata["help"][0].upper() + metadata["help"][1:]
    allowed = f", from {metadata['low']:,} to {metadata['high']:,}" if "low" in metadata else ""
    return f"{sentence}{allowed}."


def _ask(field: str, start: Recipe) -> None:
    """The widget for a field, with the value that the recipe to start from has."""
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
    # No limits are set on the widget: one that silently refuses a number explains less than the recipe's own sentence.
    elif isinstance(value, float):
        st.number_input(label, value=value, step=value / 10, format="%.2e", **shared)
    else:
        st.number_input(label, value=value, step=1, placeholder="all", **shared)
