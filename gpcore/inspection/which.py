"""Compares poolings on a network's own features: trains every head with the same seeds, and gives a verdict."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import rich.progress
from torch import nn

from gpcore.data.datasets import Dataset
from gpcore.errors import RecipeError, TrainingError
from gpcore.figures.seed_rows import over_seeds
from gpcore.inspection.inspected import Inside, inspect
from gpcore.inspection.own_features import Batches, of_folder, of_loader
from gpcore.inspection.swapped import Headed
from gpcore.recipe import HEAD_LABELS, PHOTOGRAPHS, TIMM_PREFIX, Pool, Recipe
from gpcore.training.evaluate import on_all_cores
from gpcore.training.fit import EpochDone, fit_together
from gpcore.training.state import TrainingState
from gpcore.verdicts.standings import Result, VerdictTable, verdict_tables

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrainedHead:
    """A head trained on a network's features; `apply` attaches it to the network."""

    pool: Pool
    accuracy: float
    module: nn.Module
    inside: Inside

    def apply(self, model: nn.Module) -> nn.Module:
        """Returns the network with this head instead of its own pooling and classifier, in evaluation mode."""
        return Headed(model, self.inside.found, self.module).eval()


@dataclass(frozen=True)
class PoolingStudy:
    """The standings of the heads; `heads` are those of the first seed, `left_out` names heads that were not trained."""

    table: VerdictTable
    heads: dict[Pool, TrainedHead]
    images: tuple[int, int]
    left_out: str = ""

    @property
    def sentence(self) -> str:
        """The verdict, with its evidence."""
        train, test = self.images
        seeds = f"{self.table.seeds} seed{'s' * (self.table.seeds > 1)}"
        return f"{self.table.sentence} ({seeds}, {train:,} training images, {test:,} for validation.){self.left_out}"

    @property
    def best(self) -> TrainedHead:
        """The head with the highest mean; `sentence` states whether the difference exceeds chance."""
        return self.heads[self.table.standings[0].pool]

    def rows(self) -> list[dict[str, Any]]:
        """For each head its mean accuracy, half the width of its 95 % interval, seeds, p-value and verdict."""
        verdicts = self.table.verdicts
        return [
            {
                "pool": one.pool,
                "accuracy": one.mean.value,
                "margin": one.mean.margin,
                "seeds": one.mean.count,
                "p": verdicts[one.pool].p_value if one.pool in verdicts else None,
                "verdict": verdicts[one.pool].sentence if one.pool in verdicts else "the reference",
            }
            for one in self.table.standings
        ]

    def to_frame(self) -> "pd.DataFrame":
        """The rows as a table of pandas, which the library alone does not install."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def __repr__(self) -> str:
        means = ", ".join(f"{HEAD_LABELS[one.pool]} {one.mean.value:.1%}" for one in self.table.standings)
        return f"{means}. {self.sentence}"

    def _repr_html_(self) -> str:
        verdicts = [html.escape(row["verdict"]) for row in self.rows() if row["p"] is not None]
        listed = "".join(f"<li>{verdict}</li>" for verdict in verdicts)
        return f"<div>{over_seeds(self.table).svg()}<p>{html.escape(self.sentence)}</p><ul>{listed}</ul></div>"


def which_pooling(
    model: nn.Module | Inside,
    images: Batches | str | Path,
    pools: str | Sequence[str] = "all",
    seeds: int = 10,
    *,
    test: Batches | None = None,
    classes: Sequence[str] = (),
    recipe: Recipe = PHOTOGRAPHS,
    cache: str | Path = "data",
    progress: bool = True,
) -> PoolingStudy:
    """Trains heads of every kind on a network's frozen features, with paired seeds, and compares their poolings.

        result = gpcore.which_pooling(model, "photographs")
        better = result.best.apply(model)

    Args:
        model: a network, or the result of `inspect` if that needs arguments.
        images: a folder with a sub-folder per class, or batches of images and labels.
        pools: names of heads, or `all`.
        seeds: how many runs each head gets; with fewer than six no difference can be shown.
        test: batches to validate on; by default every fifth image of each class.
        classes: their names, for batches.
        recipe: how heads are trained.
        cache: the folder under which the features of a folder of images are kept.
        progress: draws a bar.

    Raises:
        InsightError: the network has no global pooling.
        RecipeError: there is no such head, or there are no seeds.
        DatasetError: the images can't be read, or there are too few.
    """
    inside = model if isinstance(model, Inside) else inspect(model)
    with rich.progress.Progress(transient=True, disable=not progress) as bars:
        bar = bars.add_task("features", total=None)
        if isinstance(images, str | Path):
            dataset = of_folder(
                inside, Path(images), Path(cache), lambda at: bars.update(bar, completed=at.done, total=at.images)
            )
        else:
            dataset = of_loader(inside, images, test, classes)
        chosen, left_out = _heads(pools, dataset)
        base = recipe.but(dataset=dataset.name, trunk=f"{TIMM_PREFIX}{type(inside.model).__name__}")
        bar = bars.add_task("heads", total=len(chosen) * seeds * base.epochs)
        recipes = [[base.but(pool=pool, seed=seed) for seed in range(seeds)] for pool in chosen]
        trained = on_all_cores(lambda each: _trained(each, dataset, inside, lambda: bars.advance(bar)), recipes)
    measured = [
        Result(one, head.accuracy)
        for own, heads in zip(recipes, trained, strict=True)
        for one, head in zip(own, heads, strict=True)
    ]
    [table] = verdict_tables(measured)
    return PoolingStudy(
        table, {heads[0].pool: heads[0] for heads in trained}, (len(dataset.train), len(dataset.test)), left_out
    )


def _heads(pools: str | Sequence[str], dataset: Dataset) -> tuple[list[Pool], str]:
    """Returns the heads to train, and a sentence on those of `all` that these features don't allow."""
    known: tuple[Pool, ...] = get_args(Pool)
    names = known if pools == "all" else (pools,) if isinstance(pools, str) else pools
    if strangers := [name for name in names if name not in known]:
        raise RecipeError(f"pools has {strangers[0]!r}: choose from {', '.join(known)}, or all.")
    chosen = [pool for pool in known if pool in names]
    if "gem" in chosen and min(dataset.train.images.amin(), dataset.test.images.amin()) < 0:
        chosen.remove("gem")
        why = "GeM is defined for values of 0 and more, and these features have negative ones"
        if not chosen:
            raise RecipeError(f"{why}: choose other pools.")
        return chosen, f" {why}: it was left out."
    return chosen, ""


def _trained(recipes: Sequence[Recipe], dataset: Dataset, inside: Inside, done: Callable[[], None]) -> list[TrainedHead]:
    """One kind of head, with every seed."""
    device = next(inside.model.parameters()).device
    states = [TrainingState.fresh(recipe, dataset, device) for recipe in recipes]
    accuracies = [0.0] * len(recipes)
    for run, event in fit_together(recipes, dataset, states):
        if isinstance(event, TrainingError):
            raise event
        if isinstance(event, EpochDone):
            accuracies[run] = event.validation.accuracy
            done()
    return [
        TrainedHead(recipe.pool, accuracy, state.network.head, inside)
        for recipe, accuracy, state in zip(recipes, accuracies, states, strict=True)
    ]
