"""Shared by several commands: their options, the recipe from these options, and results as JSON or text."""

import json
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from gpcore.data.locations import data_folder, store_folder
from gpcore.errors import RecipeError
from gpcore.recipe import (
    FOLDER_PREFIX,
    LARGEST_SIDE,
    RECIPES,
    SHAPE,
    SMALLEST_SIDE,
    Pool,
    Recipe,
    TrunkName,
    folder_name,
    folder_settings,
)

StoreOption = Annotated[
    Path,
    typer.Option(
        "--store",
        help="Folder that keeps the runs.  [default: runs in the project's folder, or $POOLSCOPE_STORE]",
        callback=lambda value: value or store_folder(),
    ),
]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Folder that holds the datasets.  [default: data in the project's folder, or $POOLSCOPE_DATA]",
        callback=lambda value: value or data_folder(),
    ),
]
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
DatasetOption = Annotated[str | None, typer.Option("--dataset", help=f"A known dataset, or folder:PATH with {SHAPE}.")]
SizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=SMALLEST_SIDE,
        max=LARGEST_SIDE,
        help="Pixels along the longer side of a folder's pictures.  [default: as they are up to 128, else 64]",
    ),
]
SkipOption = Annotated[bool, typer.Option("--skip-broken", help="Leave out a folder's broken files.")]
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

RUNS: Path = None  # type: ignore[assignment]  # the options' callbacks put the project's folders in its place
DATA: Path = None  # type: ignore[assignment]


def folder_dataset(dataset: str | None, size: int | None, skip_broken: bool) -> str | None:
    """Returns the name of a folder's dataset with its options.

    Raises:
        RecipeError: the options are given for something that is not a folder.
    """
    if size is None and not skip_broken:
        return dataset
    if dataset is None or not dataset.startswith(FOLDER_PREFIX):
        raise RecipeError("--size and --skip-broken are for a folder: name it with folder:PATH.")
    path, *_ = folder_settings(dataset)
    return folder_name(path, size, skip_broken)


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
