"""Curves of the *Inside* page: accuracy over epochs with a marker, one image's fate, and accuracy over swapped poolings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from gpcore.drawing.theme import NEUTRAL, PERCENT, layout, whole_epochs

HEIGHT = 300


@dataclass(frozen=True)
class PlotLine:
    """One run's curve; `marked` is the index of the emphasised point, `notes` are shown on hover."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    marked: int | None = None
    dash: str = "solid"
    notes: Sequence[str] | None = None


def over_epochs(lines: Sequence[PlotLine], title: str, percent: bool) -> go.Figure:
    """A value after every epoch, with a marker at the epoch that the page shows."""
    figure = go.Figure()
    for line in lines:
        value = "%{y:.2%}" if percent else "%{y:+.3f}" + (", answer %{text}" if line.notes else "")
        _add(figure, line, "epoch %{x}", value)
    figure.update_xaxes(title="epoch", **whole_epochs(int(max(line.x[-1] for line in lines))))
    figure.update_yaxes(title=title, tickformat=PERCENT if percent else None)
    if not percent:
        figure.add_hline(0, line={"color": NEUTRAL, "width": 1})
    return layout(figure, HEIGHT)


def from_mean_to_max(lines: Sequence[PlotLine], at: float) -> go.Figure:
    """Draws the accuracy from the mean to the maximum, with a line at the slider's position `at`.

    The x axis is the binary logarithm of the strength, with the mean and the maximum one step beyond its ends.
    """
    figure = go.Figure()
    for line in lines:
        placed = PlotLine(line.name, line.colour, places(line.x), line.y, line.marked, line.dash, [named(s) for s in line.x])
        _add(figure, placed, "r %{text}", "%{y:.2%}")
    strengths = lines[0].x
    figure.add_vline(places(strengths)[list(strengths).index(at)], line={"color": NEUTRAL, "dash": "dot"})
    ticks = [0, *range(1, len(strengths) - 1, 2), len(strengths) - 1]
    figure.update_xaxes(title="r", tickvals=ticks, ticktext=[named(strengths[place]) for place in ticks])
    figure.update_yaxes(title="accuracy on the test images", tickformat=PERCENT)
    return layout(figure, HEIGHT)


def score_bars(classes: Sequence[str], scores: Sequence[float], trained: Sequence[float], colour: str) -> go.Figure:
    """The scores of all classes as bars, with a mark where the trained pooling has them."""
    bars = go.Bar(x=scores, y=classes, orientation="h", marker={"color": colour}, name="this pooling")
    mark = {"symbol": "line-ns", "size": 14, "line": {"color": NEUTRAL, "width": 3}}
    marks = go.Scatter(x=trained, y=classes, mode="markers", marker=mark, name="as trained")
    figure = layout(go.Figure([bars, marks]), HEIGHT, margin={"l": 84, "r": 12, "t": 34, "b": 30}, hovermode="y unified")
    figure.update_traces(hovertemplate="%{x:+.4f}")
    return figure.update_yaxes(autorange="reversed", type="category")


def places(strengths: Sequence[float]) -> list[float]:
    """Returns the positions of strengths on the axis: one step for every doubling."""
    inner = [math.log2(strength) for strength in strengths if 0 < strength < math.inf]
    first, last = min(inner), max(inner)
    return [0.0 if s == 0 else last - first + 2 if s == math.inf else math.log2(s) - first + 1 for s in strengths]


def named(strength: float) -> str:
    """Returns a strength as text."""
    if strength in (0, math.inf):
        return "mean" if strength == 0 else "max"
    return f"{strength:g}" if strength >= 0.1 else f"1/{1 / strength:g}"


def _add(figure: go.Figure, line: PlotLine, where: str, value: str) -> None:
    figure.add_scatter(
        x=list(line.x),
        y=list(line.y),
        text=line.notes,
        name=line.name,
        mode="lines",
        line={"color": line.colour, "width": 2, "dash": line.dash},
        hovertemplate=f"{line.name}, {where}: {value}<extra></extra>",
    )
    if line.marked is not None:
        marker = {"color": line.colour, "size": 13, "line": {"color": "white", "width": 2}}
        figure.add_scatter(
            x=[line.x[line.marked]],
            y=[line.y[line.marked]],
            mode="markers",
            marker=marker,
            showlegend=False,
            hoverinfo="skip",
        )
