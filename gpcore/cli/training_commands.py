"""The commands that train: a run now, runs from the queue, or whole studies."""

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import rich.console
import rich.progress
import typer

from gpcore.cli.options import (
    DATA,
    RUNS,
    DataOption,
    DatasetOption,
    DeviceOption,
    EpochsOption,
    ImagesOption,
    JsonOption,
    ParallelOption,
    PoolOption,
    RecipeOption,
    SeedOption,
    SetOption,
    SizeOption,
    SkipOption,
    StoreOption,
    TrunkOption,
    folder_dataset,
    percent,
    print_result,
    recipe_from,
)
from gpcore.errors import GpcoreError, RecipeError, StoreError
from gpcore.recipe import POOL_NAMES, RECIPES, Pool

BACKGROUND = 5
"""A worker's niceness, so that pages come first."""


def train(
    pool: PoolOption = None,
    recipe: RecipeOption = None,
    trunk: TrunkOption = None,
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    train_images: ImagesOption = None,
    set_: SetOption = None,
    size: SizeOption = None,
    skip_broken: SkipOption = False,
    resume: Annotated[str | None, typer.Option("--resume", help="Continue a stopped run.", metavar="RUN")] = None,
    device: DeviceOption = "auto",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Train a network now, with a progress bar; Ctrl-C stops it, and --resume continues it."""
    from gpcore.runs import worker
    from gpcore.runs.store import Store

    if resume is None:
        runs = Store(store)
        claim = runs.start(
            recipe_from(recipe, pool, folder_dataset(dataset, size, skip_broken), epochs, seed, train_images, set_, trunk)
        )
    else:
        if any(option is not None for option in (pool, dataset, seed, train_images, set_, recipe, trunk)):
            raise RecipeError("--resume continues with the run's own recipe: only --epochs can be given too.")
        runs, claim = _resumed(resume, epochs, store)
    run = claim.run
    _shown(lambda tell: worker.train(runs, claim, data, device, tell=tell), runs.run(run).recipe.epochs, run)
    record = runs.run(run)
    last = record.last
    result = {"run": run, "epochs": record.epochs_done, "seconds": record.seconds} | {
        name: getattr(last, name) if last else None
        for name in ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
    }
    print_result(
        result,
        as_json,
        f"{run}: {record.status} after {record.epochs_done} epochs, " + percent(last.validation_accuracy if last else None),
    )


def _resumed(run: str, epochs: int | None, store: Path) -> tuple[Any, Any]:
    """Returns the store of a run to continue, perhaps for more epochs, and the claim on it."""
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


def queue(
    pool: PoolOption = None,
    recipe: RecipeOption = None,
    trunk: TrunkOption = None,
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    train_images: ImagesOption = None,
    set_: SetOption = None,
    size: SizeOption = None,
    skip_broken: SkipOption = False,
    store: StoreOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Put a run in the queue; a worker trains it."""
    from gpcore.runs.store import Store

    run = Store(store).add(
        recipe_from(recipe, pool, folder_dataset(dataset, size, skip_broken), epochs, seed, train_images, set_, trunk)
    )
    print_result({"run": run}, as_json, f"{run} is queued: `python -m gpcore worker` trains it.")


def worker(
    once: Annotated[bool, typer.Option("--once", help="Stop when the queue is empty.")] = False,
    parallel: ParallelOption = None,
    linger: Annotated[float, typer.Option(hidden=True)] = math.inf,
    slot: Annotated[int | None, typer.Option(hidden=True)] = None,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
    device: DeviceOption = "auto",
    store: StoreOption = RUNS,
    data: DataOption = DATA,
) -> None:
    """Train queued runs, several at once, until you stop it or, with --once, until the queue is empty."""
    from gpcore.instance import Instance
    from gpcore.runs import launcher
    from gpcore.runs.store import Store
    from gpcore.runs.worker import work

    opened = Store(store)
    if slot is None:
        raise typer.Exit(launcher.run_several(parallel or launcher.parallel(opened), store, data, device, once))

    def is_over(idle: float) -> bool:
        return slot >= (parallel or launcher.parallel(opened)) or idle >= linger or (once and opened.idle())

    os.nice(BACKGROUND)
    if device == "cpu" or not os.path.exists("/dev/nvidiactl"):  # an accelerator's driver reserves more than it takes
        launcher.limit_memory(Instance.read().worker_memory_gb)
    with launcher.holding_slot(store, slot, keep_trying=lambda: once and not opened.idle()) as free:
        if not free and not once:
            _log("This worker", StoreError("another worker already does its work."))
        events = work(opened, data, device, is_over) if free else iter(())
        for told in _interruptible(events, lambda: parent is not None and os.getppid() != parent):
            if told:
                _log(*told)


def study(
    pools: Annotated[
        str, typer.Option("--pools", help=f"Poolings, separated by commas: {', '.join(get_args(Pool))}; or all.")
    ] = "gap,gmp",
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds, as 0-4 or 0,2,7-9.")] = "0-4",
    datasets: Annotated[str | None, typer.Option("--datasets", help="Datasets, separated by commas.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help=f"Recipes, separated by commas: {', '.join(RECIPES)}.  [default: modern; with --trunk: photographs]",
        ),
    ] = None,
    trunk: TrunkOption = None,
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
    """Train the missing runs of poolings × seeds × datasets, then print which pooling is better; rerun it to continue."""
    from gpcore.cli import study_progress
    from gpcore.runs.selection import counted
    from gpcore.runs.store import Store
    from gpcore.runs.study import Study, members

    study_progress.check_fields(set_ or [])
    names = study_progress.names
    recipes = names(recipe or ("modern" if trunk in (None, "article") else "photographs"))
    bases = tuple(recipe_from(name, None, None, epochs, None, train_images, set_, trunk) for name in recipes)
    chosen = names(datasets) if datasets else tuple(dict.fromkeys(base.dataset for base in bases))
    asked = Study(tuple(POOL_NAMES) if pools == "all" else names(pools), study_progress.seed_numbers(seeds), chosen, bases)
    others, opened = counted(also_from), Store(store)
    study_progress.show(_interruptible(study_progress.trained(asked, opened, data, others, parallel, ray)), opened)
    raise typer.Exit(study_progress.report(members(asked, opened, others), as_json))


def seal(store: StoreOption = RUNS) -> None:
    """Reduce a store to what it ships: no training states or logs; every epoch's weights of whole recipes with seed 0 only."""
    from gpcore.runs.selection import follows_recipe
    from gpcore.runs.store import Store

    Store(store).seal(lambda run: follows_recipe(run.recipe) and run.recipe.seed == 0)


def _shown(train: Callable[[Callable[[Any], None]], Iterator[Any]], epochs: int, run: str) -> None:
    """Draws the events as a progress bar on standard error; without a terminal, prints a line per epoch."""
    from gpcore.training.fit import BatchesDone, EpochDone, Evaluating

    columns = ("{task.description}", rich.progress.BarColumn(), "{task.fields[note]}", rich.progress.TimeRemainingColumn())
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(run, total=epochs, note="starting")

        def tell(progress: Any) -> None:
            bar.update(task, note=progress.sentence)
            if not console.is_terminal and progress.done in (0, progress.images):
                print(f"{run}: {progress.sentence}", file=sys.stderr, flush=True)

        for event in _interruptible(train(tell)):
            match event:
                case BatchesDone():
                    speed = f"loss {event.losses[-1]:.3f}, {event.images_per_second:,.0f} images/s"
                    bar.update(task, note=f"epoch {event.epoch}, {speed}")
                case Evaluating():
                    bar.update(task, note=f"epoch {event.epoch}, evaluating {event.done / event.images:.0%}")
                case EpochDone():
                    bar.update(task, completed=event.epoch, note=percent(event.validation.accuracy))
                    if not console.is_terminal:
                        _log(run, event)


def _interruptible(events: Iterator[Any], is_over: Callable[[], bool] = lambda: False) -> Iterator[Any]:
    """Yields the events until Ctrl-C, SIGTERM or `is_over`; it stops only between two events, when all files are complete.

    A second Ctrl-C or SIGTERM ends the process at once.
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


def _log(run: str, event: Any) -> None:
    """Prints one line per epoch or failure on standard error."""
    from gpcore.training.fit import EpochDone

    if isinstance(event, EpochDone):
        print(
            f"{run}: epoch {event.epoch}, {percent(event.validation.accuracy)}, {event.seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    elif isinstance(event, GpcoreError):
        print(f"{run}: {event}", file=sys.stderr, flush=True)
