"""One look for all figures: the same colour for the same pooling everywhere, in a light theme and in a dark one."""

import plotly.graph_objects as go

from gpcore.recipe import Pool

POOL_COLOURS: dict[Pool, str] = {
    "gap": "#2a86d8",
    "gmp": "#e57b00",
    "lse": "#0a9c78",
    "avgmax": "#c2669e",
    "gem": "#7818fc",
    "attention": "#b4009c",
    "mlp": "#b43018",
    "mlp-dropout": "#fc0060",
}
"""The first four after Okabe and Ito (2008), the others as far from them and each other as colour-blind people need; each
stands out on white and on the dark theme (tests/test_theme.py)."""

STROKES: list[list[int]] = [[], [6, 4], [2, 3], [8, 3, 2, 3]]
"""Several runs with the same pooling share its colour and differ in the stroke: pixels drawn and left out in turn."""

NEUTRAL = "#808792"
GRID = "rgba(128, 135, 146, 0.22)"
TRACK = "#80879238"
"""What a bar fills when it is full: the grid's colour, as Pillow takes it too."""

PERCENT = ".2~%"
"""How an axis writes fractions: as many decimals as its ticks need, since whole per cents would name two ticks alike."""


def layout(figure: go.Figure, height: int, **changes: object) -> go.Figure:
    """The layout that all charts share: no title, a legend above, room for the axes only, transparent on any theme."""
    figure.update_layout(
        height=height,
        margin={"l": 56, "r": 12, "t": 34, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        hoverlabel={"namelength": -1},
        uirevision="constant",
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    return figure.update_layout(**changes)


def whole_epochs(last: int) -> dict[str, object]:
    """An axis of epochs: of a few epochs each has its tick, where Plotly would name halves."""
    return {"tickformat": "d"} | ({"dtick": 1} if last <= 12 else {})
