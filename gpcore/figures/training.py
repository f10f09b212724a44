"""Runs while they are trained: loss per batch, and what is measured after every epoch, all runs on the same axes.

What is told here is drawn by `ui/live.js`, several times a second on a machine that has better things to do: so a chart is
plain columns of numbers, and nothing in it is a figure of a plotting library.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gpcore.figures.theme import NEUTRAL, POOL_COLOURS, SEVERAL_DASHES
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch, LossCurve

STROKES = {"solid": [], "dash": [6, 4], "dot": [2, 3], "dashdot": [8, 3, 2, 3]}
"""The strokes of the theme, as pixels drawn and left out in turn."""

DIGITS = 5
"""Significant digits of what is drawn: more than a screen shows, and half of what JSON would write."""


@dataclass(frozen=True)
class Trace:
    """A run to draw: its title, its pooling, which gives the colour, its batch losses and its epochs."""

    name: str
    pool: Pool
    losses: LossCurve
    epochs: Sequence[Epoch]


@dataclass(frozen=True)
class Line:
    """A curve; `low` and `high` bound a band around it, `minor` ones are drawn thin and not named."""

    name: str
    colour: str
    dash: list[int]
    x: list[int]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    minor: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves over a common x; `form` says how their values are written, `promise` what will be there while there are none."""

    name: str
    x: Literal["batch", "epoch"]
    y: str
    form: Literal["loss", "percent", "plain"]
    promise: str
    lines: list[Line]

    def to_json(self) -> dict[str, Any]:
        """As plain values; `dataclasses.asdict` would copy every single number."""
        return vars(self) | {"lines": [vars(line) for line in self.lines]}


AFTER_EPOCHS = "Drawn after every epoch."


def batch_losses(traces: Sequence[Trace]) -> Chart:
    """The training loss of every batch; where batches are drawn together, their mean, and a band from lowest to highest."""
    lines = [_loss_line(trace, *style) for trace, style in zip(traces, _styles(traces), strict=True)]
    return Chart("losses", "batch", "training loss", "loss", "The loss of every batch is drawn here.", lines)


def _loss_line(trace: Trace, colour: str, dash: list[int]) -> Line:
    curve = trace.losses
    x = [step + 1 for step in curve.steps]
    mean, low, high = map(_shortened, (curve.mean, curve.low, curve.high))
    banded = low != high
    return Line(trace.name, colour, dash, x, mean, low if banded else None, high if banded else None)


def accuracies(traces: Sequence[Trace]) -> Chart:
    """Validation accuracy (strong) and training accuracy (thin) after every epoch."""
    lines = _epoch_lines(traces, lambda epoch: epoch.training_accuracy, minor=True)
    lines += _epoch_lines(traces, lambda epoch: epoch.validation_accuracy)
    return Chart("accuracies", "epoch", "accuracy", "percent", "Accuracies are drawn here after every epoch.", lines)


def learning_rates(traces: Sequence[Trace]) -> Chart:
    """The learning rate at the end of every epoch."""
    lines = _epoch_lines(traces, lambda epoch: epoch.learning_rate)
    return Chart("rates", "epoch", "learning rate", "plain", AFTER_EPOCHS, lines)


def seconds(traces: Sequence[Trace]) -> Chart:
    """The seconds that every epoch took."""
    return Chart("seconds", "epoch", "seconds", "plain", AFTER_EPOCHS, _epoch_lines(traces, lambda epoch: epoch.seconds))


def _epoch_lines(traces: Sequence[Trace], told: Callable[[Epoch], float], minor: bool = False) -> list[Line]:
    return [
        Line(trace.name, *style, [epoch.epoch for epoch in trace.epochs], _shortened(map(told, trace.epochs)), minor=minor)
        for trace, style in zip(traces, _styles(traces), strict=True)
    ]


def _shortened(values: Any) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _styles(traces: Sequence[Trace]) -> list[tuple[str, list[int]]]:
    """A colour for every pooling; a solid stroke for the first run of each, others for those after it."""
    earlier = [[other.pool for other in traces[:number]].count(trace.pool) for number, trace in enumerate(traces)]
    strokes = [STROKES[SEVERAL_DASHES[count % len(SEVERAL_DASHES)]] for count in earlier]
    return [(POOL_COLOURS.get(trace.pool, NEUTRAL), stroke) for trace, stroke in zip(traces, strokes, strict=True)]
