"""The command `study`: reading its options, showing its progress, and printing its verdict."""

import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich.console
import rich.progress
import rich.table

from gpcore.cli.options import percent
from gpcore.errors import RecipeError
from gpcore.recipe import Pool
from gpcore.runs import launcher
from gpcore.runs.ray_cluster import connected
from gpcore.runs.stacked_runs import Together
from gpcore.runs.store import Store
from gpcore.runs.study import Member, Study, check_datasets, members, time_left
from gpcore.runs.study_training import train_elsewhere, train_here
from gpcore.training.state import find_device
from gpcore.verdicts.standings import Result, Standing, VerdictTable, verdict_tables
from gpcore.verdicts.statistics import Verdict

TOGETHER = 32
"""Runs of a study that a GPU trains together by default."""

MOST_SEEDS = 1_000
"""Most seeds of a study; more would be a typing error."""


def names(text: str) -> tuple[str, ...]:
    """`gap,gmp` as two names, each once."""
    return tuple(
        dict.fromkeys(part.replace("\0", ",").strip() for part in text.replace(r"\,", "\0").split(",") if part.strip())
    )


def seed_numbers(text: str) -> tuple[int, ...]:
    """`0-4` or `0,2,7-9` as numbers, each once.

    Raises:
        RecipeError: it is written otherwise.
    """
    return tuple(dict.fromkeys(seed for part in names(text) for seed in _range(part)))


def _range(part: str) -> range:
    first, dash, last = part.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
        raise RecipeError(f"--seeds {part}: write numbers and ranges, for example 0-4 or 0,2,7-9.")
    seeds = range(int(first), int(last or first) + 1)
    if len(seeds) > MOST_SEEDS:
        raise RecipeError(f"--seeds {part}: these are {len(seeds):,} seeds, and a study has at most {MOST_SEEDS:,}.")
    return seeds


def check_fields(settings: Sequence[str]) -> None:
    """Raises RecipeError if `--set` sets a field that a study varies."""
    for setting in settings:
        name = setting.partition("=")[0]
        if name in ("pool", "seed", "dataset"):
            raise RecipeError(f"--set {setting}: a study has several, name them with --{name}s.")


def trained(
    study: Study, store: Store, data: Path, others: Sequence[Store], parallel: int | None, ray: str | None
) -> Iterator[list[Member]]:
    """Trains the missing runs, here or on a Ray cluster, and yields the state of the study from time to time.

    On a GPU this process trains `parallel` runs at a time together.
    """
    unfinished = [member for member in members(study, store, others) if not member.finished]
    if not unfinished:
        return
    check_datasets(unfinished, data)
    if ray is not None:
        with connected(ray, data, parallel or launcher.cores()) as cluster:
            yield from train_elsewhere(study, store, cluster.place, parallel or cluster.cores, others)
        return
    if find_device().type == "cuda":
        at_once = parallel or TOGETHER
        yield from train_elsewhere(study, store, Together(at_once, data).place, at_once, others)
        return
    if parallel:
        store.set_parallel(parallel)
    yield from train_here(study, store, data, others)


def show(standings: Iterable[Sequence[Member]], store: Store) -> None:
    """Draws a progress bar on standard error; without a terminal, prints a line for every run that ends."""
    columns = ("{task.description}", rich.progress.BarColumn(), "{task.fields[note]}")
    console = rich.console.Console(stderr=True)
    ended: list[str] | None = None
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", note="")
        for standing in standings:
            bar.update(task, total=len(standing), completed=sum(member.done for member in standing))
            bar.update(task, description=_count(standing), note=_note(standing, store))
            over = {member.name: member for member in standing if member.ended}
            ended = list(over) if ended is None else ended
            for name in over.keys() - set(ended):
                ended.append(name)
                _say(bar.console, f"{len(ended)} of {len(standing)}: {_said(over[name])}")


def _count(standing: Sequence[Member]) -> str:
    return f"{sum(member.finished for member in standing):,} of {len(standing):,} runs"


def _note(standing: Sequence[Member], store: Store) -> str:
    running = sum(member.status == "running" for member in standing)
    left = time_left(standing, store)
    return f"{running} under way" + (f", {datetime.timedelta(seconds=round(left))} left" if left is not None else "")


