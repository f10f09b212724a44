"""The commands for trained runs: their figures, their answers, and files of both for other programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import rich.console
import rich.progress
import typer

from gpcore.atomic_files import replacing
from gpcore.cli.options import DATA, RUNS, DataOption, JsonOption, RunArgument, SizeOption, StoreOption, percent, print_result
from gpcore.data.tables import csv_text
from gpcore.errors import GpcoreError
from gpcore.recipe import FOLDER_PREFIX, SHAPE, folder_settings


def runs(store: StoreOption = RUNS, as_json: JsonOption = False) -> None:
    """List the runs of a store with their figures after every epoch."""
    from gpcore.runs.store import Store

    opened = Store(store, read_only=True)
    listed = opened.runs()
    if as_json:
        print(json.dumps([_run_json(record, opened.epochs(record.id)) for record in listed]))
        return
    table = rich.console.Console()
    for record in listed:
        accuracy = percent(record.last.validation_accuracy if record.last else None)
        table.print(
            f"{record.id}  {record.status}  {record.epochs_done}/{record.recipe.epochs} epochs  {accuracy}", highlight=False
        )


def _run_json(record: Any, epochs: list[Any]) -> dict[str, Any]:
    return {
        "run": record.id,
        "title": record.title,
        "status": record.status,
        "error": record.error,
        "recipe": record.recipe.to_json(),
        "chance": epochs[-1].chance if epochs else None,
        "epochs": [_figures(epoch) for epoch in epochs],
    }


def _figures(epoch: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(epoch).items() if name != "confusion"}


def report(
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.", metavar="FILE")],
    run: Annotated[
        list[str] | None,
        typer.Option("--run", help="A run to set against another (repeatable); by default GAP and GMP.", metavar="RUN"),
    ] = None,
    also_from: Annotated[
        list[Path] | None,
        typer.Option("--also-from", help="A further store whose runs count, instead of checkpoints (repeatable)."),
    ] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Write the whole comparison as one HTML file that opens without a network."""
    from gpcore.report.page import write_report
    from gpcore.report.sources import collected

    source = collected(store, also_from, run, data)
    write_report(out, source)
    result = {"out": str(out), "runs": len(source.found), "chosen": [each.id for each in source.chosen]}
    print_result(result, as_json, f"{out}: {len(source.found):,} runs compared.")


