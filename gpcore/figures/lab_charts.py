"""Curves and maps of the *Lab* page: accuracy under disturbance, an item moved over a canvas, and the crossover."""

from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from gpcore.drawing.sheets import Matrix, Sheet, Text
from gpcore.drawing.theme import PERCENT, POOL_COLOURS, layout
from gpcore.figures.inside_curves import PlotLine
from gpcore.insight.positions import PositionMap
from gpcore.recipe import HEAD_LABELS
from gpcore.verdicts.crossover import Along, Series

HEIGHT = 360

MAP_HEIGHT = 330

STRIP_HEIGHT, STRIP_GAP = 130, 0.08

APART = 0.06
"""Distance between the poolings of one canvas, as a part of the distance between two canvases."""

NAMED_CELLS = 6
"""Most places along an edge for which each cell shows its number."""


def image_strip(images: Float[Tensor, "n channels height width"], titles: Sequence[str]) -> Sheet:
    """Images in [0, 1] in one row, each with a title below: what was disturbed, at every strength."""
    matrices, texts = [], []
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        left = place * (1 + STRIP_GAP)
        matrices.append(Matrix(image.mean(0), 0, 1, "photograph", left, name=title))
        texts.append(Text(title, left + 0.5, 1.02, 12, "below"))
    return Sheet(len(images) * (1 + STRIP_GAP) - STRIP_GAP, 1.2, STRIP_HEIGHT, matrices, texts=texts, shrinks=True)


def against_severity(lines: Sequence[PlotLine], title: str, chance: float) -> go.Figure:
    """The accuracy of each network as a disturbance grows; `chance` is what guessing would reach."""
    figure = go.Figure()
    for line in lines:
        style = {"color": line.colour, "width": 2, "dash": line.dash}
        hover = f"{line.name}, %{{x}}: %{{y:.2%}}<extra></extra>"
        figure.add_scatter(x=line.x, y=line.y, name=line.name, mode="lines+markers", line=style, hovertemplate=hover)
    figure.add_hline(chance, line={"dash": "dot", "width": 1, "color": "#808792"}, annotation_text="chance")
    figure.update_xaxes(title=title, autorange="reversed" if lines[0].x[0] > lines[0].x[-1] else None)
    figure.update_yaxes(title="accuracy on the test images", tickformat=PERCENT, rangemode="tozero")
    return layout(figure, HEIGHT)


def position_sheet(found: PositionMap, title: str) -> Sheet:
    """The lead of the item's class at each place, green where the answer is right, purple where it is not."""
    lead = found.lead
    largest = max(lead.abs().max().item(), 1e-12)
    written = [[f"{value:+.1f}" for value in row] for row in lead.tolist()] if len(lead) <= NAMED_CELLS else None
    matrix = Matrix(lead, -largest, largest, "for and against", 0.1, 0.12, "lead of its class", written)
    return Sheet(1.2, 1.14, MAP_HEIGHT, [matrix], texts=[Text(title, 0.6, 0.1, 13, bold=True, room=1.2)])


def crossover(found: Series) -> go.Figure:
    """Accuracy along a series of canvases: for each pooling a line through the means, with its 95 % interval, and every seed.

    Canvases are evenly spaced and the poolings side by side, so that no interval covers another.
    """
    figure, places = go.Figure(), {value: place for place, value in enumerate(found.tables)}
    for number, (pool, standings) in enumerate(found.lines.items()):
        aside = APART * (number - (len(found.lines) - 1) / 2)
        x, means = [places[value] + aside for value in standings], [standing.mean for standing in standings.values()]
        seeds = [
            (place, accuracy)
            for place, standing in zip(x, standings.values(), strict=True)
            for accuracy in standing.accuracies.values()
        ]
        below, above = zip(*(mean.within(0, 1) for mean in means), strict=True)
        one = {"legendgroup": pool, "name": HEAD_LABELS[pool]}
        figure.add_scatter(
            x=[place for place, _ in seeds],
            y=[accuracy for _, accuracy in seeds],
            mode="markers",
            marker={"color": POOL_COLOURS[pool], "size": 6, "opacity": 0.4},
            showlegend=False,
            hovertemplate="one seed: %{y:.2%}<extra>%{fullData.name}</extra>",
            **one,
        )
        figure.add_scatter(
            x=x,
            y=[mean.value for mean in means],
            error_y={"array": above, "arrayminus": below, "thickness": 1.5},
            mode="lines+markers",
            line={"color": POOL_COLOURS[pool], "width": 2},
            customdata=[mean.count for mean in means],
            hovertemplate="%{y:.2%}, %{customdata} seeds<extra>%{fullData.name}</extra>",
            **one,
        )
    titles: dict[Along, str] = {"area": "share of the image that the item takes (%)", "pieces": "pieces of clutter"}
    figure.update_xaxes(
        title=titles[found.along], tickvals=list(places.values()), ticktext=[f"{value:g}" for value in places], zeroline=False
    )
    figure.update_yaxes(title="validation accuracy", tickformat=PERCENT)
    return layout(figure, HEIGHT)
