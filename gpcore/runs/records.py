"""What a store knows of a run, as plain frozen values."""

import functools
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from gpcore.recipe import Recipe

Status = Literal["queued", "running", "finished", "stopped", "failed"]
Phase = Literal["training", "validation"]

RUNS = """
    SELECT runs.*, last.epoch AS epochs_done, last.epoch, last.training_loss,
        last.training_accuracy, last.training_logit_accuracy, last.validation_loss, last.validation_accuracy,
        last.validation_logit_accuracy, last.learning_rate, last.seconds AS last_seconds, last.confusion,
        (SELECT sum(seconds) FROM epochs WHERE run = runs.id) AS seconds,
        (SELECT max(validation_accuracy) FROM epochs WHERE run = runs.id) AS best_accuracy
    FROM runs
    LEFT JOIN epochs AS last ON last.run = runs.id AND last.epoch = (SELECT max(epoch) FROM epochs WHERE run = runs.id)"""
"""All that a `RunRecord` holds."""


@dataclass(frozen=True)
class Epoch:
    """What was measured after an epoch, with the weights of that moment.

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

    @classmethod
    def from_row(cls, row: sqlite3.Row | Mapping[str, Any]) -> Self:
        """From a row of the table `epochs`."""
        values = {spec.name: row[spec.name] for spec in fields(cls)}
        return cls(**values | {"confusion": json.loads(values["confusion"])})


@dataclass(frozen=True)
class RunRecord:
    """One run as the store knows it.

    `epochs_done` counts whole epochs and `seconds` is their time; `created` and `finished` are Unix times; `pair` is shared
    by runs that were queued to be compared; `progress` is what the worker last said (`gpcore.runs.worker.progress_of`).
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
        """How much of it is done, in [0, 1]; what was said before it was stopped may be of a shorter run than it is now."""
        if self.status == "running" and "step" in self.progress:
            return min(self.progress["step"] / max(self.progress["steps"], 1), 1.0)
        return self.epochs_done / self.recipe.epochs

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """From a row of the query `RUNS`."""
        values = dict(row)
        last = None if values["epoch"] is None else Epoch.from_row(values | {"seconds": values["last_seconds"]})
        made: dict[str, Any] = {
            "recipe": _recipe(values["recipe"]),
            "stop_requested": bool(values["stop_requested"]),
            "progress": json.loads(values["progress"] or "{}"),
            "epochs_done": values["epochs_done"] or 0,
            "seconds": values["seconds"] or 0.0,
            "last": last,
        }
        plain = {spec.name: values[spec.name] for spec in fields(cls) if spec.name not in made}
        return cls(**plain | made)


@functools.lru_cache(maxsize=4096)
def _recipe(text: str) -> Recipe:
    """A page reads a thousand runs at once, and checking a recipe takes longer than reading it."""
    return Recipe.from_json(json.loads(text))


@dataclass(frozen=True)
class LossCurve:
    """Batch losses, thinned out: `steps` (counted from 0) and the mean, lowest and highest loss of the steps up to the next."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
