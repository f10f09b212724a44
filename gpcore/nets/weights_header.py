"""The header of a weights file, read without its tensors and without PyTorch."""

import math
from pathlib import Path

import safetensors

from gpcore.errors import CheckpointError


def read_metadata(path: Path) -> dict[str, str]:
    """Returns the metadata of a safetensors file; raises CheckpointError as `read_tensors` does."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is missing, damaged or not a safetensors file ({error}).") from error


def count_values(path: Path) -> int:
    """Returns how many numbers a safetensors file holds; raises CheckpointError as `read_tensors` does."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118  # no mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is missing, damaged or not a safetensors file ({error}).") from error
