"""How the heads stand against each other over seeds: a table for every experiment, and a verdict on each head against GAP."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, get_args

from gpcore.recipe import FOLDER_PREFIX, HEAD_LABELS, RECIPES, Pool, Recipe, experiment_of
from gpcore.runs.records import Epoch
from gpcore.runs.run import Run
from gpcore.verdicts.statistics import Comparison, Mean, Outcome, PairedDifferences, Verdict, p_text

OTHER_HEADS = len(get_args(Pool)) - 2
"""How many comparisons are in the second family: every head there is, but for GAP and GMP."""

RULE = (
    "Two questions are fixed beforehand. The first: does GMP differ from GAP? It is a family of one comparison. The second: "
    f"does any other head differ from GAP? It is a family of {OTHER_HEADS}, one for every other head there is, trained or not, "
    f"so p is multiplied by {OTHER_HEADS} (Bonferroni). Seeds added to one head never change the verdict on another. "
    "(Where GAP was not trained, the row's first head takes its place.) Runs are compared seed by seed: the same seed gives "
    "both heads the same first weights and the same batches. A head is better or worse if the corrected p of the exact "
    "sign-flip test is below 0.05; where so few seeds can't reach that, whatever they show, it is not settled. Intervals are "
    "95 % (Student's t over seeds) of one comparison each. *Differ by less than 0.5 points* means that the whole interval of "
    "the difference does. A run that is still at chance at its end, less than a tenth of the way up to all right, is a "
    "failure: it is counted and named, but not averaged. Choose the number of seeds before you look at the results."
)
"""The rule of `verdict_tables`, for those who read its verdicts."""

MARKS: dict[Outcome, str] = {"first": "▲", "second": "▼", "none": "=", "too few": "?"}
"""How a head stands against the reference, in a cell of a table: better, worse, no difference found, too few seeds."""

LEGEND = "▲ better than GAP (without it, than the row's first head), ▼ worse, = no difference found, ? more seeds needed"
"""The same in words."""

WIDEST, FARTHEST = 0.2, 0.1
"""Where an interval is wider than 20 points, and the seeds lie more than 10 apart or one failed, their mean says little."""


class Result(NamedTuple):
    """A number measured on a run after its last epoch, and whether the run learned anything (`Epoch.learned`)."""

    recipe: Recipe
    number: float
    learned: bool = True


@dataclass(frozen=True)
class Standing:
    """A head with one number, such as its validation accuracy, by seed."""

    pool: Pool
    accuracies: dict[int, float]

    @cached_property
    def mean(self) -> Mean:
        """The mean over the seeds, with its interval."""
        return Mean.of(list(self.accuracies.values()))

    def text(self, failed: int) -> str:
        """In per cent, `89.49 ± 0.12`; `failed` further runs did not learn, and a mean that says little is not written."""
        values, count = self.accuracies.values(), self.mean.count + failed
        wide = sum(self.mean.within(0, 1)) > WIDEST and (failed or max(values) - min(values) > FARTHEST)
        if wide or 2 * failed >= count:
            return f"did not learn reliably ({failed} of {count} at chance)"
        margin = f" ± {100 * self.mean.margin:.2f}" if self.mean.margin is not None else ""
        return f"{100 * self.mean.value:.2f}{margin}" + f" ({failed} of {count} at chance)" * (failed > 0)


@dataclass(frozen=True)
class VerdictTable:
    """The heads trained in one experiment, the highest mean first, and the verdict on each against the `reference`.

    `experiment` is the recipe of all of them, but for `pool` and `seed`. `verdicts` are those on the heads that share a seed
    with the reference; their differences are the head's number less the reference's. `failed` holds the numbers of the runs
    that did not learn, which nothing else counts.
    """

    experiment: Recipe
    standings: tuple[Standing, ...]
    reference: Pool
    verdicts: dict[Pool, Verdict]
    failed: dict[Pool, dict[int, float]] = field(default_factory=dict)

    @property
    def seeds(self) -> int:
        """How many seeds the head with the most of them has."""
        return max((standing.mean.count for standing in self.standings), default=0)

    @property
    def trained(self) -> dict[Pool, list[int]]:
        """The seeds of every head, failures among them."""
        pools = {**self.learned, **self.failed}
        learned = {pool: one.accuracies for pool, one in self.learned.items()}
        return {pool: sorted({*learned.get(pool, ()), *self.failed.get(pool, ())}) for pool in pools}

    @property
    def learned(self) -> dict[Pool, Standing]:
        """The standings by head."""
        return {one.pool: one for one in self.standings}

    @property
    def title(self) -> str:
        """For example `modern on mnist, 3 epochs`."""
        return title_of(self.experiment)

    @property
    def sentence(self) -> str:
        """The whole table in words: which heads are better than the reference, worse, not found to differ, not settled."""
        said: dict[str, list[str]] = {}
        for one in self.standings:
            if one.pool != self.reference:
                said.setdefault(_against(self.verdicts.get(one.pool)), []).append(HEAD_LABELS[one.pool])
        reference = HEAD_LABELS[self.reference]
        if said:
            return f"Against {reference}, {'; '.join(_joined(*item) for item in said.items())}.{self.failures}"
        return (f"Only {reference} has been trained: nothing to compare it with." if self.standings else "") + self.failures

    @property
    def failures(self) -> str:
        """A sentence that counts and names the runs that did not learn; empty where all did."""
        if not self.failed:
            return ""
        total = {pool: one.mean.count for pool, one in self.learned.items()}
        named = [
            f"{len(numbers)} of {len(numbers) + total.get(pool, 0)} runs of {HEAD_LABELS[pool]} "
            f"(seed{'s' * (len(numbers) > 1)} {', '.join(map(str, sorted(numbers)))})"
            for pool, numbers in self.failed.items()
        ]
        return f" At chance, so counted but not averaged: {'; '.join(named)}."

    def rows(self) -> list[dict[str, str]]:
        """A row for each head: its mean, and its difference from the reference with interval, both p-values and verdict."""
        return [self._head(one) for one in self.standings]

    def _failed(self, pool: Pool) -> int:
        return len(self.failed.get(pool, ()))

    def cells(self) -> dict[Pool, str]:
        """Every head's mean with its interval, in per cent, and its mark."""
        found = {pool: f"did not learn ({len(failed)} of {len(failed)} at chance)" for pool, failed in self.failed.items()}
        marks = {pool: MARKS[verdict.outcome] for pool, verdict in self.verdicts.items()}
        learned = {one.pool: f"{one.text(self._failed(one.pool))} {marks.get(one.pool, '')}".strip() for one in self.standings}
        return found | learned

    def _head(self, one: Standing) -> dict[str, str]:
        verdict = self.verdicts.get(one.pool)
        against = f"less {HEAD_LABELS[self.reference]} (points)"
        accuracy = one.text(self._failed(one.pool))
        told = {"head": HEAD_LABELS[one.pool], "accuracy (%)": accuracy, "seeds": str(one.mean.count)}
        if verdict is None:
            return told | {against: "", "p": "", "corrected p": "", "verdict": "reference" * (one.pool == self.reference)}
        values = (verdict.comparison.paired.p_value, verdict.p_value)
        raw, corrected = (p_text(value).removeprefix("p = ").removeprefix("p ") for value in values)
        words = _WORDS[verdict.outcome] or verdict.needed
        equal = ", differ by less than 0.5" * verdict.equivalent
        return told | {against: plus_minus(verdict), "p": raw, "corrected p": corrected, "verdict": words + equal}


