"""The commands that change a store: stop, delete, rename, and repair."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gpcore.cli.options import RUNS, JsonOption, StoreOption, print_result
from gpcore.errors import GpcoreError

RunsArgument = Annotated[list[str] | None, typer.Argument(help="Ids of runs in the store.", metavar="RUN…")]


def stop(
    run: RunsArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop all active runs.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Clear the queue; runs in training continue.")] = False,
    store: StoreOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Stop runs; `train --resume` continues them."""
    opened = _opened(store)
    if not (run or everything or queue):
        raise GpcoreError("Say what to stop: a RUN, --all, or --queue.")
    for each in [opened.run(name) for name in run or []]:
        opened.request_stop(each.id)
    if queue:
        opened.clear_queue()
    if everything:
        opened.stop_all()
    print_result({"active": [each.id for each in opened.active()]}, as_json, f"{len(opened.active())} runs are still active.")


def delete(
    run: Annotated[list[str], typer.Argument(help="Ids of runs in the store.", metavar="RUN…")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    store: StoreOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Delete runs and their weights permanently."""
    opened = _opened(store)
    if unknown := set(run) - opened.ids():
        raise GpcoreError(f"There is no run {min(unknown)!r} in {store}: `python -m gpcore runs` lists those of a --store.")
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Delete {', '.join(run)} for good?")):
        raise GpcoreError("Nothing was deleted: confirm it, or give --yes.")
    for each in run:
        opened.delete(each)
    print_result({"deleted": run}, as_json, f"Deleted {', '.join(run)}.")


def rename(
    run: Annotated[str, typer.Argument(help="A run's id in the store.", metavar="RUN")],
    title: Annotated[str, typer.Argument(help="Its new title; the id stays.", metavar="TITLE")],
    store: StoreOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Give a run another title."""
    opened = _opened(store)
    opened.rename(opened.run(run).id, title)
    print_result({"run": run, "title": opened.run(run).title}, as_json, f"{run}: {opened.run(run).title}")


def doctor(store: StoreOption = RUNS, as_json: JsonOption = False) -> None:
    """Check a store and repair it: dead workers, folders without a run, unfinished files; prints the freed space."""
    from gpcore.runs.upkeep import repair

    found = list(repair(_opened(store)))
    print_result({"found": found}, as_json, "\n".join(found) or f"{store} is in order.")


def _opened(store: Path):
    from gpcore.runs.store import Store

    Store(store, read_only=True)  # the store must exist; a check does not create one
    return Store(store)
