"""Studies: poolings × seeds × datasets × recipes, paired by construction, of which only what is missing is trained.

A study keeps nothing of its own. Which of its runs there are follows from their recipes, so it can be stopped, asked for again,
or asked for with more seeds, and goes on from what the stores hold.
"""

import functools
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from gpcore.errors import DatasetError, RecipeError
from gpcore.recipe import FOLDER_PREFIX, Recipe
from gpcore.runs.records import RunRecord
from gpcore.runs.store import Store
from gpcore.runs.time_estimate import Estimate, estimate, seconds_left

LOOK_SECONDS = 0.5
"""How often a study looks at how its runs stand."""

LEAVE_SECONDS = 15.0
"""How long a study that is left waits for its runs to stop; they stop all the same if it takes them longer."""

PREFERENCE = ("finished", "running", "queued", "stopped", "failed")
"""Of several runs with one recipe, a study takes the one that has got furthest."""


@dataclass(frozen=True)
class Study:
    """What is compared. Runs with the same seed, dataset and recipe differ in the pooling alone: same trunk, same batches.

    Raises:
        RecipeError: a pooling, seed or dataset that no run can have; or there is none.
    """

    pools: tuple[str, ...]
    seeds: tuple[int, ...]
    datasets: tuple[str, ...]
    bases: tuple[Recipe, ...]

    def __post_init__(self) -> None:
        for spec in fields(self):
            if not getattr(self, spec.name):
                raise RecipeError(f"This study has no {spec.name}: name at least one.")
        assert self.recipes  # which are checked by being made

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """All runs of the study, the poolings of a seed next to each other, so that early results can be compared."""
        chosen = itertools.product(self.bases, self.datasets, self.seeds, self.pools)
        return tuple(base.but(dataset=dataset, seed=seed, pool=pool) for base, dataset, seed, pool in chosen)


@dataclass(frozen=True)
class Member:
    """A run of a study: its recipe, and the run in one of the stores that has, or will have, its result, if there is one."""

    recipe: Recipe
    store: Store | None = None
    record: RunRecord | None = None

    @property
    def status(self) -> str:
        """That of the run, or `missing`."""
        return self.record.status if self.record else "missing"

    @property
    def name(self) -> str:
        """The run's id, or what it will be a run of."""
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
        """Whether nothing more happens to it by itself: it is finished, was stopped or has failed."""
        return self.status in ("finished", "stopped", "failed")

    @property
    def done(self) -> float:
        """How much of it is done, in [0, 1]."""
        return self.record.done if self.record else 0.0


def members(study: Study, store: Store, others: Iterable[Store] = ()) -> list[Member]:
    """How each run of a study stands: finished in `store` or in one of the others, or else as far as it is in `store`.

    Recipes that differ in their name alone are one: the name says where a recipe came from, and changes no result.
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
    """Kept, since a recipe is checked whenever it is made, and a study asks for hundreds of them at every look."""
    return recipe.but(name="any")


def _rank(member: Member) -> tuple[int, int]:
    return PREFERENCE.index(member.status), -member.record.epochs_done if member.record else 0


def followed(study: Study, store: Store, others: Sequence[Store] = ()) -> Iterator[list[Member]]:
    """How the study stands, at every look anew: all of it whenever a run has begun or ended, else only what is under way."""
    known: object = None
    standing: list[Member] = []
    while True:
        counts = store.counts()  # which tell of a run that has begun and ended since the last look
        active = {record.id: record for record in store.active()}
        now = counts, [(record.id, record.status) for record in active.values()]
        if not standing or now != known or any(member.active and member.name not in active for member in standing):
            standing = members(study, store, others)
        else:
            standing = [replace(member, record=active[member.name]) if member.active else member for member in standing]
        known = now
        yield standing


def check_datasets(unfinished: Iterable[Member], data: Path) -> None:
    """DatasetError if a dataset that is still to be trained on can't be had: once, instead of once for every run.

    Folders are only looked for: reading tens of thousands of files takes as long as it will take every worker.
    """
    from gpcore.data.datasets import load_dataset  # PyTorch takes a second to import: not for whoever only looks at a study

    for name in dict.fromkeys(member.recipe.dataset for member in unfinished):
        folder = Path(name.removeprefix(FOLDER_PREFIX))
        if not name.startswith(FOLDER_PREFIX):
            load_dataset(name, data)
        elif not folder.is_dir():
            raise DatasetError(f"There is no folder {folder.absolute()}: give the path of one with a sub-folder per class.")


def time_left(standing: Sequence[Member], store: Store) -> float | None:
    """The seconds that a study under way in `store` still takes with as many runs at once as now; None as long as no run like
    each of those that are left has been measured in that store."""
    measured = [member.record for member in standing if member.record and member.store is store]
    running = [record for record in measured if record.status == "running"]
    if not running:
        return None
    unfinished = [member for member in standing if not member.ended]
    # One estimate for all runs alike, each of which looks at all that were measured.
    alike = {_size(member.recipe): member.recipe for member in unfinished}
    expected = {size: estimate(recipe, measured, running[0].device or "") for size, recipe in alike.items()}
    left = [_time_left(member, expected[_size(member.recipe)]) for member in unfinished]
    known = [seconds for seconds in left if seconds is not None]
    return max(sum(known) / len(running), *known) if len(known) == len(left) else None


def _size(recipe: Recipe) -> tuple[str, int | None, int]:
    """What an estimate depends on."""
    return recipe.dataset, recipe.train_images, recipe.epochs


def _time_left(member: Member, expected: Estimate | None) -> float | None:
    if member.record and member.status == "running" and (seconds := seconds_left(member.record)) is not None:
        return seconds
    return expected.seconds * (1 - member.done) if expected else None


def queue_missing(study: Study, store: Store, others: Sequence[Store] = ()) -> list[str]:
    """Put into the queue what is neither finished nor under way; the ids of those runs."""
    standing = members(study, store, others)
    return [_queued(member, store) for member in standing if not member.finished and not member.active]


def _queued(member: Member, store: Store) -> str:
    if member.record is None:
        return store.add(member.recipe)
    store.resume(member.record.id)
    return member.record.id


def stop(store: Store, runs: Sequence[str]) -> None:
    """Ask runs to stop where they stand, and wait for it, though not for ever; those that have ended stay as they are."""
    active = {run.id for run in store.active()} & set(runs)
    for run in active:
        store.request_stop(run)
    deadline = time.monotonic() + LEAVE_SECONDS
    while active & {run.id for run in store.active()} and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
