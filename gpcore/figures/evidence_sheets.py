"""Scores taken apart, as sheets: cells that add up, and the same evidence laid over the image."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpcore.drawing.colour_scales import ends
from gpcore.drawing.panels import Panel, PanelRow, corner, panels_sheet, signed
from gpcore.drawing.sheets import Matrix, Outline, Sheet
from gpcore.insight.analysis import Analysis
from gpcore.insight.evidence import Box, cell_size, on_the_image, own_pixels, receptive_field

EVIDENCE_HEIGHT, IMAGE_HEIGHT = 370, 200
"""Height in pixels; constant, so that nothing moves when the image changes."""


def explained(look: Analysis, label: int, classes: Sequence[str]) -> Sheet:
    """`class map × weight = share` for one class's score, and below it the answer against its closest rival."""
    return panels_sheet([taken_apart(look, label, classes[label]), set_against(look, classes)], EVIDENCE_HEIGHT)


def taken_apart(look: Analysis, label: int, name: str) -> PanelRow:
    """`class map × weight = share` for one class's score."""
    found = look.evidence
    shares = found.shares[label]
    panels = (
        Panel(found.maps[label], "value", f"{name}: class map"),
        Panel(found.weights[label], "weight", f"weight in {look.network.pool.label}"),
        Panel(shares, "share", "share of the score", f"sum {signed(shares.sum().item())}"),
    )
    return PanelRow(panels, "×=")


def set_against(look: Analysis, classes: Sequence[str]) -> PanelRow:
    """Draws `shares of the answer − shares of its rival = its lead`, all in the same colours."""
    found, contest = look.evidence, look.contest
    both = found.shares[[contest.winner, contest.rival]]
    largest = max(both.abs().max().item(), contest.cells.abs().max().item(), 1e-12)
    panels = [
        Panel(found.shares[label], "share", classes[label], f"score {signed(found.scores[label].item())}", largest)
        for label in (contest.winner, contest.rival)
    ]
    return PanelRow([*panels, Panel(contest.cells, "share", "what tips it", f"lead {signed(contest.margin)}", largest)], "−=")


def over_the_image(look: Analysis, name: str) -> Sheet:
    """The answer's class map laid over the image with its strongest cell, and the gradients on class map and image."""
    picture = look.image[0].mean(0)
    height, width = picture.shape
    network, cells = look.network, look.evidence.maps[look.answer]
    laid = on_the_image(cells, cell_size(network), height, width)
    by_pixel = look.gradients.pixels.sum(0)
    largest = max(by_pixel.abs().max().item(), 1e-12)
    panels = (
        Panel(picture, "photograph", f"class map of {name}"),
        Panel(look.gradients.cells, "weight", "gradient on the class map"),
        Panel(picture, "photograph", "gradient on the image"),
    )
    over = (
        Matrix(laid, *ends(laid), "brightness", *corner(0, 0), "class map", opacity=0.6),
        Matrix(by_pixel, -largest, largest, "over a photograph", *corner(0, 2), "gradient"),
    )
    row, column = look.evidence.strongest_cell(look.answer)
    outlines = _outline(receptive_field(network, row, column), height, width, dotted=True)
    outlines += _outline(own_pixels(network, row, column), height, width)
    return panels_sheet([PanelRow(panels)], IMAGE_HEIGHT, over, outlines)


def field_size(look: Analysis) -> str:
    """The size of a class map cell's receptive field, for example `36×36 pixels`."""
    field = receptive_field(look.network, 0, 0)
    return f"{field.height}×{field.width} pixels"


def cell_rows(look: Analysis, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Every cell of every class as a row, then its remainder and its score, which is their sum."""
    found = look.evidence
    rows: list[dict[str, Any]] = []
    for label, name in enumerate(classes):
        for row, column in np.ndindex(*found.maps.shape[1:]):
            cell = label, row, column
            parts = {"value": found.maps[cell], "weight": found.weights[cell], "share": found.shares[cell]}
            rows.append({"class": name, "row": row, "column": column} | {key: part.item() for key, part in parts.items()})
        rows.append({"class": name, "row": found.remainder_name or "remainder", "share": found.remainders[label].item()})
        rows.append({"class": name, "row": "score", "share": found.scores[label].item()})
    return rows


def pixel_rows(look: Analysis) -> list[dict[str, Any]]:
    """The gradient of the answer's score with respect to every pixel, as rows."""
    gradient = look.gradients.pixels
    return [
        {"channel": channel, "row": row, "column": column, "gradient": gradient[channel, row, column].item()}
        for channel, row, column in np.ndindex(*gradient.shape)
    ]


def _outline(box: Box, height: int, width: int, dotted: bool = False) -> list[Outline]:
    """Outlines a box of pixels on the first panel, clipped to the image; white on black, to be visible on any colour."""
    left, right = (min(max(edge, 0), width) / width for edge in (box.left, box.left + box.width))
    top, bottom = (min(max(edge, 0), height) / height for edge in (box.top, box.top + box.height))
    x, y = corner(0, 0)
    lines = (("black", 5), ("white", 2.5))
    return [Outline(x + left, y + top, right - left, bottom - top, colour, width, dotted) for colour, width in lines]
