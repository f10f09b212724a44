"""Both answers, and the same layer of both networks side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from gpcore.figures import maps
from gpcore.figures.maps import MapGrid
from gpcore.figures.twins import colour_of, signed, twin_grids
from gpcore.insight.features import Layer
from gpcore.insight.look import Look
from ui import widgets
from ui.inside_scene import SCALES, Scene


def pick_drawing() -> tuple[Any, bool]:
    """What shares a colour scale, and whether the maps are sorted."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    scale = left.segmented_control(
        "One colour scale for", list(SCALES), default="each network", key="scale", bind="query-params", required=True
    )
    sort = right.toggle("Largest contribution first", key="sort", bind="query-params")
    return SCALES[scale], sort


def show_twins(scene: Scene, layer: Layer, scale: Any, sort: bool) -> None:
    """A card with the answer and a grid of maps for each network."""
    grids = twin_grids(scene.looks, layer.index, scene.dataset.classes, scale, sort)
    for place, column in enumerate(st.columns(2)):
        with column:
            _card(scene, place)
            figure_shown(maps.grid_figure(grids[place]), f"maps-{place}", f"{scene.names[place]}-layer-{layer.index}")
            _note_dead(grids[place])
    rows = [row | {"network": name} for name, grid in zip(scene.names, grids, strict=True) for row in maps.rows_of(grid)]
    csv_button("The maps' numbers", lambda: rows, f"layer-{layer.index}.csv", "maps-csv")


def _card(scene: Scene, place: int) -> None:
    look, snapshot, classes = scene.looks[place], scene.snapshots[place], scene.dataset.classes
    colour = colour_of(look)
    ranked = look.scores.argsort(descending=True).tolist()
    rival = next(label for label in ranked if label != look.answer)
    actual = scene.picked.actual
    verdict = "" if actual is None else " ✓" if look.answer == actual else f" ✗ (it is {classes[actual]})"
    lead = signed((look.scores[look.answer] - look.scores[rival]).item())
    st.html(
        f"<div style='border-left:5px solid {colour};padding:.1rem .8rem'>"
        f"<div style='opacity:.75;font-size:.85rem'>{scene.names[place]} after {snapshot.epoch} epochs answers</div>"
        f"<div style='font-size:1.5rem;font-weight:700'>{classes[look.answer]}<span style='color:{colour}'>{verdict}</span></div>"
        f"<div style='font-size:.9rem'>logit {signed(look.scores[look.answer].item())}, {lead} ahead of {classes[rival]}</div>"
        f"<div style='font-size:.9rem'>{_how(look)}</div></div>"
    )


def _how(look: Look) -> str:
    return {
        "GAP": "Every cell of a map counts the same.",
        "GMP": "Of each map the brightest cell alone counts.",
    }.get(getattr(look.network.network[-1], "label", ""), "The dots show how much each cell counts.")


def _note_dead(grid: MapGrid) -> None:
    if grid.dead:
        st.caption(f"{len(grid.dead)} of {len(grid.maps)} maps are dead: zero everywhere on this image.")


def figure_shown(figure: go.Figure, key: str, name: str) -> None:
    """A figure with a button, among its own, that saves it as PNG under `name`."""
    picture = {"format": "png", "filename": name, "scale": 3}
    st.plotly_chart(figure, width="stretch", key=key, config=widgets.PLOT_CONFIG | {"toImageButtonOptions": picture})


def csv_button(title: str, rows: Callable[[], Sequence[dict[str, Any]]], name: str, key: str) -> None:
    """A button that writes a figure's numbers as CSV when it is pressed, not before."""
    st.download_button(
        f"{title} (CSV)",
        lambda: pd.DataFrame(rows()).to_csv(index=False),
        name,
        "text/csv",
        key=key,
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
