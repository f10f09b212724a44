"""Both answers, and the same layer of both networks side by side."""

import html
from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from gpcore.drawing.panels import signed
from gpcore.figures import map_grids
from gpcore.figures.layer_strip import thumbnail
from gpcore.figures.map_grids import MapGrid
from gpcore.figures.twin_grids import colour_of, twin_grids
from gpcore.insight.layer_maps import Layer
from gpcore.nets.network import Network
from ui import links, scrolling
from ui.components import show_sheet
from ui.gallery import Item, show_gallery
from ui.inside.view_state import SCALES, Scene
from ui.widgets import csv_button

READINGS = {"gap": "Every cell of a map counts equally.", "gmp": "Only the brightest cell of each map counts."}
"""One sentence on which cells each pooling uses."""

CLASS_MAPS = "the class maps, which the pooling sees. A dot's area is the weight of its cell, the number is the score."


@st.fragment
def show_layers(scene: Scene, layers: list[Layer], hidden: bool) -> None:
    """A card with the answer and a grid of maps for each network, and the layers to choose from.

    It is a fragment, so that a change of layer redraws nothing else.
    """
    if st.session_state.pop("map_clicked", False):
        st.rerun()  # the whole page, whose evidence is not in this fragment
    layer = layers[_chosen_layer(len(layers) - 1)]
    upper = st.container()
    _pick_layer(scene, layers, layer)
    scale_side, sort_side, numbers_side = st.columns([3, 2, 2], gap="medium", vertical_alignment="bottom")
    scale = scale_side.segmented_control(
        "One colour scale for", list(SCALES), default="each network", key="scale", bind="query-params", required=True, wrap=True
    )
    sort = sort_side.toggle("Sort by score", key="sort", bind="query-params")
    grids = twin_grids(scene.looks, layer.index, scene.dataset.classes, SCALES[scale], sort, hidden)
    of_classes = layer.index == len(layers) - 2 and not hidden
    for place, column in enumerate(upper.columns(2, gap="medium")):
        with column:
            show_card(scene, place, hidden)
            label = f"{scene.names[place]}, layer {layer.title}: " + ", ".join(
                title.replace("\n", " ") for title in grids[place].titles[:12]
            )
            sheet, name = map_grids.grid_sheet(grids[place]), f"{scene.names[place]}-layer-{layer.index}"
            show_sheet(sheet, f"maps-{place}", name, label, partial(_explain, scene) if of_classes else None)
    _tell_about(layer, layers, grids, scene)
    with numbers_side:
        csv_button("The maps' numbers", lambda: _rows(grids, scene.names), f"layer-{layer.index}.csv", "maps-csv")


def _explain(scene: Scene, name: str) -> None:
    """Show the evidence for the class whose map was clicked."""
    if name in scene.dataset.classes:
        st.session_state.of, st.session_state.show = name, "The evidence"
        st.session_state.map_clicked = True
        scrolling.scroll_to("sections")


def _chosen_layer(last: int) -> int:
    links.number_within("layer", 0, last, "layer")
    asked = st.query_params.get("layer", "")
    if "layer" not in st.session_state:
        st.session_state.layer = int(asked) if asked.isdecimal() and int(asked) <= last else last - 1
    return st.session_state.layer


def _pick_layer(scene: Scene, layers: list[Layer], chosen: Layer) -> None:
    """All layers in a strip, each with a thumbnail of the first network's maps."""

    def choose(index: int) -> None:
        st.session_state.layer = index
        st.query_params["layer"] = str(index)

    items = [Item(each.index, thumbnail(scene.looks[0], each.index), str(each.index), [each.module]) for each in layers]
    show_gallery(items, "layers", choose, chosen=chosen.index, strip=True)


def _tell_about(layer: Layer, layers: list[Layer], grids: Sequence[MapGrid], scene: Scene) -> None:
    last, pooled = len(layers) - 1, all(look.network.has_class_maps for look in scene.looks)
    meaning = {
        0: "the image itself.",
        last - 1: CLASS_MAPS if pooled else "the input of the last module. Only class maps have dots.",
        last: "the scores.",
    }.get(layer.index, "the image after the modules so far.")
    named = zip(grids, scene.names, strict=True)
    dead = [f"{len(grid.dead)} of {name}'s {len(grid.maps)} maps" for grid, name in named if grid.dead]
    dying = f" Dead, zero everywhere on this image: {', '.join(dead)}." if dead else ""
    st.caption(f"Layer **{layer.title}**: {meaning}{dying}")


def _rows(grids: Sequence[MapGrid], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"network": name, **row} for name, grid in zip(names, grids, strict=True) for row in map_grids.rows_of(grid)]


def show_card(scene: Scene, place: int, hidden: bool) -> None:
    """What a network answers, how sure, and how its pooling comes to it."""
    look, classes = scene.looks[place], scene.dataset.classes
    actual, colour = scene.picked.actual, colour_of(look)
    verdict = "" if actual is None else " ✓" if look.answer == actual else f" ✗ it is {classes[actual]}"
    ranked = look.scores.argsort(descending=True).tolist()
    rival = next(label for label in ranked if label != look.answer)
    lead = (look.scores[look.answer] - look.scores[rival]).item()
    ahead = f"{signed(lead)} ahead of {classes[rival]}"
    if look.tied:
        ahead = (
            f"a tie: the sigmoid of {classes[rival]}, {signed(-lead)} ahead, is 1 too, and the article takes the first class"
        )
    lines = (
        ("opacity:.75;font-size:.85rem", f"{scene.names[place]}, epoch {scene.snapshots[place].epoch}, answers"),
        ("font-size:1.5rem;font-weight:700", f"{classes[look.answer]}{verdict}"),
        ("font-size:.9rem", f"score {signed(look.scores[look.answer].item())}, {ahead}"),
        ("font-size:.9rem", reading_of(look.network)),
    )
    shown = (lines[0], (lines[1][0], "?"), lines[3]) if hidden else lines
    body = "".join(f"<div style='{style}'>{html.escape(text)}</div>" for style, text in shown)
    st.html(f"<div style='border-left:5px solid {colour};padding:.1rem .8rem'>{body}</div>")


def reading_of(network: Network) -> str:
    """What its pooling looks at."""
    if network.has_class_maps:
        return READINGS.get(network.pool_name, "The dots show how much each cell counts.")
    return f"It has no class maps: its head is {network.head_title}."
