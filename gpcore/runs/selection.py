"""Selects the stores and runs that count, and those that a page shows first."""

import functools
from collections.abc import Sequence
from pathlib import Path

from gpcore.recipe import RECIPES, Recipe
from gpcore.runs.run import Run
from gpcore.runs.store import Store

SHIPPED = Path("checkpoints")
"""The store that ships with the project; its runs count if it exists."""


def counted(also_from: Sequence[Path] | None) -> list[Store]:
    """Returns the further stores whose finished runs count: the named ones, or else the shipped one, if it exists.

    Raises:
        StoreError: a named store does not exist.
    """
    folders = also_from or ([SHIPPED] if (SHIPPED / "runs.db").is_file() else [])
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


def default_pair(found: dict[str, Run], recipe: str = "article") -> tuple[str, str]:
    """Returns the runs that a page opens with: GAP and GMP with the same recipe, dataset and seed; `recipe` if possible."""
    twins = {run.recipe: key for key, run in reversed(found.items())}
    for gap_key, gap in sorted(found.items(), key=lambda item: item[1].recipe.name != recipe):
        if gap.recipe.pool == "gap" and (gmp_key := twins.get(gap.recipe.but(pool="gmp"))):
            return gap_key, gmp_key
    keys = list(found)
    return keys[0], keys[min(1, len(keys) - 1)]
