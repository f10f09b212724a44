"""A store's records of runs, as plain frozen values."""

import contextlib
import functools
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from gpcore.errors import GpcoreError, StoreError
from gpcore.recipe import Recipe

Status = Literal["queued", "running", "finished", "stopped", "failed"]
Phase = Literal["training", "validation"]

RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,199}")
"""What an id looks like. It names the run's folder, so a store from elsewhere must not choose another."""

RUNS = """
    SELECT runs.*, last.epoch AS epochs_done, last.epoch, last.training_loss,
        last.training_accuracy, last.training_logit_accuracy, last.validation_loss, last.validation_accuracy,
        last.validation_logit_accuracy, last.learning_rate, last.seconds AS last_seconds, last.confusion,
        (SELECT sum(seconds) FROM epochs WHERE run = runs.id) AS seconds,
        (SELECT max(validation_accuracy) FROM epochs WHERE run = runs.id) AS best_accuracy
    FROM runs
    LEFT JOIN epochs AS last ON last.run = runs.id AND last.epoch = (SELECT max(epoch) FROM epochs WHERE run = runs.id)"""
"""The query for all fields of a `RunRecord`."""


@contextlib.contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turns what goes wrong while damaged rows are read into a sentence.

    Raises:
        StoreError: it does.
    """
    try:
        yield
    except (GpcoreError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise StoreError(f"{subject} can't be read ({reason}): restore the store from a copy, or delete the run.") from error


LEARNED = 0.1
"""A run whose accuracy lies nearer to chance than this part of the way up has not learned."""


@dataclass(frozen=True)
class Epoch:
    """An epoch's figures, measured with the weights after it.

    Accuracies are fractions on the recipe's output, the `logit` ones on the logits; `confusion[actual][answered]` counts
    the validation images; `seconds` is the time of the epoch with its evaluation.
    """

    epoch: int
    training_loss: float
    training_accuracy: float
    training_logit_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_logit_accuracy: float
    learning_rate: float
    seconds: float
    confusion: list[list[int]]

    @property
    def chance(self) -> float:
        """The accuracy of always answering the commonest class of the validation images."""
        actual = [sum(row) for row in self.confusion]
        return max(actual) / max(sum(actual), 1)

    @property
    def learned(self) -> bool:
        """Whether the accuracy is more than a tenth of the way from chance to all right."""
        return self.validation_accuracy > self.chance + LEARNED * (1 - self.chance)

    @classmethod
    def from_row(cls, row: sqlite3.Row | Mapping[str, Any]) -> Self:
        """From a row of the table `epochs`."""
        values: dict[str, Any] = {spec.name: spec.type(row[spec.name]) for spec in fields(cls) if spec.name != "confusion"}  # type: ignore[operator]
        return cls(**values, confusion=_square(json.loads(row["confusion"])))


@dataclass(frozen=True)
class RunRecord:
    """One run in the store.

    `epochs_done` counts whole epochs and `seconds` is their time; `created` and `finished` are Unix times; `pair` is shared
    by runs that were queued to be compared; `progress` is the worker's last report (`gpcore.runs.worker.progress_of`).
    """

    id: str
    title: str
    recipe: Recipe
    status: Status
    error: str | None
    pair: str | None
    created: float
    finished: float | None
    position: float
    device: str | None
    heartbeat: float | None
    stop_requested: bool
    progress: dict[str, Any]
    epochs_done: int
    seconds: float
    best_accuracy: float | None
    last: Epoch | None

    @property
    def done(self) -> float:
        """The finished part, in [0, 1]; limited, since a stopped run's last report may be from before it was extended."""
        if self.status == "running" and "step" in self.progress:
            return min(self.progress["step"] / max(self.progress["steps"], 1), 1.0)
        return self.epochs_done / self.recipe.epochs

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """From a row of the query `RUNS`; StoreError if it is damaged, or of a recipe that this version does not know."""
        with explained(f"The run {str(row['id'])[:100]!r}"):
            return cls._of(dict(row))

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        if not (isinstance(values["id"], str) and RUN_ID.fullmatch(values["id"])):
            raise ValueError("an id has small letters, digits and hyphens only")
        if values["status"] not in get_args(Status) or not isinstance(values["title"], str):
            raise ValueError(f"its status is {values['status']!r}")
        last = None if values["epoch"] is None else Epoch.from_row(values | {"seconds": values["last_seconds"]})
        made: dict[str, Any] = {
            "recipe": _recipe(values["recipe"]),
            "created": float(values["created"]),
            "position": float(values["position"]),
            "stop_requested": bool(values["stop_requested"]),
            "progress": dict(json.loads(values["progress"] or "{}")),
            "epochs_done": values["epochs_done"] or 0,
            "seconds": values["seconds"] or 0.0,
            "last": last,
        }
        plain = {spec.name: values[spec.name] for spec in fields(cls) if spec.name not in made}
        return cls(**plain | made)


def readable(rows: Iterable[sqlite3.Row]) -> tuple[list[RunRecord], list[str]]:
    """Returns the runs of a query's rows, and a sentence for each row that can't be read."""
    records, damaged = [], []
    for row in rows:
        try:
            records.append(RunRecord.from_row(row))
        except StoreError as error:
            damaged.append(str(error))
    return records, damaged


def _square(confusion: Any) -> list[list[int]]:
    if not all(len(row) == len(confusion) and all(type(count) is int for count in row) for row in confusion):
        raise ValueError("its confusion matrix is not one of whole numbers")
    return confusion


@functools.lru_cache(maxsize=4096)
def _recipe(text: str) -> Recipe:
    """A page reads a thousand runs at once, and checking a recipe takes longer than reading it."""
    return Recipe.from_json(json.loads(text))


@dataclass(frozen=True)
class LossCurve:
    """A reduced loss curve: `steps` (counted from 0) and the mean, lowest and highest loss from each to the next."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