_WORDS: dict[Outcome, str] = {"first": "better", "second": "worse", "none": "no difference found", "too few": ""}


def _against(verdict: Verdict | None) -> str:
    if verdict is None:
        return "without a common seed"
    words = {"none": "not found to differ", "too few": f"not settled ({verdict.needed})"}
    found = words.get(verdict.outcome, f"{verdict.points} {_WORDS[verdict.outcome]}")
    return found + " and equal within 0.5 points" * verdict.equivalent


def _joined(found: str, names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last} are {found}" if first else f"{last} is {found}"


def plus_minus(verdict: Verdict, digits: int = 2) -> str:
    """The difference in points, first less second, with its 95 % interval: `+0.61 ± 0.38`."""
    mean = verdict.comparison.paired.mean
    margin = f" ± {100 * mean.margin:.{digits}f}" if mean.margin is not None else ""
    return f"{100 * mean.value:+.{digits}f}{margin}"


def row(table: VerdictTable) -> dict[str, str]:
    """The table as one row of a larger one."""
    cells, counts = table.cells(), sorted({one.mean.count for one in table.standings} or {0})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    heads = {HEAD_LABELS[pool]: cells.get(pool, "") for pool in get_args(Pool)}
    return {"dataset": dataset_of(table.experiment)} | heads | {"seeds": seeds, "recipe": _recipe_of(table.experiment)}


