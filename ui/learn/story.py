"""The parts of *Learn*, in the order in which they are told."""

import streamlit as st
import torch

from gpcore.drawing.sheets import Matrix, colours
from gpcore.errors import InsightError
from gpcore.figures.gradient_sheets import gradient_sheet, map_sheet
from gpcore.insight.hand_example import EXAMPLES, Grid, Pooled, pool_by_hand
from gpcore.nets.pooling import POOLS
from gpcore.recipe import Pool
from ui.components import show_sheet
from ui.gallery import Item, show_gallery

NAMES = ("Class A", "Class B")

BRUSHES = (0, 2, 5, 9)
"""Values that a cell can be painted with."""

START = (0, 0, 0, 0, 9, 0, 0, 0, 0)

COUNTED: dict[Pool, str] = {"gap": "takes the mean of all cells", "gmp": "takes the brightest cell"}

PAIR: tuple[Pool, Pool] = ("gap", "gmp")


def paint_map() -> Grid:
    """Shows a map of nine cells to paint on, and returns it; the link holds what was painted."""
    cells = _painted()
    st.segmented_control("Paint cells with", BRUSHES, default=9, required=True, key="brush")

    def paint(cell: int) -> None:
        now = [*cells[:cell], st.session_state.brush, *cells[cell + 1 :]]
        st.query_params["map"] = "-".join(map(str, now))

    show_gallery([_cell(place, value) for place, value in enumerate(cells)], "painted", paint, columns=3)
    return [cells[start : start + 3] for start in (0, 3, 6)]


def _painted() -> list[int]:
    numbers = st.query_params.get("map", "").split("-")
    valid = len(numbers) == len(START) and all(number in map(str, BRUSHES) for number in numbers)
    return list(map(int, numbers)) if valid else list(START)


def _cell(place: int, value: int) -> Item:
    colour = colours(Matrix(torch.tensor([[float(value)]]), 0, max(BRUSHES)))[:, :, :3].copy()
    return Item(place, torch.from_numpy(colour).permute(2, 0, 1), str(value), [])


def show_scores(grid: Grid) -> None:
    """The mean and the maximum of a map, worked out beside the cells that count."""
    numbers = [number for row in grid for number in row]
    worked = {
        "gap": f"({' + '.join(map(str, numbers))}) / {len(numbers)}",
        "gmp": f"max({', '.join(map(str, numbers))})",
    }
    for pool, column in zip(PAIR, st.columns(2), strict=True):
        with column:
            score = pool_by_hand(grid, pool).score
            st.markdown(f"**{POOLS[pool].label}** {COUNTED[pool]}")
            show_sheet(map_sheet(grid, pool), f"map-{pool}", f"{POOLS[pool].label}-map", f"{worked[pool]} = {score:.2f}")
            st.markdown(f"{worked[pool]} = **{score:.2f}**")


def show_gradients(grid: Grid, pools: tuple[Pool, ...]) -> None:
    """Each pooling's score of the map and where its gradient goes."""
    for pool, column in zip(pools, st.columns(len(pools)), strict=True):
        with column:
            result = _pooled(grid, pool)
            if isinstance(result, str):
                st.info(result, icon=":material/block:")
                continue
            st.metric(POOLS[pool].label, f"{result.score:.2f}")
            shares = ", ".join(f"{share:.2f}" for share in result.gradient.flatten().tolist())
            label = f"{POOLS[pool].label}: shares of the gradient {shares}"
            show_sheet(gradient_sheet(result.gradient, pool), f"gradient-{pool}", f"{POOLS[pool].label}-gradient", label)


def _pooled(grid: Grid, pool: Pool) -> Pooled | str:
    try:
        return pool_by_hand(grid, pool)
    except InsightError as error:
        return str(error)


def ask(example: str) -> None:
    """Two maps, and a question about each pooling, which is answered once it was guessed."""
    for place, (name, grid, column) in enumerate(zip(NAMES, EXAMPLES[example], st.columns(2), strict=True)):
        with column:
            st.markdown(f"**{name}**")
            written = "; ".join(" ".join(f"{value:g}" for value in row) for row in grid)
            show_sheet(map_sheet(grid), f"question-{place}", name, f"{name}: {written}")
    for pool, column in zip(PAIR, st.columns(2), strict=True):
        with column:
            guess = st.segmented_control(f"{POOLS[pool].label} answers", [*NAMES, "a tie"], key=f"{pool} of {example}")
            if guess:
                _answer(guess, [pool_by_hand(grid, pool).score for grid in EXAMPLES[example]])


def _answer(guess: str, scores: list[float]) -> None:
    right = "a tie" if abs(scores[0] - scores[1]) < 1e-6 else NAMES[scores.index(max(scores))]
    mark = ":material/check: Yes" if guess == right else ":material/close: No"
    st.markdown(f"{mark}: {NAMES[0]} scores **{scores[0]:.2f}** and {NAMES[1]} **{scores[1]:.2f}**, so it is **{right}**.")
