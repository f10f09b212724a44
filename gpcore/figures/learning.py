"""How the heads of a setting learn: curves with bands over seeds, and the time until an accuracy is reached."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpcore.figures.theme import PERCENT, POOL_COLOURS, layout, whole_epochs
from gpcore.insight.settings import Band, Reached
from gpcore.nets.heads import HEAD_LABELS

HEIGHT = 400


def learning_curves(bands: Sequence[Band]) -> go.Figure:
    """Mean validation accuracy (strong) with a band from the lowest to the highest seed, and mean training accuracy (thin)."""
    figure = go.Figure()
    for band in bands:
        colour, name = POOL_COLOURS[band.pool], HEAD_LABELS[band.pool]
        mode = "lines" if len(band.epochs) > 1 else "markers"
        shared = {"x": band.epochs, "mode": mode, "legendgroup": name}
        edge = shared | {"line": {"width": 0, "color": colour}, "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        figure.add_scatter(y=band.high, **edge)
        figure.add_scatter(y=band.low, fill="tonexty", fillcolor=_pale(colour), **edge)
        line = {"color": colour, "width": 2.5}
        figure.add_scatter(y=band.mean, name=f"{name}, {_seeds(band.seeds)}", line=line, hovertemplate="%{y:.2%}", **shared)
        thin = shared | {"line": {"color": colour, "width": 1.2, "dash": "dot"}, "opacity": 0.7, "showlegend": False}
        figure.add_scatter(y=band.training, name=f"{name}, training", hovertemplate="%{y:.2%}", **thin)
    whole = {"title": "epoch"} | whole_epochs(bands[0].epochs[-1])
    return layout(figure, HEIGHT, yaxis={"title": "accuracy", "tickformat": PERCENT}, xaxis=whole, hovermode="x unified")


def times(reached: Sequence[Reached], device: str | None) -> go.Figure:
    """Epochs and seconds until an accuracy was first reached, by those that did: dots are seeds, diamonds means."""
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    for head in reached:
        _dots(figure, head, head.epochs, 1)
        _dots(figure, head, head.seconds, 2)
    last = max((epoch for head in reached for epoch in head.epochs.values()), default=1)
    figure.update_xaxes(title="epochs", col=1, rangemode="tozero", **whole_epochs(last))
    figure.update_xaxes(title=f"seconds on {device}" if device else "seconds", col=2, rangemode="tozero")
    layout(figure, 90 + 44 * len(reached), showlegend=False, margin={"l": 96, "r": 12, "t": 8, "b": 44})
    return figure.update_yaxes(autorange="reversed", type="category", automargin=True)


def _dots(figure: go.Figure, head: Reached, numbers: Mapping[int, float], column: int) -> None:
    colour, name = POOL_COLOURS[head.pool], HEAD_LABELS[head.pool]
    values = list(numbers.values())
    for x, marker, said in (
        (values, {"size": 8, "opacity": 0.45}, [f"seed {seed}" for seed in numbers]),
        ([fmean(values)] if values else [None], {"size": 13, "symbol": "diamond"}, ["mean"]),
    ):
        figure.add_scatter(
            x=x,
            y=[name] * len(x),
            text=said,
            mode="markers",
            marker=marker | {"color": colour},
            hovertemplate="%{text}: %{x:.4~g}<extra></extra>",
            row=1,
            col=column,
        )


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.10)"


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count > 1)}"