def title_of(experiment: Recipe) -> str:
    """An experiment in a few words, with whatever it changes in the recipe that it started from."""
    name, comma, rest = _recipe_of(experiment).partition(",")
    return f"{name} on {dataset_of(experiment)}{comma}{rest}"


def dataset_of(experiment: Recipe) -> str:
    """The dataset's name; a folder's without the way to it."""
    return Path(experiment.dataset).name if experiment.dataset.startswith(FOLDER_PREFIX) else experiment.dataset


def _recipe_of(experiment: Recipe) -> str:
    start = RECIPES.get(experiment.name, experiment)
    usual = start.to_json() | {
        "dataset": experiment.dataset,
        "epochs": experiment.epochs,
        "pool": experiment.pool,
        "seed": experiment.seed,
    }
    changed = [f"{name} {value}".replace("_", " ") for name, value in experiment.to_json().items() if value != usual[name]]
    epochs = f"{experiment.epochs} epoch{'s' * (experiment.epochs > 1)}"
    return ", ".join([experiment.name, epochs, *changed])


def results(runs: Iterable[Run], measure: Callable[[Epoch], float] = attrgetter("validation_accuracy")) -> list[Result]:
    """What was measured on every finished run after its last epoch, by default the validation accuracy."""
    records = [run.record for run in runs if run.record.status == "finished"]
    return [Result(record.recipe, measure(record.last), record.last.learned) for record in records if record.last]


def verdict_tables(measured: Iterable[Result]) -> list[VerdictTable]:
    """A table for every experiment among finished runs.

    The question is which pooling to use instead of GAP, so in every experiment each other head is compared with GAP (where GAP
    was not trained: with the first in the order of `Pool`, since one chosen by its result would make false alarms likelier),
    and with no third one. `RULE` says which comparisons form a family.
    """
    experiments: dict[Recipe, list[Result]] = {}
    for result in measured:
        experiments.setdefault(experiment_of(result.recipe), []).append(result)
    return [_table(experiment, results) for experiment, results in experiments.items()]


def _table(experiment: Recipe, results: Iterable[Result]) -> VerdictTable:
    by_learned: dict[bool, dict[Pool, dict[int, float]]] = {True: {}, False: {}}
    for recipe, number, learned in results:
        by_learned[learned].setdefault(recipe.pool, {})[recipe.seed] = number
    by_pool, failed = by_learned[True], by_learned[False]
    ranked = sorted((Standing(*row) for row in by_pool.items()), key=lambda standing: -standing.mean.value)
    reference: Pool = next((pool for pool in get_args(Pool) if pool in by_pool), "gap")
    judged = {
        one.pool: _verdict(one, Standing(reference, by_pool[reference]))
        for one in ranked
        if one.pool != reference and one.accuracies.keys() & by_pool[reference].keys()
    }
    return VerdictTable(experiment, tuple(ranked), reference, judged, failed)


def _verdict(one: Standing, reference: Standing) -> Verdict:
    paired = PairedDifferences.of(one.accuracies, reference.accuracies)
    family = 1 if {one.pool, reference.pool} == {"gap", "gmp"} else OTHER_HEADS
    return Verdict(Comparison(HEAD_LABELS[one.pool], HEAD_LABELS[reference.pool], paired), family)