def _said(member: Member) -> str:
    if member.accuracy is not None:
        return f"{member.name}: {percent(member.accuracy)}"
    reason = f": {member.record.error}" if member.record and member.record.error else ""
    return f"{member.name}: {member.status}{reason}"


def report(standing: Sequence[Member], as_json: bool) -> int:
    """Prints the verdict, and unfinished runs on standard error; returns the exit code, 1 if any is unfinished."""
    unfinished = [member for member in standing if not member.finished]
    found = verdict_tables(
        Result(member.recipe, member.accuracy, member.record.last.learned)
        for member in standing
        if member.accuracy is not None and member.record and member.record.last
    )
    if as_json:
        print(
            json.dumps({"tables": [_table_json(table, standing) for table in found], "unfinished": [*map(_json, unfinished)]})
        )
    else:
        _print_tables(found)
    complaints = rich.console.Console(stderr=True)
    for member in unfinished:
        _say(complaints, _said(member))
    if unfinished:
        _say(complaints, "Run the same command again to continue the unfinished runs.")
    return 1 if unfinished else 0


def _say(console: rich.console.Console, line: str) -> None:
    """Prints a line literally: titles and errors may contain Rich's markup."""
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def _print_tables(found: Sequence[VerdictTable]) -> None:
    console = rich.console.Console()
    for table in found:
        drawn = rich.table.Table("pooling", title=table.title)
        for heading in ("mean accuracy", "95 % interval", "seeds"):
            drawn.add_column(heading, justify="right")
        for one in table.standings:
            drawn.add_row(one.pool, percent(one.mean.value), _interval(one), str(one.mean.count))
        console.print(drawn)
        for verdict in table.verdicts.values():
            _say(console, verdict.sentence)
        if table.failed:
            _say(console, table.failures.strip())
    if not found:
        _say(console, "No run of this study is finished yet.")


def _interval(standing: Standing) -> str:
    mean = standing.mean
    if mean.margin is None:
        return "none with one seed"
    return f"{percent(max(mean.value - mean.margin, 0.0))} to {percent(min(mean.value + mean.margin, 1.0))}"


def _table_json(table: VerdictTable, standing: Sequence[Member]) -> dict[str, Any]:
    recipe = {name: value for name, value in table.experiment.to_json().items() if name not in ("pool", "seed")}
    return {
        "dataset": table.experiment.dataset,
        "recipe": recipe,
        "poolings": [_pooling_json(pool, table, standing) for pool in dict.fromkeys((*table.learned, *table.failed))],
        "verdicts": [_verdict_json(verdict) for verdict in table.verdicts.values()],
    }


def _pooling_json(pool: Pool, table: VerdictTable, standing: Sequence[Member]) -> dict[str, Any]:
    runs = {
        member.recipe.seed: str(member.store.run_folder(member.name))
        for member in standing
        if member.store and member.recipe == table.experiment.but(pool=pool, seed=member.recipe.seed) and member.finished
    }
    one, failed = table.learned.get(pool), table.failed.get(pool, {})
    accuracies = dict(sorted(((one.accuracies if one else {}) | failed).items()))
    mean = asdict(one.mean) if one else None
    return {"pool": pool, "accuracy": mean, "accuracies": accuracies, "failed": sorted(failed), "runs": runs}


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    paired = verdict.comparison.paired
    return {
        "first": verdict.comparison.first,
        "second": verdict.comparison.second,
        "seeds": paired.seeds,
        "difference": asdict(paired.mean),
        "bootstrap": paired.bootstrap,
        "detectable": paired.detectable(),
        "raw_p_value": paired.p_value,
        "p_value": verdict.p_value,
        "comparisons": verdict.family,
        "missing_seeds": verdict.missing_seeds,
        "equivalent": verdict.equivalent,
        "outcome": verdict.outcome,
        "sentence": verdict.sentence,
    }


def _json(member: Member) -> dict[str, Any]:
    error = member.record.error if member.record else None
    recipe = member.recipe
    return {
        "run": member.record.id if member.record else None,
        "dataset": recipe.dataset,
        "pool": recipe.pool,
        "seed": recipe.seed,
        "status": member.status,
        "error": error,
    }
