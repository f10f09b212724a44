"""All finished runs of one experiment, that is with one recipe but for head and seed, and what follows from them together."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, median_low
from typing import get_args

from gpcore.recipe import CANVAS_PREFIX, HEAD_LABELS, Pool, Recipe, experiment_of, needs_size
from gpcore.runs.records import Epoch
from gpcore.runs.run import Run
from gpcore.verdicts.standings import VerdictTable, results, row, title_of, verdict_tables
from gpcore.verdicts.statistics import Verdict


@dataclass(frozen=True)
class Experiment:
    """Finished runs that are compared with each other, by head and seed; `recipe` is what they share (`experiment_of`)."""

    recipe: Recipe
    runs: dict[Pool, dict[int, Run]]

    @property
    def title(self) -> str:
        """For example `modern on mnist, 3 epochs`."""
        return title_of(self.recipe)

    @property
    def every_run(self) -> list[Run]:
        return [run for by_seed in self.runs.values() for run in by_seed.values()]

    @property
    def seeds(self) -> int:
        """How many seeds the head with the most of them has."""
        return max(map(len, self.runs.values()))

    @property
    def on_canvas(self) -> bool:
        """Whether it is a point of the crossover, which *Lab* draws."""
        return self.recipe.dataset.startswith(CANVAS_PREFIX)

    @property
    def compared(self) -> bool:
        """Whether several seeds of several heads can be told apart, or failed to learn."""
        return self.seeds > 1 and len(self.runs) > 1 and bool(self.accuracies.verdicts or self.accuracies.failed)

    @cached_property
    def accuracies(self) -> VerdictTable:
        """Validation accuracy after the last epoch."""
        return self.table(lambda epoch: epoch.validation_accuracy)

    @cached_property
    def overfitting(self) -> VerdictTable:
        """Training less validation accuracy after the last epoch: how much better a network is on what it has seen."""
        return self.table(lambda epoch: epoch.training_accuracy - epoch.validation_accuracy)

    def table(self, measure: Callable[[Epoch], float]) -> VerdictTable:
        """How the heads stand in something measured after the last epoch."""
        [found] = verdict_tables(results(self.every_run, measure))
        return found


def experiments(runs: Iterable[Run]) -> list[Experiment]:
    """The experiments of finished runs, the one with the most runs first; of two runs with one recipe the later one counts."""
    found: dict[Recipe, dict[Pool, dict[int, Run]]] = {}
    for run in sorted(runs, key=lambda run: run.record.created):
        if run.record.status == "finished" and run.record.last:
            found.setdefault(experiment_of(run.recipe), {}).setdefault(run.recipe.pool, {})[run.recipe.seed] = run
    made = [
        Experiment(recipe, {pool: by_pool[pool] for pool in get_args(Pool) if pool in by_pool})
        for recipe, by_pool in found.items()
    ]
    return sorted(made, key=lambda experiment: (experiment.on_canvas, -len(experiment.every_run)))


def overviews(several: Iterable[Experiment]) -> list[list[dict[str, str]]]:
    """A row for each experiment, in two tables: those on canvases have other heads and longer recipes than the rest.

    Heads that no row of a table has are left out of it.
    """
    rows: dict[bool, list[dict[str, str]]] = {False: [], True: []}
    for experiment in several:
        rows[experiment.on_canvas].append(row(experiment.accuracies))
    return [_filled(each) for each in rows.values() if each]


def _filled(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    kept = [name for name in rows[0] if any(each[name] for each in rows)]
    return [{name: each[name] for name in kept} for each in rows]


@dataclass(frozen=True)
class Band:
    """The curves of a head's seeds together: the mean, lowest and highest validation accuracy, and the mean training accuracy
    after each of `epochs`."""

    pool: Pool
    seeds: int
    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    training: list[float]


Curves = dict[Pool, dict[int, list[Epoch]]]
"""The epochs of every run of an experiment, by head and seed."""


def curves_of(experiment: Experiment) -> Curves:
    """Read them from the stores."""
    return {pool: {seed: run.epochs for seed, run in by_seed.items()} for pool, by_seed in experiment.runs.items()}


def bands(curves: Curves) -> list[Band]:
    """A band for each head, over the runs that learned; over all where none did."""
    learned = {pool: [epochs for epochs in by_seed.values() if epochs[-1].learned] for pool, by_seed in curves.items()}
    return [_band(pool, learned[pool] or list(by_seed.values())) for pool, by_seed in curves.items()]


def _band(pool: Pool, runs: Sequence[Sequence[Epoch]]) -> Band:
    columns = list(zip(*runs, strict=False))
    accuracies = [[epoch.validation_accuracy for epoch in column] for column in columns]
    return Band(
        pool,
        len(runs),
        [column[0].epoch for column in columns],
        [fmean(values) for values in accuracies],
        [min(values) for values in accuracies],
        [max(values) for values in accuracies],
        [fmean(epoch.training_accuracy for epoch in column) for column in columns],
    )


@dataclass(frozen=True)
class Reached:
    """When a head's runs first reached an accuracy, by seed; `seconds` only of runs on the device that is told with them."""

    pool: Pool
    epochs: dict[int, int]
    seconds: dict[int, float]
    never: int


