"""What follows from all experiments: the answer to GAP or GMP, then one sentence a finding, with the runs behind it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gpcore.recipe import ARTICLE, HEAD_LABELS
from gpcore.verdicts.crossover import series
from gpcore.verdicts.experiments import Band, Experiment
from gpcore.verdicts.published import ARTICLE_MILESTONES
from gpcore.verdicts.standings import VerdictTable

PLANNED = 10
"""Seeds of GAP and GMP that the question is planned with."""

MOST = 6
"""Experiments that the headline's figure shows."""


@dataclass(frozen=True)
class Question:
    """GAP or GMP? The experiments that have both, the article's first, and the one whose curves are drawn."""

    asked: Sequence[Experiment]

    @property
    def curves(self) -> Experiment:
        """The article's experiment, if it is there."""
        return self.asked[0]

    @property
    def tables(self) -> list[VerdictTable]:
        """The tables behind the answer."""
        return [experiment.accuracies for experiment in self.asked]

    @cached_property
    def title(self) -> str:
        """The answer in one line, from the first experiment that settles it."""
        settled = [table for table in self.tables if table.verdicts["gmp"].outcome != "too few"]
        table = (settled or self.tables)[0]
        return f"GAP or GMP? {table.verdicts['gmp'].short} ({table.title}, {seeds_of(table)})"

    @property
    def sentences(self) -> list[str]:
        """The verdict of every experiment, with both accuracies."""
        return [
            f"{table.title}, {seeds_of(table)}: {_both(table)}. {table.verdicts['gmp'].sentence}" for table in self.tables[:2]
        ]


def question(found: Iterable[Experiment]) -> Question | None:
    """The experiments off the canvas in which runs of GAP and GMP share a seed; None where there are none."""
    asked = [
        each
        for each in found
        if not each.on_canvas and each.accuracies.reference == "gap" and "gmp" in each.accuracies.verdicts
    ]
    asked.sort(key=lambda each: each.recipe != ARTICLE)  # stable: then the one with the most runs
    return Question(asked[:MOST]) if asked else None


def seeds_of(table: VerdictTable) -> str:
    """`3 of 10 seeds`, or `12 seeds`, that GAP and GMP share."""
    count = table.verdicts["gmp"].comparison.paired.mean.count
    return f"{count} of {PLANNED} seeds" if count < PLANNED else f"{count} seeds"


def _both(table: VerdictTable) -> str:
    return ", ".join(f"{HEAD_LABELS[pool]} {100 * table.learned[pool].mean.value:.2f} %" for pool in ("gap", "gmp"))


def milestones(drawn: Sequence[Band]) -> list[dict[str, str]]:
    """What the article reports of its curves beside what the seeds here gave."""
    return [
        {
            "head": HEAD_LABELS[band.pool],
            "epoch": str(point.epoch),
            "the article": point.words,
            "here": f"{band.mean[place]:.1%}",
            "lowest to highest": f"{band.low[place]:.1%} to {band.high[place]:.1%}",
            "seeds": f"{band.seeds} of {PLANNED}" if band.seeds < PLANNED else str(band.seeds),
        }
        for band in drawn
        for point in ARTICLE_MILESTONES.get(band.pool, [])
        for place in [band.epochs.index(point.epoch)]
    ]


@dataclass(frozen=True)
class Conclusion:
    """A sentence, and the tables that it follows from."""

    sentence: str
    tables: Sequence[VerdictTable]


def conclusions(several: Sequence[Experiment]) -> list[Conclusion]:
    """Which pooling, where, by how much, on how many seeds; what is not settled is among them."""
    apart = [each.accuracies for each in several if not each.on_canvas and each.accuracies.verdicts]
    told = [
        Conclusion(f"{table.title}: {table.verdicts['gmp'].sentence}", [table]) for table in apart if "gmp" in table.verdicts
    ]
    told += [Conclusion(f"{table.title}: {table.sentence}", [table]) for table in apart if table.verdicts.keys() - {"gmp"}]
    return told + [
        Conclusion(f"{found.title}: {found.sentence}", list(found.tables.values()))
        for found in series(each.accuracies for each in several)
    ]
