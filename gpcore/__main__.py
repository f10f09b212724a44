"""The command line: `python -m gpcore COMMAND`."""

import csv
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import rich.console
import rich.progress
import typer

from gpcore.errors import GpcoreError, RecipeError, StoreError
from gpcore.recipe import RECIPES, Pool, Recipe

app = typer.Typer(
    help="See what global pooling does to a convolutional network, and decide which pooling to use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StoreOption = Annotated[Path, typer.Option("--store", help="Folder that keeps the runs.")]
DataOption = Annotated[Path, typer.Option("--data", help="Folder that holds the datasets.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
RunArgument = Annotated[str, typer.Argument(help="A run's id in the store, or the path of a run's folder.", metavar="RUN")]
PoolOption = Annotated[
    str | None, typer.Option("--pool", help=f"The pooling, or mlp in its place: {', '.join(get_args(Pool))}.  [default: gap]")
]
RecipeOption = Annotated[str, typer.Option("--recipe", help=f"The recipe to start from: {', '.join(RECIPES)}.")]
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

BACKGROUND = 5
"""How much a worker steps back for the pages, in the units of `nice`."""


@app.command()
def train(
    pool: PoolOption = None,
    recipe: RecipeOption = "article",
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    train_images: ImagesOption = None,
    set_: SetOption = None,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with a run that was stopped.", metavar="RUN")] = None,
    device: DeviceOption = "auto",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Train a network here and now, with a progress bar; Ctrl-C stops it so that --resume can go on."""
    from gpcore.runs import worker
    from gpcore.runs.store import Store

    if resume is None:
        runs = Store(store)
        claim = runs.start(_recipe(recipe, pool, dataset, epochs, seed, train_images, set_))
    else:
        if any(option is not None for option in (pool, dataset, seed, train_images, set_)) or recipe != "article":
            raise RecipeError("--resume goes on with the run's own recipe: of its options only --epochs can be given too.")
        runs, claim = _resumed(resume, epochs, store)
    run = claim.run
    _shown(worker.train(runs, claim, data, device), runs.run(run).recipe.epochs, run)
    record = runs.run(run)
    last = record.last
    result = {"run": run, "epochs": record.epochs_done, "seconds": record.seconds} | {
        name: getattr(last, name) if last else None
        for name in ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
    }
    _print(
        result,
        as_json,
        f"{run}: {record.status} after {record.epochs_done} epochs, " + _percent(last.validation_accuracy if last else None),
    )


@app.command()
def queue(
    pool: PoolOption = None,
    recipe: RecipeOption = "article",
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    train_images: ImagesOption = None,
    set_: SetOption = None,
    store: StoreOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Put a run in the queue; a worker trains it."""
    from gpcore.runs.store import Store

    run = Store(store).add(_recipe(recipe, pool, dataset, epochs, seed, train_images, set_))
    _print({"run": run}, as_json, f"{run} is queued: `python -m gpcore worker` trains it.")


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to train.")] = False,
    parallel: ParallelOption = None,
    linger: Annotated[float, typer.Option(hidden=True)] = math.inf,
    slot: Annotated[int | None, typer.Option(hidden=True)] = None,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
    device: DeviceOption = "auto",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
) -> None:
    """Train what is queued, several runs at once, until you stop it (or, with --once, until nothing is left)."""
    from gpcore.runs import launcher
    from gpcore.runs.store import Store
    from gpcore.runs.worker import work

    opened = Store(store)
    if slot is None:
        raise typer.Exit(launcher.run_several(parallel or launcher.parallel(opened), store, data, device, once))

    def is_over(idle: float) -> bool:
        return slot >= (parallel or launcher.parallel(opened)) or idle >= linger or (once and opened.idle())

    os.nice(BACKGROUND)
    with launcher.holding_slot(store, slot, keep_trying=lambda: once and not opened.idle()) as free:
        if not free and not once:
            _log("This worker", StoreError("another one does its work already."))
        events = work(opened, data, device, is_over) if free else iter(())
        for told in _interruptible(events, lambda: parent is not None and os.getppid() != parent):
            if told:
                _log(*told)


@app.command()
def runs(store: StoreOption = RUNS, as_json: JsonOption = False) -> None:
    """List the runs of a store with what was measured after every epoch."""
    from gpcore.runs.store import Store

    opened = Store(store, read_only=True)
    listed = opened.runs()
    if as_json:
        print(json.dumps([_run_json(record, opened.epochs(record.id)) for record in listed]))
        return
    table = rich.console.Console()
    for record in listed:
        accuracy = _percent(record.last.validation_accuracy if record.last else None)
        table.print(
            f"{record.id}  {record.status}  {record.epochs_done}/{record.recipe.epochs} epochs  {accuracy}", highlight=False
        )


@app.command()
def study(
    pools: Annotated[
        str, typer.Option("--pools", help=f"Poolings, separated by commas: {', '.join(get_args(Pool))}.")
    ] = "gap,gmp",
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds, as 0-4 or 0,2,7-9.")] = "0-4",
    datasets: Annotated[str, typer.Option("--datasets", help="Datasets, separated by commas.")] = "fashion-mnist",
    recipe: Annotated[str, typer.Option("--recipe", help=f"Recipes, separated by commas: {', '.join(RECIPES)}.")] = "modern",
    epochs: EpochsOption = None,
    train_images: ImagesOption = None,
    set_: SetOption = None,
    also_from: Annotated[
        list[Path] | None,
        typer.Option("--also-from", help="A further store whose finished runs count, instead of checkpoints (repeatable)."),
    ] = None,
    parallel: ParallelOption = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Train on the Ray cluster at HOST:PORT; auto: this machine's; local: start one here."),
    ] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Train what is missing of poolings × seeds × datasets, then say which pooling is better; after Ctrl-C it can go on."""
    from gpcore import study_command
    from gpcore.runs.store import Store
    from gpcore.runs.study import Study, members

    study_command.check_fields(set_ or [])
    names = study_command.names
    bases = tuple(_recipe(name, None, None, epochs, None, train_images, set_) for name in names(recipe))
    asked = Study(names(pools), study_command.seed_numbers(seeds), names(datasets), bases)
    others, opened = study_command.counted(also_from), Store(store)
    study_command.show(_interruptible(study_command.trained(asked, opened, data, others, parallel, ray)), opened)
    raise typer.Exit(study_command.report(members(asked, opened, others), as_json))


@app.command()
def evaluate(
    run: RunArgument,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Another dataset with the same classes.")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="After which epoch; the last by default.")] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Measure a run's accuracy on the test images."""
    from gpcore.data.datasets import load_dataset
    from gpcore.runs.run import open_run
    from gpcore.training.evaluate import evaluate as measured

    opened = open_run(run, store)
    images = load_dataset(dataset or opened.recipe.dataset, data)
    opened.check_fits(images)
    tally = measured(opened.network(epoch), images.test, opened.recipe.output)
    per_class = dict(zip(images.classes, (_or_null(value) for value in tally.per_class()), strict=True))
    result = {
        "run": opened.id,
        "dataset": images.name,
        "images": tally.images,
        "accuracy": tally.accuracy,
        "logit_accuracy": tally.logit_accuracy,
        "loss": tally.loss,
        "per_class": per_class,
    }
    lines = [f"{_percent(tally.accuracy)} of {tally.images:,} images of {images.name}"]
    lines += [f"  {name:<12} {_percent(value)}" for name, value in per_class.items()]
    _print(result, as_json, "\n".join(lines))


@app.command()
def classify(
    images: Annotated[list[Path], typer.Argument(help="Photographs, or pictures as the dataset holds them.", metavar="IMAGE…")],
    run: Annotated[str, typer.Option("--run", help="A run's id in the store, or the path of a run's folder.", metavar="RUN")],
    steps: Annotated[
        Path | None, typer.Option("--steps", help="Write how each 28×28 picture came about, as a strip.", metavar="DIR")
    ] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Say what is in photographs of clothes; exits with 1 if one can't be read, and answers the others."""
    from gpcore.figures.steps import write_strips
    from gpcore.insight.answers import classify_files
    from gpcore.runs.run import open_run

    opened = open_run(run, store)
    bar = rich.progress.track(
        classify_files(images, opened, data),
        total=len(images),
        description="classifying",
        console=rich.console.Console(stderr=True),
        transient=True,
    )
    answers = list(write_strips(bar, steps) if steps else bar)
    entries = [found.to_json(opened.id) for found in answers]
    _print(entries, as_json, "\n".join(found.sentence for found in answers))
    if any(found.error for found in answers):
        raise typer.Exit(1)


@app.command()
def calibrate(run: RunArgument, store: StoreOption = RUNS, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Measure how sure a run may be of its answers, and keep that beside its weights."""
    from gpcore.insight.answers import calibration_path, measure_calibration
    from gpcore.insight.uncertainty import write_calibration
    from gpcore.runs.run import open_run

    opened = open_run(run, store)
    measured = measure_calibration(opened, data)
    path = calibration_path(opened, measured.epoch)
    write_calibration(path, measured)
    _print(asdict(measured), as_json, f"{path}: {measured}")


@app.command()
def maps(
    run: RunArgument,
    image: Annotated[int, typer.Option("--image", help="Which test image, from 0.")],
    layer: Annotated[int, typer.Option("--layer", help="Whose output: 0 is the image, 16 the class maps, 17 the scores.")],
    out: Annotated[Path, typer.Option("--out", help="A .png for a picture, a .npz for the numbers.", metavar="FILE")],
    more: Annotated[list[str] | None, typer.Option("--run", help="Another run beside it (repeatable).", metavar="RUN")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="After which epoch; the last by default.")] = None,
    scale: Annotated[str, typer.Option("--scale", help="One colour scale for each: map, layer, or both networks.")] = "layer",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Draw the output of a layer for a test image, of one run or of several side by side."""
    from gpcore.data.datasets import scaled, test_split_only
    from gpcore.figures.saved import save_maps
    from gpcore.figures.twins import twin_grids
    from gpcore.insight.look import Look
    from gpcore.runs.run import open_run

    opened = [open_run(name, store) for name in [run, *(more or [])]]
    images = test_split_only(opened[0].recipe.dataset, data)
    if not 0 <= image < len(images.test):
        raise GpcoreError(f"--image is {image}: {images.name} has test images 0 to {len(images.test) - 1:,}.")
    for each in opened:
        each.check_fits(images)
    pixels = scaled(images.test.images[image : image + 1])
    looks = [Look(each.network(epoch), each.recipe.output, pixels) for each in opened]
    grids = twin_grids(looks, layer, images.classes, scale)
    actual = int(images.test.labels[image])
    headings = [f"{each.id} answers {images.classes[look.answer]}" for each, look in zip(opened, looks, strict=True)]
    save_maps(out, looks, layer, grids, headings, actual)
    result = {"out": str(out), "image": image, "layer": layer, "actual": actual, "predicted": [look.answer for look in looks]}
    text = f"{out}: layer {layer} for test image {image}, {images.classes[actual]}; {'; '.join(headings)}"
    _print({"runs": [each.id for each in opened], **result}, as_json, text)


@app.command()
def export(
    run: RunArgument,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="Write the network as ONNX.", metavar="FILE")] = None,
    csv_: Annotated[Path | None, typer.Option("--csv", help="Write every epoch's figures as CSV.", metavar="FILE")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="Whose weights; the last by default.")] = None,
    store: StoreOption = RUNS,
) -> None:
    """Write a run's network as ONNX, or its figures as CSV, for other programs."""
    from gpcore.nets.onnx import write_onnx
    from gpcore.runs.run import open_run

    if not (onnx or csv_):
        raise GpcoreError("Say what to write: --onnx FILE, --csv FILE, or both.")
    opened = open_run(run, store)
    try:
        if csv_:
            _write_csv(csv_, [_figures(epoch) for epoch in opened.epochs])
        if onnx:
            write_onnx(opened.network(epoch), opened.image_shape, onnx)
    except OSError as error:
        raise GpcoreError(f"Could not write {error.filename or onnx or csv_}: {error.strerror or error}.") from error


def _log(run: str, event: Any) -> None:
    """One line per epoch or failure on standard error: what a worker says."""
    from gpcore.training.fit import EpochDone

    if isinstance(event, EpochDone):
        print(
            f"{run}: epoch {event.epoch}, {_percent(event.validation.accuracy)}, {event.seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    elif isinstance(event, GpcoreError):
        print(f"{run}: {event}", file=sys.stderr, flush=True)


def _resumed(run: str, epochs: int | None, store: Path) -> tuple[Any, Any]:
    """The store of a run that is to go on, perhaps for more epochs, and the claim on it."""
    from gpcore.runs.run import open_run
    from gpcore.runs.store import Store

    opened = open_run(run, store)
    runs = Store(opened.store.folder)
    if epochs not in (None, opened.recipe.epochs):
        runs.extend(opened.id, epochs)
    claim = runs.claim(opened.id)
    if claim is None:
        if runs.run(opened.id).status == "finished":
            raise StoreError(f"{opened.id} has finished its {opened.recipe.epochs} epochs: add more with --epochs.")
        raise StoreError(f"{opened.id} is being trained by another worker: wait for it, or stop it first.")
    return runs, claim


def _recipe(
    name: str,
    pool: str | None,
    dataset: str | None,
    epochs: int | None,
    seed: int | None,
    images: int | None,
    fields: list[str] | None,
) -> Recipe:
    if name not in RECIPES:
        raise RecipeError(f"There is no recipe {name!r}: choose one of {', '.join(RECIPES)}.")
    options = {"pool": pool, "dataset": dataset, "epochs": epochs, "seed": seed, "train_images": images}
    changes = {field: value for field, value in options.items() if value is not None}
    others = dict(map(_field, fields or []))
    if twice := changes.keys() & others.keys():
        raise RecipeError(f"{min(twice)} is given twice, by an option of its own and by --set: give it once.")
    return RECIPES[name].but(**changes, **others)


def _field(text: str) -> tuple[str, Any]:
    """`learning_rate=0.001` as a field and its value; a value that is no JSON is text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise RecipeError(f"--set {text}: write it as FIELD=VALUE, for example learning_rate=0.001.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _shown(events: Iterator[Any], epochs: int, run: str) -> None:
    """Draw the events as a progress bar on standard error; where no bar can be drawn, a line an epoch."""
    from gpcore.training.fit import BatchesDone, EpochDone, Evaluating

    columns = ("{task.description}", rich.progress.BarColumn(), "{task.fields[note]}", rich.progress.TimeRemainingColumn())
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(run, total=epochs, note="starting")
        for event in _interruptible(events):
            match event:
                case BatchesDone():
                    speed = f"loss {event.losses[-1]:.3f}, {event.images_per_second:,.0f} images/s"
                    bar.update(task, note=f"epoch {event.epoch}, {speed}")
                case Evaluating():
                    bar.update(task, note=f"epoch {event.epoch}, evaluating {event.done / event.images:.0%}")
                case EpochDone():
                    bar.update(task, completed=event.epoch, note=_percent(event.validation.accuracy))
                    if not console.is_terminal:
                        _log(run, event)


def _interruptible(events: Iterator[Any], is_over: Callable[[], bool] = lambda: False) -> Iterator[Any]:
    """The events until Ctrl-C, a polite kill, or until it is over; between two of them, so that what is kept is whole.

    A second Ctrl-C or kill is rude.
    """
    interrupted = False

    def remember(number: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for event in events:
            yield event
            if interrupted or is_over():
                events.close()  # type: ignore[attr-defined]  # generators have it
                return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_json(record: Any, epochs: list[Any]) -> dict[str, Any]:
    return {
        "run": record.id,
        "title": record.title,
        "status": record.status,
        "error": record.error,
        "recipe": record.recipe.to_json(),
        "epochs": [_figures(epoch) for epoch in epochs],
    }


def _figures(epoch: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(epoch).items() if name != "confusion"}


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _print(value: Any, as_json: bool, text: str) -> None:
    print(json.dumps(value) if as_json else text)


def _percent(value: float | None) -> str:
    return "no accuracy yet" if value is None else f"{value:.2%}"


def _or_null(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a user's mistake is one line on standard error and exit code 2."""
    command = typer.main.get_command(app)
    try:
        return command.main(arguments, prog_name="python -m gpcore", standalone_mode=False) or 0
    except GpcoreError as error:
        message = " ".join(str(error).split())
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own, whichever copy of click typer uses
            raise
        message = error.format_message()
    print(f"Error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
