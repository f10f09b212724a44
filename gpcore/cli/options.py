"""Shared by several commands: their options, the recipe from these options, and results as JSON or text."""

import json
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from gpcore.errors import RecipeError
from gpcore.recipe import RECIPES, Pool, Recipe, TrunkName

StoreOption = Annotated[Path, typer.Option("--store", help="Folder that keeps the runs.")]
DataOption = Annotated[Path, typer.Option("--data", help="Folder that holds the datasets.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
RunArgument = Annotated[str, typer.Argument(help="A run's id in the store, or the path of a run's folder.", metavar="RUN")]
PoolOption = Annotated[
    str | None, typer.Option("--pool", help=f"The pooling, or mlp in its place: {', '.join(get_args(Pool))}.  [default: gap]")
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe", help=f"The recipe to start from: {', '.join(RECIPES)}.  [default: article; with --trunk: photographs]"
    ),
]
TrunkOption = Annotated[
    str | None,
    typer.Option(
        "--trunk", help=f"The layers before the head: {', '.join(get_args(TrunkName))}, or timm:NAME.  [default: the recipe's]"
    ),
]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="A known dataset, or folder:PATH.")]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="Passes over the training images.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Decides first weights, order and augmentation.")]
ImagesOption = Annotated[int | None, typer.Option("--train-images", help="Train on the first so many images only.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other field, e.g. --set learning_rate=0.001 (repeatable).", metavar="FIELD=VALUE"),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cuda, mps or cpu.")]

ParallelOption = Annotated[
    int | None, typer.Option("--parallel", min=1, help="Runs at once; by default one per CPU core, or one per accelerator.")
]

RUNS, DATA = Path("runs"), Path("data")


def recipe_from(
    name: str | None,
    pool: str | None,
    dataset: str | None,
    epochs: int | None,
    seed: int | None,
    images: int | None,
    fields: list[str] | None,
    trunk: str | None = None,
) -> Recipe:
    """Returns the recipe for a command's options.

    Raises:
        RecipeError: a name, field or value that no recipe can have; or a field given twice.
    """
    name = name or ("article" if trunk in (None, "article") else "photographs")
    if name not in RECIPES:
        raise RecipeError(f"There is no recipe {name!r}: choose one of {', '.join(RECIPES)}.")
    options = {"pool": pool, "dataset": dataset, "epochs": epochs, "seed": seed, "train_images": images, "trunk": trunk}
    changes = {field: value for field, value in options.items() if value is not None}
    others = dict(map(_field, fields or []))
    if twice := changes.keys() & others.keys():
        raise RecipeError(f"{min(twice)} is given twice, by an option of its own and by --set: give it once.")
    return RECIPES[name].but(**changes, **others)


def _field(text: str) -> tuple[str, Any]:
    """Parses `learning_rate=0.001` into field and value; a value that is not JSON is text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise RecipeError(f"--set {text}: write it as FIELD=VALUE, for example learning_rate=0.001.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def print_result(value: Any, as_json: bool, text: str) -> None:
    """Print a result, as JSON or as text."""
    print(json.dumps(value) if as_json else text)


def percent(value: float | None) -> str:
    """Formats an accuracy, if there is one yet."""
    return "no accuracy yet" if value is None else f"{value:.2%}"
