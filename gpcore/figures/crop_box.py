"""A photograph on which a person drags a box around the object."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gpcore.data.preparation import WHOLE, Box
from gpcore.figures.answer_sheets import data_url

HEIGHT = 300


def croppable(pixels: np.ndarray) -> go.Figure:
    """The photograph (height, width, 3), in fractions of its sides; dragging selects a box, a double click none."""
    height, width = pixels.shape[:2]
    picture = {
        "source": data_url(pixels),
        "x": 0,
        "y": 0,
        "sizex": 1,
        "sizey": 1,
        "xref": "x",
        "yref": "y",
        "sizing": "stretch",
    }
    # Plotly selects points, so there must be some.
    corners = go.Scatter(x=[0, 1], y=[0, 1], mode="markers", marker={"opacity": 0}, hoverinfo="skip")
    hidden = {"visible": False, "constrain": "domain"}
    return go.Figure(
        corners,
        {
            "images": [picture | {"layer": "below"}],
            "height": HEIGHT,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "dragmode": "select",
            "newselection": {"line": {"color": "#ff4b4b", "width": 3, "dash": "solid"}},
            "showlegend": False,
            "xaxis": hidden | {"range": [0, 1]},
            "yaxis": hidden | {"range": [1, 0], "scaleanchor": "x", "scaleratio": height / width},
        },
    )


def box_of(selection: Mapping[str, Any]) -> Box:
    """Returns the box that a person dragged, clipped to the picture; without one, the whole picture."""
    if not selection.get("box"):
        return WHOLE
    dragged = selection["box"][-1]
    left, right = sorted(min(max(edge, 0.0), 1.0) for edge in dragged["x"])
    top, bottom = sorted(min(max(edge, 0.0), 1.0) for edge in dragged["y"])
    return Box(left, top, right, bottom) if right > left and bottom > top else WHOLE
