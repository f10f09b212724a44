"""Selects the stores and runs that count, and those that a page shows first."""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gpcore.data.locations import checkpoints_folder
from gpcore.recipe import HEAD_LABELS, RECIPES, Recipe
from gpcore.runs.run import Run
from gpcore.runs.store import Store


def counted(also_from: Sequence[Path] | None) -> list[Store]:
    """Returns the further stores whose finished runs count: the named ones, or else the shipped one, if it exists.

    Raises:
        StoreError: a named store does not exist.
    """
    shipped = checkpoints_folder()
    folders = also_from or ([shipped] if (shipped / "runs.db").is_file() else [])
    return [Store(folder, read_only=True) for folder in folders]


def first_shown(shipped: dict[str, Run], own: dict[str, Run]) -> dict[str, Run]:
    """Returns all runs by key: shipped ones that follow a whole recipe, then the user's own, then the other shipped ones.

    The last group are the runs of studies: a hundred short ones that differ in their seed.
    """
    whole = {key: run for key, run in shipped.items() if follows_recipe(run.recipe)}
    return whole | own | shipped


@functools.lru_cache(maxsize=16_384)
def follows_recipe(recipe: Recipe) -> bool:
    """Returns whether a recipe differs from its named recipe in head and seed alone; cached, since pages check all runs."""
    start = RECIPES.get(recipe.name)
    return start is not None and recipe == start.but(pool=recipe.pool, seed=recipe.seed)


GROUPS = ("Yours", "Article", "Photographs", "Studies")
"""Groups of runs, in the order in which they are listed."""


def listed(found: dict[str, Run], own: Path) -> dict[str, str]:
    """Returns each run's description by key, grouped; the store `own` comes first, with its newest run on top."""
    groups = {key: _group(run, own) for key, run in found.items()}
    newest = sorted(found, key=lambda key: -found[key].record.created if groups[key] == "Yours" else 0.0)
    keys = sorted(newest, key=lambda key: GROUPS.index(groups[key]))
    titles = {key: f"{groups[key]} · {described(found[key].recipe)}" for key in keys}
    counts = Counter(titles.values())
    return {key: title if counts[title] == 1 else f"{title} ({found[key].id})" for key, title in titles.items()}


@functools.lru_cache(maxsize=16_384)
def described(recipe: Recipe) -> str:
    """Describes a run, for example `GAP · modern · 5 epochs · seed 1`; datasets other than FashionMNIST are named."""
    dataset = "" if recipe.dataset == "fashion-mnist" else recipe.dataset
    epochs = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
    return " · ".join(filter(None, (HEAD_LABELS[recipe.pool], recipe.name, dataset, epochs, f"seed {recipe.seed}")))


def _group(run: Run, own: Path) -> str:
    if run.store.folder == own:
        return "Yours"
    if run.recipe.name in ("photo", "photographs"):
        return "Photographs"
    return "Article" if run.recipe.name == "article" else "Studies"


def twin_of(first: Run, found: dict[str, Run]) -> str | None:
    """Returns the run that differs from another only in its pooling: GMP for GAP, GAP for any other."""
    wanted = first.recipe.but(pool="gmp" if first.recipe.pool == "gap" else "gap")
    return next((key for key, run in found.items() if run.recipe == wanted), None)


def default_pair(found: dict[str, Run], recipe: str = "article") -> tuple[str, str]:
    """Returns the runs that a page opens with: GAP and GMP with the same recipe, dataset and seed; `recipe` if possible."""
    twins = {run.recipe: key for key, run in reversed(found.items())}
    for gap_key, gap in sorted(found.items(), key=lambda item: item[1].recipe.name != recipe):
        if gap.recipe.pool == "gap" and (gmp_key := twins.get(gap.recipe.but(pool="gmp"))):
            return gap_key, gmp_key
    keys = list(found)
    return keys[0], keys[min(1, len(keys) - 1)]
