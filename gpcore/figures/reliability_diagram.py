"""A reliability diagram: how far probabilities can be trusted."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from gpcore.drawing.theme import NEUTRAL, layout
from gpcore.insight.reliability import Bin, Reliability, calibration_error


def reliability_diagram(found: Reliability, colour: str) -> go.Figure:
    """Draws the share of right answers against their probability; on the diagonal, the probability can be trusted.

    Solid is the network as it is, dotted with its temperature; below the diagonal it is overconfident. A larger marker
    means more answers.
    """
    figure = go.Figure()
    diagonal = {"color": NEUTRAL, "width": 1, "dash": "dash"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, showlegend=False, hoverinfo="skip")
    _add(figure, f"as it is, ECE {calibration_error(found.plain):.1%}", found.plain, colour, "solid")
    tempered = f"temperature {found.temperature:.2f}, ECE {calibration_error(found.tempered):.1%}"
    _add(figure, tempered, found.tempered, colour, "dot")
    figure.update_xaxes(title="probability of the answer", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="answers that are right", tickformat=".0%", range=[0, 1.05])
    return layout(figure, 380)


def _add(figure: go.Figure, name: str, bins: Sequence[Bin], colour: str, dash: str) -> None:
    images = sum(each.images for each in bins)
    figure.add_scatter(
        x=[each.confidence for each in bins],
        y=[each.accuracy for each in bins],
        customdata=[each.images for each in bins],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": [4 + 16 * math.sqrt(each.images / images) for each in bins]},
        hovertemplate="%{customdata:,} answers of about %{x:.0%}: %{y:.1%} right<extra></extra>",
    )
