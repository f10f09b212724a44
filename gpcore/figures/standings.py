"""How heads stand against each other over seeds: a row for each, dots for seeds, a diamond for their mean with its interval."""

from collections.abc import Sequence

import plotly.graph_objects as go

from gpcore.figures.theme import NEUTRAL, PERCENT, POOL_COLOURS, layout
from gpcore.insight.standings import Table
from gpcore.nets.heads import HEAD_LABELS
from gpcore.recipe import Pool

ROW_HEIGHT = 44
"""Pixels for each head."""


def over_seeds(table: Table, title: str = "validation accuracy", lowest: float = 0) -> go.Figure:
    """What was measured, between `lowest` and 1, with the 95 % interval of the mean over seeds, the highest mean on top."""
    figure = go.Figure()
    for standing in table.standings:
        numbers, mean = standing.accuracies, standing.mean
        below, above = mean.within(lowest, 1)
        _row(figure, standing.pool, list(numbers), list(numbers.values()), mean.value, above, below, f"{mean.value:.2%}")
    figure.update_xaxes(title=title, tickformat=PERCENT)
    return _rows(figure, len(table.standings))


def differences(table: Table) -> go.Figure:
    """Each head less the reference, seed by seed, with the mean and its 95 % bootstrap interval; right of zero is better."""
    figure = go.Figure()
    figure.add_vline(0, line={"color": NEUTRAL, "width": 1.5})
    for pool, verdict in table.verdicts.items():
        paired = verdict.comparison.paired
        mean = paired.mean.value
        low, high = paired.bootstrap or (mean, mean)
        points = [100 * value for value in paired.differences]
        _row(
            figure,
            pool,
            paired.seeds,
            points,
            100 * mean,
            100 * (high - mean),
            100 * (mean - low),
            f"{100 * mean:+.2f} points, 95 % bootstrap interval {100 * low:+.2f} to {100 * high:+.2f}",
        )
    figure.update_xaxes(title=f"points better than {HEAD_LABELS[table.reference]}", tickformat="+.2~f")
    return _rows(figure, len(table.verdicts))


def _row(
    figure: go.Figure,
    pool: Pool,
    seeds: Sequence[int],
    values: Sequence[float],
    mean: float,
    above: float,
    below: float,
    said: str,
) -> None:
    colour, name = POOL_COLOURS[pool], HEAD_LABELS[pool]
    figure.add_scatter(
        x=values,
        y=[name] * len(values),
        text=[f"seed {seed}" for seed in seeds],
        mode="markers",
        marker={"color": colour, "size": 8, "opacity": 0.45},
        hovertemplate="%{text}: %{x}<extra></extra>",
    )
    figure.add_scatter(
        x=[mean],
        y=[name],
        error_x={"array": [above], "arrayminus": [below], "symmetric": False, "thickness": 2.5, "width": 8},
        mode="markers",
        marker={"color": colour, "size": 13, "symbol": "diamond"},
        hovertemplate=f"mean {said}<extra></extra>",
    )


def _rows(figure: go.Figure, rows: int) -> go.Figure:
    layout(figure, 90 + ROW_HEIGHT * rows, showlegend=False, margin={"l": 96, "r": 12, "t": 8, "b": 44})
    return figure.update_yaxes(autorange="reversed", type="category", automargin=True)
