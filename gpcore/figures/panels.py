"""Matrices beside each other with signs between them, as one figure: `value × weight = share` for every cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from gpcore.figures.maps import BRIGHTNESS
from gpcore.figures.plain import bare_figure

FOR_AND_AGAINST = [[0.0, "#7b3294"], [0.25, "#c2a5cf"], [0.5, "#f4f2f5"], [0.75, "#a6dba0"], [1.0, "#008837"]]
"""Purple speaks against, green for, and white for nothing (ColorBrewer's PRGn, safe for colour-blind people)."""

BLACK_TO_WHITE = [[0.0, "black"], [1.0, "white"]]

NOTHING_TO_ALL = [[0.0, "#f4f2f5"], [1.0, "#2f3142"]]

ROOM = 0.32
"""Between two panels, as a part of a panel's width."""

CAPTION = 0.2
"""Above and below a panel, for its title and its sum."""

PITCH = 1 + 2.5 * CAPTION
"""From one row to the next."""

Kind = Literal["value", "weight", "share", "photograph"]


@dataclass(frozen=True)
class Panel:
    """One matrix, with a title above and a line below; `largest` is the share that has the fullest colour."""

    values: Float[Tensor, "rows columns"]
    kind: Kind
    title: str
    below: str = ""
    largest: float | None = None


@dataclass(frozen=True)
class Row:
    """Panels, one unit wide and high, and the signs between them: one character each."""

    panels: Sequence[Panel]
    signs: str = ""


def panels_figure(
    rows: Sequence[Row], height: int, over: Sequence[dict[str, Any]] = (), shapes: Sequence[dict[str, Any]] = ()
) -> go.Figure:
    """All rows as one figure, with `over` and `shapes` drawn upon them."""
    places = [(row, column, panel) for row, each in enumerate(rows) for column, panel in enumerate(each.panels)]
    panels = [_heatmap(panel, row, column) for row, column, panel in places]
    width = max(len(row.panels) for row in rows) * (1 + ROOM) - ROOM
    size = width, (len(rows) - 1) * PITCH + 1 + 2 * CAPTION
    return bare_figure([*panels, *over, _texts(rows)], size, height, 0.02, shapes)


def placed(values: Tensor, row: int, column: int) -> dict[str, Any]:
    """A heatmap's own coordinates, so that it fills the panel at a place."""
    rows, columns = values.shape
    return {
        "type": "heatmap",
        "z": values.numpy(),
        "x0": column * (1 + ROOM) + 0.5 / columns,
        "dx": 1 / columns,
        "y0": row * PITCH + CAPTION + 0.5 / rows,
        "dy": 1 / rows,
        "showscale": False,
        "hovertemplate": "%{z:.6g}<extra></extra>",
    }


def signed(value: float) -> str:
    """A number with its sign and as many digits as a reader can use: `+2.81`, `−38.7`, `+310`."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:+.{digits}f}".replace("-", "−")


def _heatmap(panel: Panel, row: int, column: int) -> dict[str, Any]:
    """A panel with its numbers in the cells, where they can be read."""
    trace = placed(panel.values, row, column) | _colouring(panel)
    if max(panel.values.shape) <= 4 and panel.kind != "photograph":
        trace["text"] = [[_written(value, panel.kind) for value in line] for line in panel.values.tolist()]
        trace["texttemplate"] = "%{text}"
    return trace


def _written(value: float, kind: Kind) -> str:
    if kind == "weight":
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if value == 0 else signed(value)


def _colouring(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case "weight":
            return {"colorscale": NOTHING_TO_ALL, "zmin": 0, "zmax": 1}
        case "photograph":
            return {"colorscale": BLACK_TO_WHITE, "zmin": 0, "zmax": 1}
        case "share":
            largest = panel.largest or max(panel.values.abs().max().item(), 1e-12)
            return {"colorscale": FOR_AND_AGAINST, "zmin": -largest, "zmax": largest}
        case "value":
            return {"colorscale": BRIGHTNESS}


def _texts(rows: Sequence[Row]) -> dict[str, Any]:
    """Titles, sums and signs as one trace: as annotations they would take longer to draw than the panels."""
    texts: list[tuple[float, float, str, int, str]] = []
    for number, row in enumerate(rows):
        top = number * PITCH + CAPTION
        for column, panel in enumerate(row.panels):
            centre = column * (1 + ROOM) + 0.5
            texts.append((centre, top - 0.02, panel.title, 11, "top center"))
            texts.append((centre, top + 1.02, f"<b>{panel.below}</b>", 12, "bottom center"))
        for place, sign in enumerate(row.signs, start=1):
            texts.append((place * (1 + ROOM) - ROOM / 2, top + 0.5, sign, 20, "middle center"))
    x, y, text, sizes, positions = zip(*texts, strict=True)
    return {
        "type": "scatter",
        "mode": "text",
        "x": x,
        "y": y,
        "text": text,
        "textfont": {"size": sizes},
        "textposition": positions,
        "hoverinfo": "skip",
    }
