"""How poolings stand against each other over seeds, as one chart."""

import plotly.graph_objects as go

from gpcore.figures.theme import POOL_COLOURS, layout
from gpcore.insight.standings import Table

ROW_HEIGHT = 44
"""Pixels for each pooling."""


def accuracies(table: Table) -> go.Figure:
    """Every seed as a dot, the mean with its 95 % interval as a bar, a row for each pooling, the best on top."""
    figure = go.Figure()
    for standing in table.standings:
        colour, mean = POOL_COLOURS[standing.pool], standing.mean
        figure.add_scatter(
            x=list(standing.accuracies.values()),
            y=[standing.pool] * len(standing.accuracies),
            text=[f"seed {seed}" for seed in standing.accuracies],
            mode="markers",
            marker={"color": colour, "size": 8, "opacity": 0.45},
            hovertemplate="%{text}: %{x:.2%}<extra></extra>",
        )
        margin = mean.margin or 0.0
        figure.add_scatter(
            x=[mean.value],
            y=[standing.pool],
            error_x={"array": [margin], "thickness": 2.5, "width": 8},
            mode="markers",
            marker={"color": colour, "size": 13, "symbol": "diamond"},
            hovertemplate=f"mean %{{x:.2%}} ± {margin:.2%}<extra></extra>",
        )
    figure.update_xaxes(title="validation accuracy", tickformat=".1%")
    height = 90 + ROW_HEIGHT * len(table.standings)
    layout(figure, height, showlegend=False, margin={"l": 90, "r": 12, "t": 8, "b": 44})
    return figure.update_yaxes(autorange="reversed", type="category")
