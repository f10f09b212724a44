"""The commands that train given runs."""

import dataclasses
import itertools
import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from gpcore.recipe import RECIPES, Recipe, shown_dataset

OWN_OPTIONS = ("name", "dataset", "pool", "epochs", "seed")
"""Fields with their own option in `train`; the others use `--set`."""


def train_command(recipe: Recipe, store: str) -> str:
    """The command that trains one run."""
    one = ["--pool", recipe.pool, "--dataset", shown_dataset(recipe.dataset), "--seed", str(recipe.seed)]
    return _command("train", [*_shape(recipe), *one], store)


def study_commands(experiment: Recipe, seeds: Mapping[Any, Iterable[int]], store: str) -> list[str]:
    """The commands that train a recipe with every head and its seeds: one for all heads that have the same seeds."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for pool, numbers in seeds.items():
        alike.setdefault(tuple(sorted(numbers)), []).append(pool)
    return [
        _command(
            "study",
            [
                *_shape(experiment),
                "--datasets",
                _one(experiment.dataset),
                "--pools",
                ",".join(pools),
                "--seeds",
                _ranges(numbers),
            ],
            store,
        )
        for numbers, pools in alike.items()
    ]


def _one(dataset: str) -> str:
    """A dataset in a list with commas between."""
    return shown_dataset(dataset).replace(",", r"\,")


def _command(name: str, options: list[str], store: str) -> str:
    return shlex.join(["python", "-m", "gpcore", name, *options, "--store", store])


def _shape(recipe: Recipe) -> list[str]:
    """Returns the options that turn a named recipe into this one."""
    changed = [f"{name}={_text(value)}" for name, value in _changes(recipe)]
    return ["--recipe", recipe.name, "--epochs", str(recipe.epochs)] + [part for text in changed for part in ("--set", text)]


def _changes(recipe: Recipe) -> list[tuple[str, object]]:
    start = RECIPES[recipe.name]
    names = [spec.name for spec in dataclasses.fields(Recipe) if spec.name not in OWN_OPTIONS]
    return [(name, getattr(recipe, name)) for name in names if getattr(recipe, name) != getattr(start, name)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _ranges(numbers: Iterable[int]) -> str:
    """`0-4,7` for 0, 1, 2, 3, 4 and 7."""
    runs = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    spans = [[number for _, number in group] for _, group in runs]
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)