def evaluate(
    run: RunArgument,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Another dataset with the same classes.")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="After which epoch; the last by default.")] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Measure a run's accuracy on the test images."""
    from gpcore.runs.run import open_run
    from gpcore.training.evaluate import evaluate as measured
    from gpcore.training.features import evaluation_data

    opened = open_run(run, store)
    images = evaluation_data(opened.recipe, data, dataset)
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
    lines = [f"{percent(tally.accuracy)} of {tally.images:,} images of {images.name}"]
    lines += [f"  {name:<12} {percent(value)}" for name, value in per_class.items()]
    print_result(result, as_json, "\n".join(lines))


def _or_null(value: float) -> float | None:
    return None if value != value else value  # JSON has no NaN


def classify(
    images: Annotated[list[Path], typer.Argument(help="Photographs, or images of the dataset.", metavar="IMAGE…")],
    run: Annotated[str, typer.Option("--run", help="A run's id in the store, or the path of a run's folder.", metavar="RUN")],
    steps: Annotated[
        Path | None, typer.Option("--steps", help="Write the steps to each 28×28 picture as a strip.", metavar="DIR")
    ] = None,
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Classify photographs; exits with 1 if one can't be read, and answers the others."""
    from gpcore.figures.preparation_strips import write_strips
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
    print_result(entries, as_json, "\n".join(found.sentence for found in answers))
    if any(found.error for found in answers):
        raise typer.Exit(1)


def check(
    dataset: Annotated[str, typer.Argument(help=f"folder:PATH with {SHAPE}.", metavar="folder:PATH")],
    size: SizeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a folder of pictures holds and what training would make of it; exits with 1 if it could not be trained on."""
    from gpcore.data.folders import look_into

    path, asked, _ = folder_settings(dataset if dataset.startswith(FOLDER_PREFIX) else FOLDER_PREFIX + dataset)
    reading = look_into(Path(path), size or asked)
    report = reading.report()
    lines = [f"{name}: {count['train']:,} training, {count['test']:,} test" for name, count in report["classes"].items()]
    width, height = reading.size
    lines += [f"Each becomes {report['channels']}×{height}×{width}.", *report["problems"]]
    print_result(report, as_json, "\n".join(lines))
    if reading.refusal() or reading.broken:
        raise typer.Exit(1)


def calibrate(run: RunArgument, store: StoreOption = RUNS, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Calibrate a run's probabilities on test images, and keep the result beside its weights."""
    from gpcore.insight.answers import calibration_path, measure_calibration
    from gpcore.insight.uncertainty import write_calibration
    from gpcore.runs.run import open_run

    opened = open_run(run, store)
    measured = measure_calibration(opened, data)
    path = calibration_path(opened, measured.epoch)
    write_calibration(path, measured)
    print_result(asdict(measured), as_json, f"{path}: {measured}")


def features(
    delete: Annotated[bool, typer.Option("--delete", help="Delete all of them; they are computed again when needed.")] = False,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """List the features of pretrained networks that are kept, or delete them."""
    from gpcore.training.features import delete_features, kept_features

    found = [{"file": str(path), **kept.to_json()} for path, kept in kept_features(data)]
    lines = [
        f"{kept['trunk']}, {kept['dataset']} ({kept['split']}): {kept['images']:,} images, {kept['bytes'] / 1e6:,.0f} MB"
        for kept in found
    ]
    freed = f"{delete_features(data) / 1e6:,.0f} MB freed." if delete else ""
    print_result(found, as_json, "\n".join([*lines, freed] if freed else lines) or f"No features are kept in {data}.")


def maps(
    run: RunArgument,
    image: Annotated[int, typer.Option("--image", help="Which test image, from 0.")],
    layer: Annotated[int, typer.Option("--layer", help="The layer: 0 is the image, 16 the class maps, 17 the scores.")],
    out: Annotated[Path, typer.Option("--out", help="A .png for a picture, a .npz for the numbers.", metavar="FILE")],
    more: Annotated[list[str] | None, typer.Option("--run", help="Another run beside it (repeatable).", metavar="RUN")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="After which epoch; the last by default.")] = None,
    scale: Annotated[str, typer.Option("--scale", help="One colour scale for each: map, layer, or both networks.")] = "layer",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Draw the output of a layer for a test image, of one run or of several side by side."""
    from gpcore.data.datasets import scaled
    from gpcore.figures.saved_maps import save_maps
    from gpcore.figures.twin_grids import twin_grids
    from gpcore.insight.analysis import Analysis
    from gpcore.runs.run import open_run
    from gpcore.training.features import images_to_see

    opened = [open_run(name, store) for name in [run, *(more or [])]]
    images = images_to_see(opened[0].recipe, data)
    if not 0 <= image < len(images.test):
        raise GpcoreError(f"--image is {image}: {images.name} has test images 0 to {len(images.test) - 1:,}.")
    for each in opened:
        each.check_fits(images)
    pixels = scaled(images.test.images[image : image + 1])
    looks = [Analysis(each.network(epoch), each.recipe.output, pixels) for each in opened]
    grids = twin_grids(looks, layer, images.classes, scale)
    actual = int(images.test.labels[image])
    headings = [f"{each.id} answers {images.classes[look.answer]}" for each, look in zip(opened, looks, strict=True)]
    save_maps(out, looks, layer, grids, headings, actual)
    result = {"out": str(out), "image": image, "layer": layer, "actual": actual, "predicted": [look.answer for look in looks]}
    text = f"{out}: layer {layer} for test image {image}, {images.classes[actual]}; {'; '.join(headings)}"
    print_result({"runs": [each.id for each in opened], **result}, as_json, text)


def export(
    run: RunArgument,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="Write the network as ONNX.", metavar="FILE")] = None,
    csv_: Annotated[Path | None, typer.Option("--csv", help="Write every epoch's figures as CSV.", metavar="FILE")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="After which epoch; the last by default.")] = None,
    store: StoreOption = RUNS,
) -> None:
    """Write a run's network as ONNX, or its figures as CSV, for other programs."""
    from gpcore.nets.onnx import write_run
    from gpcore.runs.run import open_run

    if not (onnx or csv_):
        raise GpcoreError("Say what to write: --onnx FILE, --csv FILE, or both.")
    opened = open_run(run, store)
    path = csv_
    try:
        if csv_:
            _write_csv(csv_, [_figures(epoch) for epoch in opened.epochs])
        if path := onnx:
            write_run(opened.network(epoch), opened.recipe, opened.classes, opened.image_shape, onnx)
    except OSError as error:
        raise GpcoreError(f"Could not write {path or csv_}: {error.strerror or error}.") from error


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(csv_text(rows), encoding="utf-8", newline="")
