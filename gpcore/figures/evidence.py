"""Scores taken apart as Plotly figures: cells that add up, and the same evidence laid over the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from gpcore.figures.maps import BRIGHTNESS
from gpcore.figures.theme import layout
from gpcore.figures.twins import signed
from gpcore.insight.evidence import Box, cell_size, on_the_image, own_pixels, receptive_field
from gpcore.insight.look import Look

EQUATION_HEIGHT, IMAGE_HEIGHT = 210, 260
"""Pixels; constant, so that nothing jumps while the image changes."""

FOR_AND_AGAINST = [[0.0, "#7b3294"], [0.25, "#c2a5cf"], [0.5, "#f4f2f5"], [0.75, "#a6dba0"], [1.0, "#008837"]]
"""Purple speaks against, green for, and white for nothing (ColorBrewer's PRGn, safe for colour-blind people)."""

ROOM = 0.32
"""Between two panels, as a part of a panel's width."""

Kind = Literal["value", "weight", "share", "photograph"]


@dataclass(frozen=True)
class Panel:
    """One matrix of a figure, with a title above and a line below."""

    values: Float[Tensor, "rows columns"]
    kind: Kind
    title: str
    below: str = ""


def equation(panels: Sequence[Panel], signs: str) -> go.Figure:
    """Panels with signs between them that hold for every cell: `value × weight = share`."""
    figure = go.Figure()
    for place, panel in enumerate(panels):
        figure.add_trace(_heatmap(panel, place))
        _caption(figure, panel, place)
    for place, sign in enumerate(signs, start=1):
        middle = place * (1 + ROOM) - ROOM / 2
        figure.add_annotation(x=middle, y=0.5, text=sign, showarrow=False, font={"size": 22})
    return _framed(figure, len(panels), EQUATION_HEIGHT)


def taken_apart(look: Look, label: int, name: str) -> go.Figure:
    """`class map × weight = share` for one class's score."""
    found = look.evidence
    shares = found.shares[label]
    panels = (
        Panel(found.maps[label], "value", f"{name}: class map"),
        Panel(found.weights[label], "weight", f"weight of each cell in {look.network.pool.label}"),
        Panel(shares, "share", "share of the score", f"sum {signed(shares.sum().item())}"),
    )
    return equation(panels, "×=")


def set_against(look: Look, classes: Sequence[str]) -> go.Figure:
    """`shares of the answer − shares of its rival = what made it win`."""
    found, contest = look.evidence, look.contest
    panels = [
        Panel(found.shares[label], "share", classes[label], f"score {signed(found.scores[label].item())}")
        for label in (contest.winner, contest.rival)
    ]
    return equation([*panels, Panel(contest.cells, "share", "lead", f"lead {signed(contest.margin)}")], "−=")


def over_the_image(look: Look, name: str) -> go.Figure:
    """The answer's class map laid over the image with its strongest cell, and the gradients on class map and image."""
    picture = look.image[0].mean(0)
    height, width = picture.shape
    network, cells = look.network, look.evidence.maps[look.answer]
    laid = on_the_image(cells, cell_size(network), height, width)
    by_pixel = look.gradients.pixels.sum(0)
    panels = (
        Panel(picture, "photograph", f"{name}: its class map, laid over the image"),
        Panel(look.gradients.cells, "weight", "gradient on the class map"),
        Panel(picture, "photograph", "gradient on the image"),
    )
    figure = equation(panels, "")
    figure.add_trace(_laid_over(laid, 0, BRIGHTNESS, laid.min().item(), laid.max().item()))
    largest = max(by_pixel.abs().max().item(), 1e-12)
    figure.add_trace(_laid_over(by_pixel, 2, FOR_AND_AGAINST, -largest, largest))
    row, column = look.evidence.strongest_cell(look.answer)
    _outline(figure, receptive_field(network, row, column), height, width, "dot")
    _outline(figure, own_pixels(network, row, column), height, width, "solid")
    return figure.update_layout(height=IMAGE_HEIGHT)


def cell_rows(look: Look, classes: Sequence[str]) -> list[dict[str, object]]:
    """Every cell of every class as a row, and the remainders: they add up to the scores."""
    found = look.evidence
    rows: list[dict[str, object]] = []
    for label, name in enumerate(classes):
        for row, column in np.ndindex(*found.maps.shape[1:]):
            cell = label, row, column
            parts = {"value": found.maps[cell], "weight": found.weights[cell], "share": found.shares[cell]}
            rows.append(
                {"class": name, "row": row, "column": column, **{key: value.item() for key, value in parts.items()}},
            )
        rows.append({"class": name, "row": found.remainder_name or "remainder", "share": found.remainders[label].item()})
        rows.append({"class": name, "row": "score", "share": found.scores[label].item()})
    return rows


def _heatmap(panel: Panel, place: int) -> go.Heatmap:
    """A panel one unit wide and high, with its numbers in the cells where they can be read."""
    rows, columns = panel.values.shape
    few = max(rows, columns) <= 4
    values = panel.values.numpy()
    return go.Heatmap(
        z=values,
        x0=place * (1 + ROOM) + 0.5 / columns,
        dx=1 / columns,
        y0=0.5 / rows,
        dy=1 / rows,
        text=[[_written(value, panel.kind) for value in line] for line in values.tolist()] if few else None,
        texttemplate="%{text}" if few else None,
        customdata=values,
        hovertemplate="%{customdata:.6g}<extra></extra>",
        showscale=False,
        **_colouring(panel),
    )


def _written(value: float, kind: Kind) -> str:
    if kind == "weight":
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if value == 0 else signed(value)


def _colouring(panel: Panel) -> dict[str, object]:
    match panel.kind:
        case "weight":
            return {"colorscale": "Greys", "zmin": 0, "zmax": 1, "reversescale": True}
        case "share":
            largest = max(panel.values.abs().max().item(), 1e-12)
            return {"colorscale": FOR_AND_AGAINST, "zmin": -largest, "zmax": largest}
        case "photograph":
            return {"colorscale": "Greys", "zmin": 0, "zmax": 1, "reversescale": False}
        case _:
            return {"colorscale": BRIGHTNESS}


def _laid_over(values: Tensor, place: int, colours: object, low: float, high: float) -> go.Heatmap:
    rows, columns = values.shape
    return go.Heatmap(
        z=values.numpy(),
        x0=place * (1 + ROOM) + 0.5 / columns,
        dx=1 / columns,
        y0=0.5 / rows,
        dy=1 / rows,
        zmin=low,
        zmax=high,
        colorscale=colours,
        opacity=0.62,
        showscale=False,
        hovertemplate="%{z:.5g}<extra></extra>",
    )


def _outline(figure: go.Figure, box: Box, height: int, width: int, dash: str) -> None:
    """A box of pixels on the first panel, cut off at the image's edge."""
    left, right = (min(max(edge, 0), width) / width for edge in (box.left, box.left + box.width))
    top, bottom = (min(max(edge, 0), height) / height for edge in (box.top, box.top + box.height))
    for colour, thickness in (("black", 5), ("white", 2.5)):
        line = {"color": colour, "width": thickness, "dash": dash}
        figure.add_shape(type="rect", x0=left, x1=right, y0=top, y1=bottom, line=line)


def _caption(figure: go.Figure, panel: Panel, place: int) -> None:
    centre = place * (1 + ROOM) + 0.5
    figure.add_annotation(x=centre, y=0, text=panel.title, showarrow=False, yanchor="bottom", font={"size": 11})
    if panel.below:
        text = f"<b>{panel.below}</b>"
        figure.add_annotation(x=centre, y=1, text=text, showarrow=False, yanchor="top", font={"size": 12})


def _framed(figure: go.Figure, panels: int, height: int) -> go.Figure:
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    return layout(
        figure,
        height,
        margin={"l": 4, "r": 4, "t": 24, "b": 24},
        showlegend=False,
        xaxis=hidden | {"range": [-0.02, panels * (1 + ROOM) - ROOM + 0.02]},
        yaxis=hidden | {"range": [1.02, -0.02], "scaleanchor": "x"},
    )
