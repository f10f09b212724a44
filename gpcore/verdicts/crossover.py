"""Which pooling is ahead as an item gets smaller, or as clutter is added: the experiments on canvases, put in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from gpcore.recipe import CANVAS_PREFIX, HEAD_LABELS, Pool, Recipe, canvas_settings
from gpcore.verdicts.standings import Standing, VerdictTable, plus_minus
from gpcore.verdicts.statistics import Mean

Along = Literal["area", "pieces"]
"""What a series goes along: the per cent of the image that the item takes, or the pieces of clutter."""

UNITS: dict[Along, str] = {"area": "% of the image", "pieces": "pieces of clutter"}


@dataclass(frozen=True)
class Series:
    """Tables of one recipe on canvases that differ in one thing only, in its order.

    `fixed` is the value of the other thing, and `tables` maps the value `along` to the table measured there.
    """

    experiment: Recipe
    along: Along
    fixed: float
    tables: dict[float, VerdictTable]

    @property
    def title(self) -> str:
        """For example `modern, 5 epochs, 8 pieces of clutter`."""
        [held] = set(get_args(Along)) - {self.along}
        images = f" on {self.experiment.train_images:,} images" if self.experiment.train_images else ""
        epochs = f"{self.experiment.epochs} epoch{'s' * (self.experiment.epochs > 1)}{images}"
        where = f"{self.fixed:g} {UNITS[held]}"
        return f"{self.experiment.name}, {epochs}, {where}"

    @cached_property
    def lines(self) -> dict[Pool, dict[float, Standing]]:
        """The accuracy of every seed and their mean, by pooling and value."""
        found: dict[Pool, dict[float, Standing]] = {}
        for value, table in self.tables.items():
            for standing in table.standings:
                found.setdefault(standing.pool, {})[value] = standing
        return {pool: found[pool] for pool in get_args(Pool) if pool in found}

    @property
    def sentence(self) -> str:
        """Where which head is ahead of the reference over all the seeds that both have, with the mean differences."""
        said = [_said(pool, self) for pool in self.lines if any(pool in table.verdicts for table in self.tables.values())]
        said += [f"At {value:g} {UNITS[self.along]}:{table.failures}" for value, table in self.tables.items() if table.failed]
        return " ".join(said)

    def rows(self) -> list[dict[str, Any]]:
        """Every point as a row: accuracy with its 95 % interval, and the paired difference from the reference."""
        return [
            {
                "recipe": self.experiment.name,
                self.along: value,
                "pooling": HEAD_LABELS[standing.pool],
                "seeds": standing.mean.count,
            }
            | {"accuracy (%)": _accuracy(standing.mean), "less the reference": _difference(table, standing.pool)}
            for value, table in self.tables.items()
            for standing in table.standings
        ]


def series(tables: Iterable[VerdictTable]) -> list[Series]:
    """All series of two values or more among tables; if there are none, those of one, the longest first.

    Canvases that differ in size *and* clutter are never joined into one line: either would be taken for the other's effect.
    """
    found: dict[tuple[Recipe, Along, float], dict[float, VerdictTable]] = {}
    for table in tables:
        if table.experiment.dataset.startswith(CANVAS_PREFIX):
            area, pieces = canvas_settings(table.experiment.dataset)
            if area is not None:
                shared = table.experiment.but(dataset="canvas")
                found.setdefault((shared, "area", pieces), {})[area] = table
                found.setdefault((shared, "pieces", area), {})[pieces] = table
    made = [Series(*key, dict(sorted(by_value.items()))) for key, by_value in found.items()]
    long = [one for one in made if len(one.tables) > 1]
    return sorted(long or [one for one in made if one.along == "area"], key=lambda one: -len(one.tables))


def _said(pool: Pool, found: Series) -> str:
    """`GMP less GAP, in points: +3.1 ± 0.4 at 5, -0.2 ± 0.5 at 100 % of the image.`"""
    parts = [f"{_difference(table, pool)} at {value:g}" for value, table in found.tables.items() if pool in table.verdicts]
    reference = next(table.reference for table in found.tables.values() if pool in table.verdicts)
    return f"{HEAD_LABELS[pool]} less {HEAD_LABELS[reference]}, in points: {', '.join(parts)} {UNITS[found.along]}."


def _difference(table: VerdictTable, pool: Pool) -> str:
    """In points, with the 95 % interval of the paired differences; empty for the reference itself."""
    return plus_minus(table.verdicts[pool], 1) if pool in table.verdicts else ""


def _accuracy(mean: Mean) -> str:
    return f"{100 * mean.value:.2f}" + (f" ± {100 * mean.margin:.2f}" if mean.margin is not None else "")
