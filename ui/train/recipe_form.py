"""The form of a recipe, made from the fields of `Recipe`: their explanations, choices and ranges stand there alone."""

import dataclasses
from dataclasses import Field
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpcore.recipe import FOLDER_PREFIX, HEAD_LABELS, RECIPES, DatasetName, Recipe

FIELDS: dict[str, Field] = {spec.name: spec for spec in dataclasses.fields(Recipe)}

SHORT = ("dataset", "epochs", "seed")
"""What is asked of everybody, beside the pooling and the recipe to start from; the rest is under "more"."""


def ask_for_recipes() -> tuple[list[Recipe], DeltaGenerator]:
    """One recipe, or, if two poolings are chosen, a pair that differs in nothing else; none while no pooling is chosen.

    With them comes a place above "more", where the button is seen without scrolling.

    Raises:
        RecipeError: a field has a value that is not allowed.
    """
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
    for field in SHORT:
        _ask(field, start)
    place = st.container()
    with st.expander("More"):
        for field in FIELDS:
            if field not in (*SHORT, "name", "pool"):
                _ask(field, start)
    return chosen_recipes(), place


def chosen_recipes() -> list[Recipe]:
    """What the form holds at this moment.

    A button's callback asks this: what was typed right before the click came too late for the recipes that the page was drawn
    with.

    Raises:
        RecipeError: a field has a value that is not allowed.
    """
    start = RECIPES[st.session_state["new-recipe"]]
    asked = [field for field in FIELDS if field not in ("name", "pool")]
    values = {field: st.session_state.get(_key(start, field), getattr(start, field)) for field in asked}
    return [start.but(**values, pool=pool) for pool in st.session_state["new-pools"]]


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
    if field == "dataset":
        names = list(get_args(DatasetName))
        hint = f"or type {FOLDER_PREFIX}PATH"
        st.selectbox(label, names, names.index(value), accept_new_options=True, placeholder=hint, **shared)
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
