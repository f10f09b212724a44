"""Which stores and runs count, and which a person is shown first, where there are many."""

import functools
from collections.abc import Sequence
from pathlib import Path

from gpcore.recipe import RECIPES, Recipe
from gpcore.runs.run import Run
from gpcore.runs.store import Store

SHIPPED = Path("checkpoints")
"""The store that ships with the project; its runs count where it is there."""


def counted(also_from: Sequence[Path] | None) -> list[Store]:
    """The further stores whose finished runs count: those that were named, or else the shipped one, if there is one.

    Raises:
        StoreError: one that was named is not there.
    """
    folders = also_from or ([SHIPPED] if (SHIPPED / "runs.db").is_file() else [])
    return [Store(folder, read_only=True) for folder in folders]


def first_shown(shipped: dict[str, Run], own: dict[str, Run]) -> dict[str, Run]:
    """All runs by key: shipped ones that follow a recipe to its last epoch, then one's own, then the rest of what ships.

    The rest are the runs of studies: a hundred short ones that differ in the seed, each to be found by its name.
    """
    whole = {key: run for key, run in shipped.items() if follows_recipe(run.recipe)}
    return whole | own | shipped


@functools.lru_cache(maxsize=16_384)
def follows_recipe(recipe: Recipe) -> bool:
    """Whether a recipe differs from the one that it started from in head and seed alone; kept, as it is asked of all runs."""
    start = RECIPES.get(recipe.name)
    return start is not None and recipe == start.but(pool=recipe.pool, seed=recipe.seed)


def default_pair(found: dict[str, Run], recipe: str = "article") -> tuple[str, str]:
    """The runs to open with: GAP and GMP with one recipe, dataset and seed, of this recipe if there are such."""
    twins = {run.recipe: key for key, run in reversed(found.items())}
    for gap_key, gap in sorted(found.items(), key=lambda item: item[1].recipe.name != recipe):
        if gap.recipe.pool == "gap" and (gmp_key := twins.get(gap.recipe.but(pool="gmp"))):
            return gap_key, gmp_key
    keys = list(found)
    return keys[0], keys[min(1, len(keys) - 1)]
