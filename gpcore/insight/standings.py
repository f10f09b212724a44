"""How poolings stand against each other over seeds: on each dataset a table, and a verdict on every pair."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from gpcore.insight.statistics import Comparison, Mean, Paired, Verdict, verdicts
from gpcore.recipe import Pool, Recipe


@dataclass(frozen=True)
class Standing:
    """A pooling with its validation accuracy, a fraction, by seed."""

    pool: Pool
    accuracies: dict[int, float]

    @cached_property
    def mean(self) -> Mean:
        """The mean over the seeds, with its interval."""
        return Mean.of(list(self.accuracies.values()))


@dataclass(frozen=True)
class Table:
    """The poolings trained in one setting, the best first, and the verdict on every pair of them that has seeds in common.

    `setting` is the recipe of all of them, but for `pool` and `seed`.
    """

    setting: Recipe
    standings: tuple[Standing, ...]
    verdicts: tuple[Verdict, ...]


def tables(results: Iterable[tuple[Recipe, float]]) -> list[Table]:
    """A table for every setting among finished runs, given as recipe and validation accuracy.

    Holm's correction is for all pairs in all tables, since whoever looks at them all would be misled by a false alarm in any.
    """
    settings: dict[Recipe, dict[Pool, dict[int, float]]] = {}
    for recipe, accuracy in results:
        by_pool = settings.setdefault(recipe.but(pool="gap", seed=0), {})
        by_pool.setdefault(recipe.pool, {})[recipe.seed] = accuracy
    ranked = {setting: _ranked(by_pool) for setting, by_pool in settings.items()}
    pairs = [(setting, pair) for setting, standings in ranked.items() for pair in itertools.combinations(standings, 2)]
    judged = [(setting, _comparison(*pair)) for setting, pair in pairs if pair[0].accuracies.keys() & pair[1].accuracies.keys()]
    found = verdicts([comparison for _, comparison in judged])
    return [
        Table(setting, standings, tuple(verdict for (of, _), verdict in zip(judged, found, strict=True) if of == setting))
        for setting, standings in ranked.items()
    ]


def _ranked(by_pool: dict[Pool, dict[int, float]]) -> tuple[Standing, ...]:
    standings = [Standing(pool, accuracies) for pool, accuracies in by_pool.items()]
    return tuple(sorted(standings, key=lambda standing: -standing.mean.value))


def _comparison(first: Standing, second: Standing) -> Comparison:
    return Comparison(first.pool.upper(), second.pool.upper(), Paired.of(first.accuracies, second.accuracies))
