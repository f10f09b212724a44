"""How the heads of an experiment learn: curves with bands over seeds, and the time until an accuracy is reached."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from gpcore.drawing.charts import Chart, Line, shortened
from gpcore.drawing.rows import DotRow, Mark, Rows
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.figures.epoch_curves import article_points
from gpcore.recipe import HEAD_LABELS
from gpcore.verdicts.experiments import Band, Reached

DOTTED = [2, 3]


def learning_curves(bands: Sequence[Band], milestones: bool = False) -> Chart:
    """Mean validation accuracy (strong) with a band from the lowest to the highest seed, and mean training accuracy (thin);
    circles are what the article reports."""
    lines = [line for band in bands for line in _lines(band)]
    lines += article_points([band.pool for band in bands]) if milestones else []
    return Chart("learning", "epoch", "accuracy", "percent", lines)


def _lines(band: Band) -> list[Line]:
    name, colour = f"{HEAD_LABELS[band.pool]}, {band.seeds} seed{'s' * (band.seeds > 1)}", POOL_COLOURS[band.pool]
    mean, low, high, training = map(shortened, (band.mean, band.low, band.high, band.training))
    edges = (low, high) if band.seeds > 1 else (None, None)
    return [
        Line(name, colour, DOTTED, band.epochs, training, minor=True),
        Line(name, colour, [], band.epochs, mean, *edges),
    ]


def times(reached: Sequence[Reached], device: str | None) -> tuple[Rows, Rows]:
    """Epochs and seconds until an accuracy was first reached, by those that did: dots are seeds, diamonds means."""
    epochs = Rows([_row(head, head.epochs, "epochs") for head in reached], "epochs", start=0)
    seconds = [_row(head, head.seconds, "seconds") for head in reached]
    return epochs, Rows(seconds, f"seconds on {device}" if device else "seconds", start=0)


def _row(head: Reached, numbers: Mapping[int, float], unit: str) -> DotRow:
    dots = [Mark(value, f"seed {seed}: {value:.4g} {unit}") for seed, value in numbers.items()]
    mean = fmean(numbers.values()) if numbers else None
    average = Mark(mean, f"mean {mean:.4g} {unit}") if mean is not None else None
    return DotRow(HEAD_LABELS[head.pool], POOL_COLOURS[head.pool], dots, average)
