"""Runs compared in charts: accuracy and loss over the epochs, confusion, and which classes are answered how often."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from gpcore.figures.cells import cells
from gpcore.figures.theme import NEUTRAL, PERCENT, POOL_COLOURS, SEVERAL_DASHES, layout, whole_epochs
from gpcore.insight.comparison import ARTICLE_MILESTONES, answer_shares
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch

WORST_CONFUSION = 0.3
"""The share of a class from which on a confusion is drawn in full colour: the diagonal is not the news."""


@dataclass(frozen=True)
class Curve:
    """One run to draw: its name, its pooling, which gives the colour, and its epochs."""

    name: str
    pool: Pool
    epochs: Sequence[Epoch]


def accuracy_curves(curves: Sequence[Curve], milestones: bool) -> go.Figure:
    """Validation accuracy (strong) and training accuracy (thin) of every run; the article's own milestones as diamonds."""
    figure = _over_epochs(curves, "validation_accuracy", "training_accuracy")
    for pool in dict.fromkeys(curve.pool for curve in curves) if milestones else ():
        points = ARTICLE_MILESTONES.get(pool, [])
        figure.add_scatter(
            x=[point.epoch for point in points],
            y=[point.accuracy for point in points],
            text=[point.words for point in points],
            mode="markers",
            name=f"the article's {pool.upper()}",
            marker={"symbol": "diamond-open", "size": 11, "color": POOL_COLOURS[pool], "line": {"width": 2}},
            hovertemplate="%{text}",
            visible=True if points else "legendonly",
        )
    return layout(figure, _height(curves), yaxis={"tickformat": PERCENT, "title": "accuracy"}, **_epoch_axis(curves))


def loss_curves(curves: Sequence[Curve]) -> go.Figure:
    """Validation loss (strong) and training loss (thin) of every run."""
    figure = _over_epochs(curves, "validation_loss", "training_loss")
    return layout(figure, _height(curves), yaxis={"title": "cross entropy"}, **_epoch_axis(curves))


def confusion_matrix(curve: Curve, classes: Sequence[str]) -> go.Figure:
    """Which class (row) is taken for which (column), in per cent of the row, after the last epoch."""
    counts = curve.epochs[-1].confusion
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    hovers = [
        [f"{actual} taken for {answered}: {count:,} images" for answered, count in zip(classes, row, strict=True)]
        for actual, row in zip(classes, counts, strict=True)
    ]
    return cells(
        strength=[[min(share / WORST_CONFUSION, 1) for share in row] for row in shares],
        texts=[[f"{share * 100:.0f}" if share >= 0.005 else "" for share in row] for row in shares],
        hovers=hovers,
        colour=POOL_COLOURS[curve.pool],
        rows=classes,
        columns=classes,
        height=460,
        margin={"l": 96, "r": 8, "t": 8, "b": 96},
        xaxis={"tickangle": -60, "title": "answered", "type": "category"},
        yaxis={"title": "actual", "type": "category", "automargin": True},
    )


def answers_over_epochs(curve: Curve, classes: Sequence[str]) -> go.Figure:
    """How often each class is answered after every epoch, as a multiple of its true number: pale is starved."""
    shares = [answer_shares(epoch.confusion) for epoch in curve.epochs]
    figure = go.Figure(
        go.Heatmap(
            z=list(zip(*shares, strict=True)),
            x=[epoch.epoch for epoch in curve.epochs],
            y=list(classes),
            colorscale=[[0, "#b3261e"], [0.5, "rgba(128,135,146,0.12)"], [1, POOL_COLOURS[curve.pool]]],
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


def _height(curves: Sequence[Curve]) -> int:
    """Pixels: every run takes two lines of the legend, and the curves stay as tall."""
    return 330 + 35 * len(curves)


def _epoch_axis(curves: Sequence[Curve]) -> dict[str, object]:
    last = max(curve.epochs[-1].epoch for curve in curves)
    return {"xaxis": {"title": "epoch"} | whole_epochs(last), "hovermode": "x unified"}


def _over_epochs(curves: Sequence[Curve], strong: str, thin: str) -> go.Figure:
    figure = go.Figure()
    drawn: dict[Pool, int] = {}
    for curve in curves:
        dash = SEVERAL_DASHES[drawn.setdefault(curve.pool, 0) % len(SEVERAL_DASHES)]
        drawn[curve.pool] += 1
        colour = POOL_COLOURS.get(curve.pool, NEUTRAL)
        for field, width, opacity in ((strong, 2.5, 1.0), (thin, 1.2, 0.55)):
            figure.add_scatter(
                x=[epoch.epoch for epoch in curve.epochs],
                y=[getattr(epoch, field) for epoch in curve.epochs],
                mode="lines" if len(curve.epochs) > 1 else "markers",
                name=f"{curve.name}, {field.split('_')[0]}",
                legendgroup=curve.name,
                opacity=opacity,
                line={"color": colour, "width": width, "dash": dash},
                hovertemplate="%{y:.2%}" if "accuracy" in field else "%{y:.4f}",
            )
    return figure
