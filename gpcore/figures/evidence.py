"""Scores taken apart as Plotly figures: cells that add up, and the same evidence laid over the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from gpcore.figures.maps import BRIGHTNESS
from gpcore.figures.plain import bare_figure
from gpcore.figures.twins import signed
from gpcore.insight.evidence import Box, cell_size, on_the_image, own_pixels, receptive_field
from gpcore.insight.look import Look

EQUATION_HEIGHT, IMAGE_HEIGHT = 210, 260
"""Pixels; constant, so that nothing jumps while the image changes."""

FOR_AND_AGAINST = [[0.0, "#7b3294"], [0.25, "#c2a5cf"], [0.5, "#f4f2f5"], [0.75, "#a6dba0"], [1.0, "#008837"]]
"""Purple speaks against, green for, and white for nothing (ColorBrewer's PRGn, safe for colour-blind people)."""

OVER_A_PHOTOGRAPH = [[0.0, "rgb(214,92,255)"], [0.5, "rgba(128,128,128,0)"], [1.0, "rgb(40,225,100)"]]
"""The same two, bright enough for black and white below, and clear where there is nothing."""

ROOM = 0.32
"""Between two panels, as a part of a panel's width."""

CAPTION = 0.2
"""Above and below a panel, for its title and its sum."""

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
    return _in_a_row(panels, [_heatmap(panel, place) for place, panel in enumerate(panels)], EQUATION_HEIGHT, signs)


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
        Panel(picture, "photograph", f"class map of {name}"),
        Panel(look.gradients.cells, "weight", "gradient on the class map"),
        Panel(picture, "photograph", "gradient on the image"),
    )
    largest = max(by_pixel.abs().max().item(), 1e-12)
    traces = [_heatmap(panel, place) for place, panel in enumerate(panels)]
    traces.append(_laid_over(laid, 0, BRIGHTNESS, laid.min().item(), laid.max().item(), opacity=0.6))
    traces.append(_laid_over(by_pixel, 2, OVER_A_PHOTOGRAPH, -largest, largest))
    row, column = look.evidence.strongest_cell(look.answer)
    shapes = _outline(receptive_field(network, row, column), height, width, "dot")
    shapes += _outline(own_pixels(network, row, column), height, width, "solid")
    return _in_a_row(panels, traces, IMAGE_HEIGHT, shapes=shapes)


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


def pixel_rows(look: Look) -> list[dict[str, object]]:
    """The gradient of the answer's score with respect to every pixel, as rows."""
    gradient = look.gradients.pixels
    return [
        {"channel": channel, "row": row, "column": column, "gradient": gradient[channel, row, column].item()}
        for channel, row, column in np.ndindex(*gradient.shape)
    ]


def field_size(look: Look) -> str:
    """The size of a class map cell's receptive field, for example `36×36 pixels`."""
    field = receptive_field(look.network, 0, 0)
    return f"{field.height}×{field.width} pixels"


def _heatmap(panel: Panel, place: int) -> dict[str, Any]:
    """A panel one unit wide and high, with its numbers in the cells where they can be read."""
    rows, columns = panel.values.shape
    few = max(rows, columns) <= 4
    values = panel.values.numpy()
    return dict(
        type="heatmap",
        z=values,
        x0=place * (1 + ROOM) + 0.5 / columns,
        dx=1 / columns,
        y0=CAPTION + 0.5 / rows,
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
            return {"colorscale": [[0.0, "#f4f2f5"], [1.0, "#2f3142"]], "zmin": 0, "zmax": 1}
        case "share":
            largest = max(panel.values.abs().max().item(), 1e-12)
            return {"colorscale": FOR_AND_AGAINST, "zmin": -largest, "zmax": largest}
        case "photograph":
            return {"colorscale": [[0.0, "black"], [1.0, "white"]], "zmin": 0, "zmax": 1}
        case _:
            return {"colorscale": BRIGHTNESS}


def _laid_over(values: Tensor, place: int, colours: object, low: float, high: float, opacity: float = 1.0) -> dict[str, Any]:
    rows, columns = values.shape
    return {
        "type": "heatmap",
        "z": values.numpy(),
        "x0": place * (1 + ROOM) + 0.5 / columns,
        "dx": 1 / columns,
        "y0": CAPTION + 0.5 / rows,
        "dy": 1 / rows,
        "zmin": low,
        "zmax": high,
        "colorscale": colours,
        "opacity": opacity,
        "showscale": False,
        "hovertemplate": "%{z:.5g}<extra></extra>",
    }


def _outline(box: Box, height: int, width: int, dash: str) -> list[dict[str, Any]]:
    """A box of pixels on the first panel, cut off at the image's edge: white on black, to be seen on anything."""
    left, right = (min(max(edge, 0), width) / width for edge in (box.left, box.left + box.width))
    top, bottom = (min(max(edge, 0), height) / height for edge in (box.top, box.top + box.height))
    place = {"type": "rect", "x0": left, "x1": right, "y0": CAPTION + top, "y1": CAPTION + bottom}
    lines = ({"color": "black", "width": 5, "dash": dash}, {"color": "white", "width": 2.5, "dash": dash})
    return [place | {"line": line} for line in lines]


def _in_a_row(
    panels: Sequence[Panel],
    traces: Sequence[dict[str, Any]],
    height: int,
    signs: str = "",
    shapes: Sequence[dict[str, Any]] = (),
) -> go.Figure:
    """Panels beside each other, one unit wide and high, with their captions and the signs between them."""
    texts = [text for place, panel in enumerate(panels) for text in _captions(panel, place)]
    for place, sign in enumerate(signs, start=1):
        texts.append(_text(place * (1 + ROOM) - ROOM / 2, CAPTION + 0.5, sign, 22, "middle"))
    size = len(panels) * (1 + ROOM) - ROOM, 1 + 2 * CAPTION
    return bare_figure(traces, size, height, 0.02, shapes, texts)


def _captions(panel: Panel, place: int) -> list[dict[str, Any]]:
    centre = place * (1 + ROOM) + 0.5
    return [
        _text(centre, CAPTION, panel.title, 11, "bottom"),
        _text(centre, CAPTION + 1, f"<b>{panel.below}</b>", 12, "top"),
    ]


def _text(x: float, y: float, text: str, size: int, anchor: str) -> dict[str, Any]:
    return {"x": x, "y": y, "text": text, "showarrow": False, "yanchor": anchor, "font": {"size": size}}
