"""Which classes a run confuses, and how often it answers each over the epochs."""

from collections.abc import Sequence

import plotly.graph_objects as go

from gpcore.drawing.cell_table import cells
from gpcore.drawing.theme import POOL_COLOURS, layout, whole_epochs
from gpcore.figures.epoch_curves import Curve
from gpcore.verdicts.starvation import answer_shares

WORST_CONFUSION = 0.3
"""The share of a class from which on a mistake is drawn in full colour: the diagonal is not the news."""

MISTAKE = "#b3261e"
"""The colour of mistakes, and of starved classes."""


def confusion_matrix(curve: Curve, classes: Sequence[str]) -> go.Figure:
    """Which class (row) is taken for which (column), in per cent of the row, after the last epoch; mistakes are red."""
    counts = curve.epochs[-1].confusion
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    hovers = [
        [f"{actual} taken for {answered}: {count:,} images" for answered, count in zip(classes, row, strict=True)]
        for actual, row in zip(classes, counts, strict=True)
    ]
    return cells(
        strength=[
            [share if actual == answered else -min(share / WORST_CONFUSION, 1) for answered, share in enumerate(row)]
            for actual, row in enumerate(shares)
        ],
        texts=[[f"{share * 100:.0f}" if share >= 0.005 else "" for share in row] for row in shares],
        hovers=hovers,
        colour=POOL_COLOURS[curve.pool],
        opposite=MISTAKE,
        rows=classes,
        columns=classes,
        height=460,
        margin={"l": 96, "r": 8, "t": 8, "b": 96},
        xaxis={"tickangle": -60, "title": "answered", "type": "category"},
        yaxis={"title": "actual", "type": "category", "automargin": True},
    )


def answers_over_epochs(curve: Curve, classes: Sequence[str]) -> go.Figure:
    """Draws how often each class is answered after every epoch, as a multiple of its true number; a starved class is pale."""
    shares = [answer_shares(epoch.confusion) for epoch in curve.epochs]
    figure = go.Figure(
        go.Heatmap(
            z=list(zip(*shares, strict=True)),
            x=[epoch.epoch for epoch in curve.epochs],
            y=list(classes),
            colorscale=[[0, MISTAKE], [0.5, "rgba(128,135,146,0.12)"], [1, POOL_COLOURS[curve.pool]]],
            zmin=0,
            zmid=1,
            zmax=2,
            colorbar={"title": "× true", "thickness": 10, "tickvals": [0, 1, 2]},
            hovertemplate="epoch %{x}: %{y} answered %{z:.2f} times as often as true<extra></extra>",
        )
    )
    epochs = {"title": "epoch", "showgrid": False} | whole_epochs(curve.epochs[-1].epoch)
    rows = {"autorange": "reversed", "showgrid": False, "type": "category", "automargin": True}
    return layout(figure, 320, margin={"l": 90, "r": 8, "t": 8, "b": 44}, xaxis=epochs, yaxis=rows)
