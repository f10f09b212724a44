"""Training states as tensors: stored beside a run's weights, or sent to another machine."""

import contextlib
import json
from pathlib import Path

import torch
from torch import Tensor

from gpcore.data.datasets import Dataset
from gpcore.errors import CheckpointError
from gpcore.nets import checkpoints
from gpcore.recipe import Recipe
from gpcore.runs.claims import Claim
from gpcore.runs.records import RunRecord
from gpcore.runs.store import Store
from gpcore.training.state import TrainingState

KEPT_STATES = 3
"""Training states kept per run: if the last is damaged, the one before it is used."""

Packed = tuple[dict[str, Tensor], dict[str, str]]
"""A state as named tensors and metadata: `weights.NAME`, `adam.NUMBER.NAME`; step, epoch and seconds."""


def pack(state: TrainingState) -> Packed:
    """Returns a state as tensors. They are the network's own: copy or write them before the next step."""
    tensors = {f"weights.{name}": tensor for name, tensor in state.network.state_dict().items()}
    for number, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in moments.items()}
    return tensors, {"step": str(state.step), "epoch": str(state.epoch), "seconds": repr(state.seconds)}


def unpack(packed: Packed, state: TrainingState, source: Path) -> None:
    """Restores a packed state into a state of the same recipe.

    Raises:
        CheckpointError: the tensors from `source` belong to another network.
    """
    tensors, metadata = packed
    weights = {name.removeprefix("weights."): tensor for name, tensor in tensors.items() if name.startswith("weights.")}
    checkpoints.load_weights(state.network, weights, source)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = tensor
    state.load_moments(moments)
    state.step, state.epoch, state.seconds = int(metadata["step"]), int(metadata["epoch"]), float(metadata["seconds"])


def save_state(store: Store, claim: Claim, recipe: Recipe, state: TrainingState) -> None:
    """Writes the training state, and deletes all but the last few."""
    path = store.run_folder(claim.run) / f"state-{state.step:09d}.safetensors"
    tensors, metadata = pack(state)
    with checkpoints.staged(path, tensors, metadata | {"recipe": json.dumps(recipe.to_json())}) as staged:
        store.publish(claim, staged, path)
    for old in sorted(path.parent.glob("state-*.safetensors"))[:-KEPT_STATES]:
        old.unlink(missing_ok=True)


def restore(store: Store, record: RunRecord, dataset: Dataset, device: torch.device) -> TrainingState:
    """Returns the newest complete state that agrees with the store, or a fresh one.

    A state is skipped if its last epoch's figures or weights, or the losses of its steps, are missing (a power cut may lose
    them): those epochs are trained again, with the same result.
    """
    steps = store.steps_done(record.id)
    for path in sorted(store.run_folder(record.id).glob("state-*.safetensors"), reverse=True):
        with contextlib.suppress(CheckpointError):
            state = TrainingState.fresh(record.recipe, dataset, device)
            unpack(checkpoints.read_tensors(path), state, path)
            if state.epoch <= record.epochs_done and state.step <= steps:
                if state.epoch:
                    checkpoints.read_tensors(store.weights(record.id, state.epoch))
                return state
    return TrainingState.fresh(record.recipe, dataset, device)
