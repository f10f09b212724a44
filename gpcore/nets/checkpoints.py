"""Tensors on disk, whole or not at all: safetensors files with the recipe in their metadata. Nothing is ever unpickled."""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from gpcore.errors import CheckpointError

CHECKSUM = "sha256"
"""The metadata key for the checksum of a file's tensors; the format itself has none."""


@contextlib.contextmanager
def staged(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> Iterator[Path]:
    """Writes a complete, synced temporary file beside `path`, for `publish` to rename; it is deleted when the context ends."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    # Copies: in memory weights are channels-last and may share storage; on disk they have the usual layout.
    layout = torch.contiguous_format
    plain = {name: each.detach().to("cpu", copy=True, memory_format=layout) for name, each in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(safetensors.torch.save(plain, metadata | {CHECKSUM: checksum(plain)}))
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except OSError as error:
        raise CheckpointError(
            f"Could not write {path}: {error.strerror or error}. Free some space or choose another folder, then resume."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors of a safetensors file and its metadata.

    Raises:
        CheckpointError: the file is missing, cut short, damaged (its checksum differs) or of another kind.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(f"There are no weights at {path}.") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error}): restore it from a copy, or train that run again."
        ) from error
    if metadata.get(CHECKSUM) not in (None, checksum(tensors)):  # other programs write no checksum
        raise CheckpointError(f"{path} is damaged (wrong checksum): restore it from a copy, or train that run again.")
    return tensors, metadata


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_weights(module: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Loads tensors into a module whose names and shapes they match exactly.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or of another shape: the file belongs to another network.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        name = wrong[0]
        raise CheckpointError(
            f"{source} belongs to another network: {name} is {found.get(name, 'missing')} there, "
            f"{expected.get(name, 'not a part')} here."
        )
    module.load_state_dict(tensors)


def check_numbers(tensors: dict[str, Tensor], source: Path) -> None:
    """Raises CheckpointError for weights that no training keeps: of another type, not a number, infinite."""
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            kind = "not finite" if tensor.is_floating_point() else f"of type {str(tensor.dtype).removeprefix('torch.')}"
            raise CheckpointError(f"{source} is damaged: {name} is {kind}, and weights are finite float32 numbers.")
