"""A table of cells, filled by strength in one colour, whose numbers can be read on a light and on a dark page."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from gpcore.drawing.theme import layout

FAINT = "rgba(128,135,146,0.10)"

SOLID = 0.75
"""From this strength on, the text's colour must suit the fill instead of the page."""


def cells(
    strength: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    hovers: Sequence[Sequence[str]],
    colour: str,
    rows: Sequence[str],
    columns: Sequence[str],
    height: int,
    opposite: str | None = None,
    **changes: Any,
) -> go.Figure:
    """Cells of strength 0 (hardly there) to 1 (full colour), each with a short text and a longer one on hover; with a colour
    `opposite`, down to -1, which has that colour.

    Texts on strong cells have a colour of their own, those on faint ones the page's: Plotly would choose for a white page.
    """
    figure = go.Figure(
        go.Heatmap(
            z=strength, x=list(columns), y=list(rows), customdata=hovers, hovertemplate="%{customdata}<extra></extra>",
            zmin=-1, zmax=1, colorscale=[[0, opposite or colour], [0.5, FAINT], [1, colour]], showscale=False, xgap=1, ygap=1,
        )
    )  # fmt: skip
    places = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    for side, font in ((0, {}), (1, {"color": _text_on(colour)}), (-1, {"color": _text_on(opposite or colour)})):
        here = [(row, column) for row, column in places if _side(strength[row][column]) == side]
        figure.add_scatter(
            x=[columns[column] for _, column in here], y=[rows[row] for row, _ in here],
            text=[texts[row][column] for row, column in here], textfont=font,
            mode="text", hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    layout(figure, height, **changes)
    return figure.update_xaxes(showgrid=False).update_yaxes(showgrid=False, autorange="reversed")


def _side(strength: float) -> int:
    """Whether a text stands on the colour, on its opposite, or on the page."""
    return (strength > SOLID) - (strength < -SOLID)


def _text_on(colour: str) -> str:
    """Black or white, whichever stands out more on `#rrggbb` (relative luminance after WCAG 2)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return "#111111" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"
