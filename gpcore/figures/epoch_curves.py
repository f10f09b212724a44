"""What is measured after every epoch, as curves: accuracies and losses of several runs, with the article's milestones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gpcore.drawing.charts import Chart, Line, shortened
from gpcore.drawing.theme import NEUTRAL, POOL_COLOURS, STROKES
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch
from gpcore.verdicts.published import ARTICLE_MILESTONES


@dataclass(frozen=True)
class Curve:
    """A run to draw: its name, its pooling, which gives the colour, and its epochs."""

    name: str
    pool: Pool
    epochs: Sequence[Epoch]


def accuracies(curves: Sequence[Curve], milestones: bool = False) -> Chart:
    """Validation accuracy (strong) and training accuracy (thin) after every epoch; circles are what the article reports."""
    lines = over_epochs(curves, lambda epoch: epoch.training_accuracy, minor=True)
    lines += over_epochs(curves, lambda epoch: epoch.validation_accuracy)
    lines += article_points(dict.fromkeys(curve.pool for curve in curves)) if milestones else []
    return Chart("accuracies", "epoch", "accuracy", "percent", lines, "Accuracies are drawn here after every epoch.")


def losses(curves: Sequence[Curve]) -> Chart:
    """Validation loss (strong) and training loss (thin) after every epoch."""
    lines = over_epochs(curves, lambda epoch: epoch.training_loss, minor=True)
    lines += over_epochs(curves, lambda epoch: epoch.validation_loss)
    return Chart("losses-of-epochs", "epoch", "cross entropy", "loss", lines)


def article_points(pools: Iterable[Pool]) -> list[Line]:
    """What the article reports of its curves, as circles."""
    return [
        Line(
            f"the article's {pool.upper()}",
            POOL_COLOURS[pool],
            [],
            [point.epoch for point in points],
            [point.accuracy for point in points],
            notes=[point.words for point in points],
        )
        for pool in pools
        if (points := ARTICLE_MILESTONES.get(pool))
    ]


def over_epochs(curves: Sequence[Curve], value: Callable[[Epoch], float], minor: bool = False) -> list[Line]:
    """Returns one value per epoch as a line for each run."""
    return [
        Line(curve.name, *style, [epoch.epoch for epoch in curve.epochs], shortened(map(value, curve.epochs)), minor=minor)
        for curve, style in zip(curves, styles(curves), strict=True)
    ]


def styles(curves: Sequence[Curve]) -> list[tuple[str, list[int]]]:
    """Returns each run's colour, by its pooling, and its stroke: solid for a pooling's first run, dashed for the others."""
    earlier = [[other.pool for other in curves[:number]].count(curve.pool) for number, curve in enumerate(curves)]
    strokes = [STROKES[count % len(STROKES)] for count in earlier]
    return [(POOL_COLOURS.get(curve.pool, NEUTRAL), stroke) for curve, stroke in zip(curves, strokes, strict=True)]
