"""Studies: poolings × seeds × datasets × recipes, paired by construction; only missing runs are trained.

A study has no file of its own. Its runs are found by their recipes, so it can be stopped, repeated, or repeated with more
seeds, and it continues from the runs in the stores.
"""

import functools
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from gpcore.errors import DatasetError, RecipeError
from gpcore.recipe import FOLDER_PREFIX, Recipe, folder_settings
from gpcore.runs.records import RunRecord
from gpcore.runs.store import Store
from gpcore.runs.time_estimate import Estimate, estimate, seconds_left

LOOK_SECONDS = 0.5
"""How often a study checks the state of its runs."""

LEAVE_SECONDS = 15.0
"""How long an interrupted study waits for its runs to stop; they also stop if it takes longer."""

PREFERENCE = ("finished", "running", "queued", "stopped", "failed")
"""Order of preference: of several runs with one recipe, a study takes the most advanced."""


@dataclass(frozen=True)
class Study:
    """A study's choices. Runs with the same seed, dataset and recipe differ in the pooling alone: same trunk, same batches.

    Raises:
        RecipeError: an invalid pooling, seed or dataset, or an empty list of them.
    """

    pools: tuple[str, ...]
    seeds: tuple[int, ...]
    datasets: tuple[str, ...]
    bases: tuple[Recipe, ...]

    def __post_init__(self) -> None:
        for spec in fields(self):
            if not getattr(self, spec.name):
                raise RecipeError(f"This study has no {spec.name}: name at least one.")
        assert self.recipes  # creating them checks them

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """All recipes of the study, the poolings of a seed next to each other, so that early results can be compared."""
        chosen = itertools.product(self.bases, self.datasets, self.seeds, self.pools)
        return tuple(base.but(dataset=dataset, seed=seed, pool=pool) for base, dataset, seed, pool in chosen)


@dataclass(frozen=True)
class Member:
    """A run of a study: its recipe, and the store's run that has or will have its result, if any."""

    recipe: Recipe
    store: Store | None = None
    record: RunRecord | None = None

    @property
    def status(self) -> str:
        """The run's status, or `missing`."""
        return self.record.status if self.record else "missing"

    @property
    def name(self) -> str:
        """The run's id, or a description of the missing run."""
        return self.record.id if self.record else f"{self.recipe.dataset}, {self.recipe.pool}, seed {self.recipe.seed}"

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy after the last epoch, a fraction, if the run is finished."""
        return self.record.last.validation_accuracy if self.record and self.record.last and self.finished else None

    @property
    def finished(self) -> bool:
        return self.status == "finished"

    @property
    def active(self) -> bool:
        """Whether it is being trained or waits for a worker."""
        return self.status in ("queued", "running")

    @property
    def ended(self) -> bool:
        """Whether it is finished, stopped or failed."""
        return self.status in ("finished", "stopped", "failed")

    @property
    def done(self) -> float:
        """The part of it that is done, in [0, 1]."""
        return self.record.done if self.record else 0.0


def members(study: Study, store: Store, others: Iterable[Store] = ()) -> list[Member]:
    """Returns the state of each run of a study: finished in `store` or one of the others, or else its state in `store`.

    Recipes that differ in their name alone are the same: the name is a recipe's origin and does not affect the result.
    """
    found: dict[Recipe, Member] = {}
    for member in _candidates(store, others):
        known = found.get(_nameless(member.recipe))
        if known is None or _rank(member) < _rank(known):
            found[_nameless(member.recipe)] = member
    wanted = [(recipe, found.get(_nameless(recipe))) for recipe in study.recipes]
    return [replace(member, recipe=recipe) if member else Member(recipe) for recipe, member in wanted]


def _candidates(store: Store, others: Iterable[Store]) -> Iterator[Member]:
    yield from (Member(record.recipe, store, record) for record in store.runs())
    for other in others:
        yield from (Member(record.recipe, other, record) for record in other.runs() if record.status == "finished")


@functools.lru_cache(maxsize=16_384)
def _nameless(recipe: Recipe) -> Recipe:
    """Returns the recipe without its name; cached, since a study needs hundreds at every check."""
    return recipe.but(name="any")


def _rank(member: Member) -> tuple[int, int]:
    return PREFERENCE.index(member.status), -member.record.epochs_done if member.record else 0


def followed(study: Study, store: Store, others: Sequence[Store] = ()) -> Iterator[list[Member]]:
    """Yields the study's state at every check: all of it when a run has begun or ended, otherwise only active runs are read."""
    known: object = None
    standing: list[Member] = []
    while True:
        counts = store.counts()  # they also show a run that began and ended since the last check
        active = {record.id: record for record in store.active()}
        now = counts, [(record.id, record.status) for record in active.values()]
        if not standing or now != known or any(member.active and member.name not in active for member in standing):
            standing = members(study, store, others)
        else:
            standing = [replace(member, record=active[member.name]) if member.active else member for member in standing]
        known = now
        yield standing


