"""Figures without axes, made in one go: Plotly checks every later change anew, at about 10 ms each, and a page draws six."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

MARGIN = 4
"""Pixels around maps: enough that no line at the edge is cut."""


EMPTY: dict[str, Any] = {"layout": {}, "data": {}}
"""No template: Plotly's own, of 7 kB, would travel with every figure, and a page's theme replaces it anyway."""


def bare_figure(
    traces: Sequence[dict[str, Any]],
    size: tuple[float, float],
    height: int,
    edge: float = 0.05,
    shapes: Sequence[dict[str, Any]] = (),
    annotations: Sequence[dict[str, Any]] = (),
) -> go.Figure:
    """Traces in a plane of `size` (width, height) units with square units and y downwards, `height` pixels high."""
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    width, depth = size
    return go.Figure(
        list(traces),
        {
            "template": EMPTY,
            "height": height,
            "margin": {"l": MARGIN, "r": MARGIN, "t": MARGIN, "b": MARGIN},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "uirevision": "constant",
            "xaxis": hidden | {"range": [-edge, width + edge]},
            "yaxis": hidden | {"range": [depth + edge, -edge], "scaleanchor": "x", "constraintoward": "top"},
            "shapes": list(shapes),
            "annotations": list(annotations),
        },
    )
