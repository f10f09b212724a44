"""Runs during training: loss per batch, and the measures after every epoch, all runs on the same axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpcore.drawing.charts import Chart, Line, shortened
from gpcore.figures.epoch_curves import Curve, over_epochs, styles
from gpcore.runs.records import LossCurve

AFTER_EPOCHS = "Drawn after every epoch."


@dataclass(frozen=True)
class Trace(Curve):
    """A run to draw with its batch losses."""

    losses: LossCurve


def batch_losses(traces: Sequence[Trace]) -> Chart:
    """Draws the training loss of every batch; batches drawn as one point show their mean and a band from lowest to highest."""
    lines = [_loss_line(trace, *style) for trace, style in zip(traces, styles(traces), strict=True)]
    return Chart("losses", "batch", "training loss", "loss", lines, "The loss of every batch is drawn here.")


def _loss_line(trace: Trace, colour: str, dash: list[int]) -> Line:
    curve = trace.losses
    x = [step + 1 for step in curve.steps]
    mean, low, high = map(shortened, (curve.mean, curve.low, curve.high))
    banded = low != high
    return Line(trace.name, colour, dash, x, mean, low if banded else None, high if banded else None)


def learning_rates(traces: Sequence[Trace]) -> Chart:
    """The learning rate at the end of every epoch."""
    lines = over_epochs(traces, lambda epoch: epoch.learning_rate)
    return Chart("rates", "epoch", "learning rate", "plain", lines, AFTER_EPOCHS)


def seconds(traces: Sequence[Trace]) -> Chart:
    """The seconds that every epoch took."""
    return Chart("seconds", "epoch", "seconds", "plain", over_epochs(traces, lambda epoch: epoch.seconds), AFTER_EPOCHS)
