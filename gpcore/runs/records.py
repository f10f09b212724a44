"""What a store knows of a run, as plain frozen values."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from gpcore.recipe import Recipe
from gpcore.training.fit import EpochDone

Status = Literal["queued", "running", "finished", "stopped", "failed"]
Phase = Literal["training", "validation"]


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
    def of(cls, event: EpochDone) -> Self:
        """The figures of an event."""
        training, validation = event.training, event.validation
        return cls(
            epoch=event.epoch,
            training_loss=training.loss,
            training_accuracy=training.accuracy,
            training_logit_accuracy=training.logit_accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            validation_logit_accuracy=validation.logit_accuracy,
            learning_rate=event.learning_rate,
            seconds=event.seconds,
            confusion=validation.confusion.tolist(),
        )

    @classmethod
    def from_row(cls, row: sqlite3.Row | Mapping[str, Any]) -> Self:
        """From a row of the table `epochs`."""
        values = {spec.name: row[spec.name] for spec in fields(cls)}
        return cls(**values | {"confusion": json.loads(values["confusion"])})


@dataclass(frozen=True)
class RunRecord:
    """One run as the store knows it.

    `epochs_done` counts whole epochs and `seconds` is their time; `created` and `finished` are Unix times; `pair` is shared
    by runs that were queued to be compared; `progress` is what the worker last said: the step, the images per second, what
    it is doing.
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

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """From a row of the query `RUNS`."""
        values = dict(row)
        last = None if values["epoch"] is None else Epoch.from_row(values | {"seconds": values["last_seconds"]})
        made: dict[str, Any] = {
            "recipe": Recipe.from_json(json.loads(values["recipe"])),
            "stop_requested": bool(values["stop_requested"]),
            "progress": json.loads(values["progress"] or "{}"),
            "epochs_done": values["epochs_done"] or 0,
            "seconds": values["seconds"] or 0.0,
            "last": last,
        }
        plain = {spec.name: values[spec.name] for spec in fields(cls) if spec.name not in made}
        return cls(**plain | made)


@dataclass(frozen=True)
class Claim:
    """The right to train a run, as long as no one else took it."""

    run: str
    token: str


@dataclass(frozen=True)
class LossCurve:
    """Batch losses, thinned out: `steps` (counted from 0) and the mean, lowest and highest loss of the steps up to the next."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
