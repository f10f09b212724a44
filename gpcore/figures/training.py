"""Runs while they are trained: loss per batch, and what is measured after every epoch, all runs on the same axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from gpcore.figures.theme import NEUTRAL, POOL_COLOURS, SEVERAL_DASHES, layout
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch, LossCurve

HEIGHT = 300

EpochField = Literal["learning_rate", "seconds"]


@dataclass(frozen=True)
class Trace:
    """A run to draw: its title, its pooling, which gives the colour, its batch losses and its epochs."""

    name: str
    pool: Pool
    losses: LossCurve
    epochs: Sequence[Epoch]


def batch_losses(traces: Sequence[Trace]) -> go.Figure:
    """The training loss of every batch; where batches are drawn together, their mean, and a band from lowest to highest."""
    figure = go.Figure()
    for trace, line in _styled(traces):
        batches = [step + 1 for step in trace.losses.steps]
        if trace.losses.low != trace.losses.mean:
            figure.add_scatter(
                x=batches + batches[::-1],
                y=trace.losses.high + trace.losses.low[::-1],
                fill="toself",
                fillcolor=line["color"],
                opacity=0.18,
                line={"width": 0},
                legendgroup=trace.name,
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=batches,
            y=trace.losses.mean,
            mode="lines" if len(batches) > 1 else "markers",
            name=trace.name,
            legendgroup=trace.name,
            line=line | {"width": 1.5},
            hovertemplate="%{y:.4f}",
        )
    return _finished(figure, "training loss per batch", "batch")


def accuracies(traces: Sequence[Trace]) -> go.Figure:
    """Validation accuracy (strong) and training accuracy (thin) after every epoch."""
    figure = go.Figure()
    for trace, line in _styled(traces):
        for field, width, opacity in (("validation_accuracy", 2.5, 1.0), ("training_accuracy", 1.2, 0.6)):
            _add_epochs(figure, trace, field, line | {"width": width}, opacity=opacity, hovertemplate="%{y:.2%}")
            figure.data[-1].update(name=f"{trace.name}, {field.split('_')[0]}")
    return _finished(figure, "accuracy", "epoch").update_yaxes(tickformat=".0%")


def per_epoch(traces: Sequence[Trace], field: EpochField) -> go.Figure:
    """The learning rate at the end of every epoch, or the seconds that it took."""
    figure = go.Figure()
    for trace, line in _styled(traces):
        _add_epochs(figure, trace, field, line | {"width": 2}, hovertemplate="%{y:.3~g}")
    return _finished(figure, field.replace("_", " "), "epoch").update_yaxes(rangemode="tozero")


def _styled(traces: Sequence[Trace]) -> Iterator[tuple[Trace, dict]]:
    """Every run with its line: the colour of its pooling, and another stroke for each further run with the same."""
    drawn: dict[Pool, int] = {}
    for trace in traces:
        number = drawn[trace.pool] = drawn.get(trace.pool, -1) + 1
        dash = SEVERAL_DASHES[number % len(SEVERAL_DASHES)]
        yield trace, {"color": POOL_COLOURS.get(trace.pool, NEUTRAL), "dash": dash}


def _add_epochs(figure: go.Figure, trace: Trace, field: str, line: dict, **changes: object) -> None:
    figure.add_scatter(
        x=[epoch.epoch for epoch in trace.epochs],
        y=[getattr(epoch, field) for epoch in trace.epochs],
        mode="lines" if len(trace.epochs) > 1 else "markers",
        name=trace.name,
        legendgroup=trace.name,
        line=line,
        marker={"color": line["color"]},
        **changes,
    )


def _finished(figure: go.Figure, title: str, horizontal: str) -> go.Figure:
    axes = {"xaxis": {"title": horizontal, "rangemode": "tozero"}, "yaxis": {"title": title}}
    return layout(figure, HEIGHT, hovermode="x unified", **axes)
