"""Class maps laid over the photograph that they come from, and the likeliest classes as bars."""

import base64
import io

import numpy as np
import PIL.Image
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpcore.data.photos import Box
from gpcore.figures.theme import layout
from gpcore.insight.answers import Answer

HEIGHT = 230
BAR_HEIGHT = 132

SCALE = "Viridis"


def maps_over_photo(pixels: np.ndarray, box: Box, answer: Answer, colour: str) -> go.Figure:
    """The class maps of the three likeliest classes over the photograph, on one common scale; `pixels` (height, width, 3)."""
    labels = answer.top()
    height, width = pixels.shape[:2]
    source = data_url(pixels)
    figure = make_subplots(1, len(labels), horizontal_spacing=0.02, subplot_titles=[answer.classes[label] for label in labels])
    shown = answer.maps[labels]
    for column, maps in enumerate(shown, start=1):
        figure.add_trace(_cells(maps, box, width, height, shown.min(), shown.max()), 1, column)
        figure.add_layout_image(
            source=source,
            x=0,
            y=0,
            sizex=width,
            sizey=height,
            xref=f"x{column}",
            yref=f"y{column}",
            layer="below",
            sizing="stretch",
        )
    figure.update_annotations(font={"color": colour, "size": 14})
    layout(figure, HEIGHT, margin={"l": 2, "r": 2, "t": 24, "b": 2}, showlegend=False)
    figure.update_xaxes(visible=False, range=[0, width], constrain="domain", fixedrange=True)
    for column in range(1, len(labels) + 1):
        figure.update_yaxes(
            visible=False, range=[height, 0], scaleanchor=f"x{column}", constrain="domain", fixedrange=True, row=1, col=column
        )
    return figure


def _cells(maps: np.ndarray, box: Box, width: int, height: int, low: float, high: float) -> go.Heatmap:
    rows, columns = maps.shape
    return go.Heatmap(
        z=maps,
        x=np.linspace(box.left, box.right, columns + 1) * width,
        y=np.linspace(box.top, box.bottom, rows + 1) * height,
        zmin=float(low),
        zmax=float(max(high, low + 1e-6)),
        colorscale=SCALE,
        opacity=0.55,
        showscale=False,
        hovertemplate="%{z:.2f}<extra></extra>",
    )


def likeliest(answer: Answer, colour: str) -> go.Figure:
    """The three likeliest classes with their probabilities."""
    labels = answer.top()[::-1]
    values = [float(answer.probabilities[label]) for label in labels]
    bars = go.Bar(
        x=values,
        y=[answer.classes[label] for label in labels],
        orientation="h",
        marker_color=colour,
        text=[f"{value:.0%}" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )
    figure = layout(go.Figure(bars), BAR_HEIGHT, margin={"l": 84, "r": 40, "t": 4, "b": 4}, showlegend=False)
    figure.update_xaxes(visible=False, range=[0, 1.05], fixedrange=True)
    return figure.update_yaxes(fixedrange=True, ticks="")


def data_url(pixels: np.ndarray) -> str:
    """A picture (height, width, 3) as a browser takes it inside a figure."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
