"""Curves and maps of the *Lab* page: accuracy under disturbance, an item moved over a canvas, and the crossover."""

from collections.abc import Sequence

import plotly.graph_objects as go

from gpcore.figures.insight import Line
from gpcore.figures.sheet import Matrix, Sheet, Text
from gpcore.figures.theme import POOL_COLOURS, layout
from gpcore.insight.crossover import Along, Series
from gpcore.insight.positions import PositionMap
from gpcore.nets.heads import HEAD_LABELS

HEIGHT = 360

MAP_HEIGHT = 330

NAMED_CELLS = 6
"""Places along an edge up to which each has its number written into it."""


def against_severity(lines: Sequence[Line], title: str, chance: float) -> go.Figure:
    """The accuracy of each network as a disturbance grows; `chance` is what guessing would reach."""
    figure = go.Figure()
    for line in lines:
        style = {"color": line.colour, "width": 2, "dash": line.dash}
        hover = f"{line.name}, %{{x}}: %{{y:.2%}}<extra></extra>"
        figure.add_scatter(x=line.x, y=line.y, name=line.name, mode="lines+markers", line=style, hovertemplate=hover)
    figure.add_hline(chance, line={"dash": "dot", "width": 1, "color": "#808792"}, annotation_text="chance")
    figure.update_xaxes(title=title, autorange="reversed" if lines[0].x[0] > lines[0].x[-1] else None)
    figure.update_yaxes(title="accuracy on the test images", tickformat=".0%", rangemode="tozero")
    return layout(figure, HEIGHT)


def position_sheet(found: PositionMap, title: str) -> Sheet:
    """The lead of the item's class at each place, green where the answer is right, purple where it is not."""
    lead = found.lead
    largest = max(lead.abs().max().item(), 1e-12)
    written = [[f"{value:+.1f}" for value in row] for row in lead.tolist()] if len(lead) <= NAMED_CELLS else None
    matrix = Matrix(lead, -largest, largest, "for and against", 0.1, 0.12, "lead of its class", written)
    return Sheet(1.2, 1.14, MAP_HEIGHT, [matrix], texts=[Text(title, 0.6, 0.1, 13, bold=True, room=1.2)])


def crossover(found: Series) -> go.Figure:
    """Accuracy with its 95 % interval along a series of canvases, a line for each pooling."""
    figure = go.Figure()
    for pool, means in found.lines.items():
        figure.add_scatter(
            x=list(means),
            y=[mean.value for mean in means.values()],
            error_y={"array": [mean.margin or 0 for mean in means.values()], "thickness": 1.5},
            name=HEAD_LABELS[pool],
            mode="lines+markers",
            line={"color": POOL_COLOURS[pool], "width": 2},
            customdata=[mean.count for mean in means.values()],
            hovertemplate="%{y:.2%}, %{customdata} seeds<extra>%{fullData.name}</extra>",
        )
    ticks = {"tickvals": list(found.tables), "ticktext": [f"{value:g}" for value in found.tables]}
    titles: dict[Along, str] = {"area": "share of the image that the item takes (%)", "pieces": "pieces of clutter"}
    figure.update_xaxes(title=titles[found.along], type="log" if found.along == "area" else "linear", **ticks)
    figure.update_yaxes(title="validation accuracy", tickformat=".0%")
    return layout(figure, HEIGHT)
