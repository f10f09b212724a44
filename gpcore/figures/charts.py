"""Curves over batches or epochs as columns of numbers, drawn by `charts.js` on *Train*, on *Compare* and in the report.

A chart is drawn anew several times a second while a run is watched, and at every choice of *Compare*; uPlot takes a few
milliseconds for what takes Plotly a hundred, and 50 kB instead of 4.7 MB to be fetched and read first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpcore.figures.theme import NEUTRAL, POOL_COLOURS, STROKES
from gpcore.insight.published import ARTICLE_MILESTONES
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch

DIGITS = 5
"""Significant digits of what is drawn: more than a screen shows, and half of what JSON would write."""


@dataclass(frozen=True)
class Curve:
    """A run to draw: its name, its pooling, which gives the colour, and its epochs."""

    name: str
    pool: Pool
    epochs: Sequence[Epoch]


@dataclass(frozen=True)
class Line:
    """A curve; `low` and `high` bound a band around it, `minor` ones are drawn thin and not named.

    With something `said` of each of its points it is not a curve but these points, as open circles.
    """

    name: str
    colour: str
    dash: Sequence[int]
    x: Sequence[int]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    minor: bool = False
    said: Sequence[str] | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over a common x; `form` says how their values are written, `promise` what will be there while there are none."""

    name: str
    x: Literal["batch", "epoch"]
    y: str
    form: Literal["loss", "percent", "plain"]
    lines: list[Line]
    promise: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values; `dataclasses.asdict` would copy every single number."""
        return vars(self) | {"lines": [vars(line) for line in self.lines]}


def accuracies(curves: Sequence[Curve], milestones: bool = False) -> Chart:
    """Validation accuracy (strong) and training accuracy (thin) after every epoch; circles are what the article reports."""
    lines = over_epochs(curves, lambda epoch: epoch.training_accuracy, minor=True)
    lines += over_epochs(curves, lambda epoch: epoch.validation_accuracy)
    lines += _milestones(dict.fromkeys(curve.pool for curve in curves)) if milestones else []
    return Chart("accuracies", "epoch", "accuracy", "percent", lines, "Accuracies are drawn here after every epoch.")


def losses(curves: Sequence[Curve]) -> Chart:
    """Validation loss (strong) and training loss (thin) after every epoch."""
    lines = over_epochs(curves, lambda epoch: epoch.training_loss, minor=True)
    lines += over_epochs(curves, lambda epoch: epoch.validation_loss)
    return Chart("losses-of-epochs", "epoch", "cross entropy", "loss", lines)


def _milestones(pools: Iterable[Pool]) -> list[Line]:
    return [
        Line(
            f"the article's {pool.upper()}",
            POOL_COLOURS[pool],
            [],
            [point.epoch for point in points],
            [point.accuracy for point in points],
            said=[point.words for point in points],
        )
        for pool in pools
        if (points := ARTICLE_MILESTONES.get(pool))
    ]


def over_epochs(curves: Sequence[Curve], told: Callable[[Epoch], float], minor: bool = False) -> list[Line]:
    """What is told of every epoch, a line for each run."""
    return [
        Line(curve.name, *style, [epoch.epoch for epoch in curve.epochs], shortened(map(told, curve.epochs)), minor=minor)
        for curve, style in zip(curves, styles(curves), strict=True)
    ]


def shortened(values: Iterable[float]) -> list[float]:
    """Values with as many digits as are drawn."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def styles(curves: Sequence[Curve]) -> list[tuple[str, list[int]]]:
    """A colour for every pooling; a solid stroke for the first run of each, others for those after it."""
    earlier = [[other.pool for other in curves[:number]].count(curve.pool) for number, curve in enumerate(curves)]
    strokes = [STROKES[count % len(STROKES)] for count in earlier]
    return [(POOL_COLOURS.get(curve.pool, NEUTRAL), stroke) for curve, stroke in zip(curves, strokes, strict=True)]


def script() -> str:
    """What draws charts in a browser: uPlot, and `showChart(place, chart)`."""
    return _text("vendor/uplot.js") + saving() + _text("charts.js")


def saving() -> str:
    """What saves a canvas in a browser: `saveCanvas(canvas, name)`, and `groundOf(element)`, the colour behind it."""
    return _text("save.js")


def stylesheet() -> str:
    """How charts look."""
    return _text("vendor/uplot.css") + _text("charts.css")


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8") + "\n"
