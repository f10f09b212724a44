"""How the heads stand against each other over seeds: a table for every experiment, and a verdict on each head against GAP."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from gpcore.recipe import FOLDER_PREFIX, HEAD_LABELS, RECIPES, Pool, Recipe, experiment_of
from gpcore.runs.run import Run
from gpcore.verdicts.statistics import Comparison, Mean, Outcome, PairedDifferences, Verdict, verdicts

RULE = (
    "In each row every other head is compared with GAP (where GAP was not trained, with the row's first head), seed by seed: "
    "the same seed gives both the same first weights and the same batches. A head is called better or worse if p < 0.05 in the "
    "exact sign-flip test on the seeds' differences, after Holm's correction for all heads of the row that have enough seeds "
    "to be tested. With five seeds or fewer no difference can be significant, and none is claimed. ± is the 95 % interval over "
    "seeds (Student's t, which knows no bounds: where one of few seeds fails to learn, it may reach beyond 0 or 100 %)."
)
"""The rule of `verdict_tables`, for those who read its verdicts."""

MARKS: dict[Outcome, str] = {"first": "▲", "second": "▼", "none": "=", "too few": "?"}
"""How a head stands against the reference, in a cell of a table: better, worse, no difference found, too few seeds."""

LEGEND = "▲ better than GAP (without it, than the row's first head), ▼ worse, = no difference found, ? too few seeds to tell"
"""The same in words."""


@dataclass(frozen=True)
class Standing:
    """A head with one number, such as its validation accuracy, by seed."""

    pool: Pool
    accuracies: dict[int, float]

    @cached_property
    def mean(self) -> Mean:
        """The mean over the seeds, with its interval."""
        return Mean.of(list(self.accuracies.values()))


@dataclass(frozen=True)
class VerdictTable:
    """The heads trained in one experiment, the highest mean first, and the verdict on each against the `reference`.

    `experiment` is the recipe of all of them, but for `pool` and `seed`. `verdicts` are those on the heads that share a seed
    with the reference; their differences are the head's number less the reference's.
    """

    experiment: Recipe
    standings: tuple[Standing, ...]
    reference: Pool
    verdicts: dict[Pool, Verdict]

    @property
    def seeds(self) -> int:
        """How many seeds the head with the most of them has."""
        return max(standing.mean.count for standing in self.standings)

    @property
    def title(self) -> str:
        """For example `modern on mnist, 3 epochs`."""
        return title_of(self.experiment)

    @property
    def sentence(self) -> str:
        """One sentence on the whole table: which heads are better than the reference, worse, not found to differ, unknown."""
        said = [
            f"{name} is {verdict.points} {word}"
            for outcome, word in _DECIDED.items()
            for name, verdict in self._with(outcome).items()
        ]
        said += [_said(words, list(self._with(outcome))) for outcome, words in _UNDECIDED.items() if self._with(outcome)]
        if apart := [HEAD_LABELS[one.pool] for one in self.standings if one.pool not in {self.reference, *self.verdicts}]:
            said.append(_said(("{} shares no seed with it", "{} share no seed with it"), apart))
        if not said:
            return f"Only {HEAD_LABELS[self.reference]} has been trained: nothing to compare it with."
        return f"Against {HEAD_LABELS[self.reference]}, {'; '.join(said)}."

    def _with(self, outcome: Outcome) -> dict[str, Verdict]:
        return {HEAD_LABELS[pool]: verdict for pool, verdict in self.verdicts.items() if verdict.outcome == outcome}


def row(table: VerdictTable) -> dict[str, str]:
    """The table as one row of a larger one: every head's mean with its interval, in per cent, and its mark."""
    cells = {HEAD_LABELS[one.pool]: _cell(one.mean, table.verdicts.get(one.pool)) for one in table.standings}
    counts = sorted({one.mean.count for one in table.standings})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    heads = {HEAD_LABELS[pool]: cells.get(HEAD_LABELS[pool], "") for pool in get_args(Pool)}
    return {"dataset": dataset_of(table.experiment)} | heads | {"seeds": seeds, "recipe": _recipe_of(table.experiment)}


def _cell(mean: Mean, verdict: Verdict | None) -> str:
    margin = f" ± {100 * mean.margin:.2f}" if mean.margin is not None else ""
    return f"{100 * mean.value:.2f}{margin} {MARKS[verdict.outcome] if verdict else ''}".strip()


_DECIDED: dict[Outcome, str] = {"first": "better", "second": "worse"}

_UNDECIDED: dict[Outcome, tuple[str, str]] = {
    "none": ("no difference was found for {}",) * 2,
    "too few": ("{} has too few seeds to tell", "{} have too few seeds to tell"),
}


def _said(words: tuple[str, str], names: list[str]) -> str:
    *first, last = names
    return words[len(names) > 1].format(f"{', '.join(first)} and {last}" if first else last)


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


def results(runs: Iterable[Run]) -> list[tuple[Recipe, float]]:
    """The validation accuracy of every run that is finished, beside its recipe."""
    records = [run.record for run in runs if run.record.status == "finished"]
    return [(record.recipe, record.last.validation_accuracy) for record in records if record.last]


def verdict_tables(measured: Iterable[tuple[Recipe, float]]) -> list[VerdictTable]:
    """A table for every experiment among finished runs, given as recipe and a number, such as the validation accuracy.

    The question is which pooling to use instead of GAP, so in every experiment each other head is compared with GAP (where GAP
    was not trained: with the first in the order of `Pool`, since one chosen by its result would make false alarms likelier),
    and with no third one. An experiment answers for itself, on its own data: the comparisons of one table are a family, for
    which Holm's correction keeps a false alarm *anywhere* in the table as rare as in one comparison; other tables are other
    questions.
    """
    experiments: dict[Recipe, dict[Pool, dict[int, float]]] = {}
    for recipe, number in measured:
        experiments.setdefault(experiment_of(recipe), {}).setdefault(recipe.pool, {})[recipe.seed] = number
    return [_table(experiment, by_pool) for experiment, by_pool in experiments.items()]


def _table(experiment: Recipe, by_pool: Mapping[Pool, dict[int, float]]) -> VerdictTable:
    ranked = sorted((Standing(*row) for row in by_pool.items()), key=lambda standing: -standing.mean.value)
    reference: Pool = next(pool for pool in get_args(Pool) if pool in by_pool)
    base = by_pool[reference]
    others = [one for one in ranked if one.pool != reference and one.accuracies.keys() & base.keys()]
    compared = [
        Comparison(HEAD_LABELS[one.pool], HEAD_LABELS[reference], PairedDifferences.of(one.accuracies, base)) for one in others
    ]
    judged = dict(zip((one.pool for one in others), verdicts(compared), strict=True))
    return VerdictTable(experiment, tuple(ranked), reference, judged)
