"""Heads side by side: accuracy by class, costs, and published results."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpcore.drawing.theme import NEUTRAL, PERCENT, POOL_COLOURS, layout
from gpcore.recipe import HEAD_LABELS, Pool
from gpcore.verdicts.published import PUBLISHED
from gpcore.verdicts.standings import Standing


def per_class(accuracies: Mapping[Pool, Sequence[float]], classes: Sequence[str]) -> go.Figure:
    """Draws the accuracy of each class, with a dot for each head."""
    figure = go.Figure()
    for pool, shares in accuracies.items():
        figure.add_scatter(
            x=list(shares),
            y=list(classes),
            name=HEAD_LABELS[pool],
            legendgroup=pool,
            mode="markers",
            marker={"color": POOL_COLOURS[pool], "size": 11, "opacity": 0.85},
            hovertemplate=f"{HEAD_LABELS[pool]}, %{{y}}: %{{x:.1%}}<extra></extra>",
        )
    figure.update_xaxes(title="answered right, mean over the seeds", tickformat=PERCENT)
    layout(figure, 110 + 30 * len(classes), margin={"l": 96, "r": 12, "t": 34, "b": 44})
    return figure.update_yaxes(autorange="reversed", type="category", automargin=True)


def published(standings: Sequence[Standing], parameters: Mapping[Pool, int]) -> go.Figure:
    """Accuracy on FashionMNIST against parameters: what others report (grey), and the heads here with their intervals.

    Results whose parameters the list does not give are right of the scale.
    """
    figure = make_subplots(cols=2, shared_yaxes=True, column_widths=[0.8, 0.2], horizontal_spacing=0.02)
    for column, given in ((1, True), (2, False)):
        chosen = [each for each in PUBLISHED if (each.parameters is not None) == given]
        figure.add_scatter(
            x=[each.parameters if given else 0 for each in chosen],
            y=[each.accuracy for each in chosen],
            text=[each.name for each in chosen],
            name="published",
            legendgroup="published",
            showlegend=given,
            mode="markers",
            marker={"color": NEUTRAL, "size": 9, "symbol": "circle-open", "line": {"width": 2}},
            hovertemplate="%{text}: %{y:.1%}<extra></extra>",
            row=1,
            col=column,
        )
    for standing in standings:
        _own(figure, standing, parameters[standing.pool])
    figure.update_xaxes(type="log", title="parameters", range=[3.9, 8.1], dtick=1, row=1, col=1)
    figure.update_xaxes(title="not given", showticklabels=False, row=1, col=2)
    figure.update_yaxes(title="accuracy on the test images", tickformat=PERCENT, row=1, col=1)
    return layout(figure, 440)


def _own(figure: go.Figure, standing: Standing, parameters: int) -> None:
    mean = standing.mean
    figure.add_scatter(
        x=[parameters],
        y=[mean.value],
        error_y={"array": [mean.margin or 0.0], "thickness": 2},
        name=HEAD_LABELS[standing.pool],
        legendgroup=standing.pool,
        mode="markers",
        marker={"color": POOL_COLOURS[standing.pool], "size": 11, "symbol": "diamond"},
        hovertemplate=f"{HEAD_LABELS[standing.pool]}: %{{y:.2%}}, %{{x:,}} parameters<extra></extra>",
        row=1,
        col=1,
    )