def usual_device(experiment: Experiment) -> str | None:
    """The device that most runs of an experiment were trained on: times of several devices don't compare."""
    devices = Counter(run.record.device for run in experiment.every_run if run.record.device)
    return devices.most_common(1)[0][0] if devices else None


def times_to(accuracy: float, experiment: Experiment, curves: Curves) -> list[Reached]:
    """The epoch after which every run first had this validation accuracy, and the seconds of training and evaluation to it."""
    device = usual_device(experiment)
    found = []
    for pool, by_seed in curves.items():
        first = {seed: _first(epochs, accuracy) for seed, epochs in by_seed.items()}
        reached = {seed: epoch for seed, epoch in first.items() if epoch is not None}
        seconds = {
            seed: sum(each.seconds for each in by_seed[seed] if each.epoch <= epoch)
            for seed, epoch in reached.items()
            if experiment.runs[pool][seed].record.device == device
        }
        found.append(Reached(pool, reached, seconds, len(first) - len(reached)))
    return found


def never_reached(found: Sequence[Reached]) -> str | None:
    """How many runs of which heads never had the accuracy; None where all had."""
    never = [f"{head.never} of {HEAD_LABELS[head.pool]}" for head in found if head.never]
    return f"Runs that never reached it: {', '.join(never)}." if never else None


def _first(epochs: Sequence[Epoch], accuracy: float) -> int | None:
    return next((epoch.epoch for epoch in epochs if epoch.validation_accuracy >= accuracy), None)


def reachable(curves: Curves) -> float:
    """The highest whole per cent that more than half of every head's runs have reached: one that fails does not lower it."""
    best = [
        median_low(max(epoch.validation_accuracy for epoch in epochs) for epochs in by_seed.values())
        for by_seed in curves.values()
    ]
    return math.floor(round(100 * min(best), 6)) / 100  # 100 * 0.57 is a little less than 57


def class_accuracies(experiment: Experiment) -> dict[Pool, list[float]]:
    """The share of each actual class that is answered right after the last epoch, mean over the seeds."""
    return {pool: _by_class([run.record.last for run in by_seed.values()]) for pool, by_seed in experiment.runs.items()}


def _by_class(epochs: Sequence[Epoch | None]) -> list[float]:
    shares = [
        [row[label] / max(sum(row), 1) for label, row in enumerate(epoch.confusion)] for epoch in epochs if epoch is not None
    ]
    return [fmean(column) for column in zip(*shares, strict=True)]


def overfitting_sentence(experiment: Experiment) -> str | None:
    """The article's claim that linear heads overfit, tested; None where no linear head shares a seed with GAP.

    The claim is about linear heads alone: they are its family.
    """
    table, linear = experiment.overfitting, list(filter(needs_size, get_args(Pool)))
    judged = [replace(table.verdicts[pool], family=len(linear)) for pool in linear if pool in table.verdicts]
    if not judged or table.reference != "gap":
        return None
    said = "; ".join(map(_overfits, judged))
    return f"The article's claim that linear heads overfit more than GAP, tested: {_ruling(judged)}. {said}."


def _ruling(judged: Sequence[Verdict]) -> str:
    """What the outcomes say together. That no difference was found refutes nothing; the opposite difference does."""
    outcomes = {verdict.outcome for verdict in judged}
    if outcomes == {"first"}:
        return "it holds here"
    if "too few" in outcomes:
        return "it is not settled"
    if "first" in outcomes:
        return "it was found to hold for one of them only"
    return "it does not hold here" if "second" in outcomes else "no such difference was found"


def _overfits(verdict: Verdict) -> str:
    name, other = verdict.comparison.first, verdict.comparison.second
    match verdict.outcome:
        case "none":
            return f"between {name} and {other} no difference was found ({verdict.evidence})"
        case "too few":
            return f"{name}'s gap is {_wider(verdict)} by {verdict.points}, but {verdict.needed}"
    return f"{name}'s gap is {_wider(verdict)} than {other}'s by {verdict.points} ({verdict.evidence})"


def _wider(verdict: Verdict) -> str:
    return "wider" if verdict.comparison.paired.mean.value > 0 else "narrower"
