"""Heads compared over seeds: a row for each, with dots for seeds and a diamond for their mean with its interval."""

from collections.abc import Sequence

from gpcore.drawing.rows import DotRow, Mark, Rows
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.recipe import HEAD_LABELS, Pool
from gpcore.verdicts.standings import Standing, VerdictTable, dataset_of, plus_minus
from gpcore.verdicts.statistics import PairedDifferences, Verdict


def over_seeds(table: VerdictTable, title: str = "validation accuracy", lowest: float = 0) -> Rows:
    """Draws a measure for each head with the 95 % interval of its mean over seeds, the highest mean on top; `lowest` to 1."""
    return Rows([_standing(standing, lowest) for standing in table.standings], title, percent)


def _standing(standing: Standing, lowest: float) -> DotRow:
    mean = standing.mean
    below, above = mean.within(lowest, 1)
    interval = (mean.value - below, mean.value + above) if mean.margin is not None else None
    text = f"{mean.value:.2%}" + (f", 95 % interval {interval[0]:.2%} to {interval[1]:.2%}" if interval else "")
    dots = [Mark(number, f"seed {seed}: {number:.2%}") for seed, number in standing.accuracies.items()]
    return DotRow(HEAD_LABELS[standing.pool], POOL_COLOURS[standing.pool], dots, Mark(mean.value, f"mean {text}"), interval)


def differences(table: VerdictTable) -> Rows:
    """Each head less the reference, seed by seed, with the mean and its 95 % bootstrap interval; right of zero is better."""
    title = f"points better than {HEAD_LABELS[table.reference]}"
    return Rows([_difference(pool, verdict) for pool, verdict in table.verdicts.items()], title, points, line=0)


def _difference(pool: Pool, verdict: Verdict) -> DotRow:
    paired = verdict.comparison.paired
    mean = 100 * paired.mean.value
    text, interval = f"mean {mean:+.2f} points", None
    if paired.bootstrap:
        interval = 100 * paired.bootstrap[0], 100 * paired.bootstrap[1]
        text += f", 95 % bootstrap interval {interval[0]:+.2f} to {interval[1]:+.2f}"
    return DotRow(HEAD_LABELS[pool], POOL_COLOURS[pool], _dots(paired), Mark(mean, text), interval)


def pairs(tables: Sequence[VerdictTable]) -> Rows:
    """GMP less GAP in several experiments, seed by seed, with the mean and its 95 % t-interval; left of zero GAP is better."""
    return Rows([_pair(table) for table in tables], "GMP less GAP, points", points, line=0)


def _pair(table: VerdictTable) -> DotRow:
    paired = table.verdicts["gmp"].comparison.paired
    mean, margin = 100 * paired.mean.value, paired.mean.margin
    interval = (mean - 100 * margin, mean + 100 * margin) if margin is not None else None
    name = f"{dataset_of(table.experiment)}, {table.experiment.name} {table.experiment.epochs}"
    colour = POOL_COLOURS["gmp" if mean > 0 else "gap"]
    told = f"mean {plus_minus(table.verdicts['gmp'])} points of {paired.mean.count} seeds"
    return DotRow(name, colour, _dots(paired), Mark(mean, told), interval)


def _dots(paired: PairedDifferences) -> list[Mark]:
    return [
        Mark(100 * value, f"seed {seed}: {100 * value:+.2f}")
        for seed, value in zip(paired.seeds, paired.differences, strict=True)
    ]


def percent(value: float, digits: int) -> str:
    """Returns a fraction as a percentage with so many digits: `87.5%`."""
    return f"{value:.{max(0, digits - 2)}%}"


def points(value: float, digits: int) -> str:
    """A difference with its sign: `+0.5`."""
    return f"{value:+.{digits}f}".replace("-", "−") if value else "0"