def check_datasets(unfinished: Iterable[Member], data: Path) -> None:
    """Raises DatasetError if a dataset of unfinished runs can't be loaded: once, instead of once for every run.

    For folders it checks only that they exist: reading tens of thousands of files would take as long as in a worker.
    """
    # PyTorch takes a second to import, and watching a study does not need it.
    from gpcore.data.datasets import PHOTO_FOLDERS, load_dataset, photo_folder

    for name in dict.fromkeys(member.recipe.dataset for member in unfinished):
        folder = Path(folder_settings(name)[0]) if name.startswith(FOLDER_PREFIX) else Path()
        if name in PHOTO_FOLDERS:
            photo_folder(name, data)
        elif not name.startswith(FOLDER_PREFIX):
            load_dataset(name, data)
        elif not folder.is_dir():
            raise DatasetError(f"There is no folder {folder.absolute()}: give the path of one with a sub-folder per class.")


def time_left(standing: Sequence[Member], store: Store) -> float | None:
    """Returns the seconds that a study in `store` still takes with as many runs at once as now; None until a run like each
    remaining one has been measured in that store."""
    measured = [member.record for member in standing if member.record and member.store is store]
    running = [record for record in measured if record.status == "running"]
    if not running:
        return None
    unfinished = [member for member in standing if not member.ended]
    # One estimate for all similar runs, since each estimate reads all measured runs.
    alike = {_size(member.recipe): member.recipe for member in unfinished}
    expected = {size: estimate(recipe, measured, running[0].device or "") for size, recipe in alike.items()}
    left = [_time_left(member, expected[_size(member.recipe)]) for member in unfinished]
    known = [seconds for seconds in left if seconds is not None]
    return max(sum(known) / len(running), *known) if len(known) == len(left) else None


def _size(recipe: Recipe) -> tuple[str, int | None, int]:
    """Returns the choices that an estimate depends on."""
    return recipe.dataset, recipe.train_images, recipe.epochs


def _time_left(member: Member, expected: Estimate | None) -> float | None:
    if member.record and member.status == "running" and (seconds := seconds_left(member.record)) is not None:
        return seconds
    return expected.seconds * (1 - member.done) if expected else None


def queue_missing(study: Study, store: Store, others: Sequence[Store] = ()) -> list[str]:
    """Queues the runs that are neither finished nor active; returns their ids."""
    standing = members(study, store, others)
    return [_queued(member, store) for member in standing if not member.finished and not member.active]


def _queued(member: Member, store: Store) -> str:
    if member.record is None:
        return store.add(member.recipe)
    store.resume(member.record.id)
    return member.record.id


def stop(store: Store, runs: Sequence[str]) -> None:
    """Asks active runs to stop, and waits for it, up to a limit."""
    active = {run.id for run in store.active()} & set(runs)
    for run in active:
        store.request_stop(run)
    deadline = time.monotonic() + LEAVE_SECONDS
    while active & {run.id for run in store.active()} and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
