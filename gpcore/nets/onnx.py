"""A network as an ONNX file, for programs without PyTorch."""

import contextlib
import importlib.util
import io
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from gpcore.atomic_files import replacing
from gpcore.errors import GpcoreError
from gpcore.nets.network import Network
from gpcore.recipe import Recipe, needs_size


def described(recipe: Recipe, classes: tuple[str, ...], image_shape: tuple[int, int, int]) -> dict[str, str]:
    """Returns what another program needs to use a network: its classes, trunk and pooling, and how an image is prepared.

    Images have values in [0, 1]; a mean of 0 and a deviation of 1 say that nothing is subtracted or divided.
    """
    channels, height, width = image_shape
    means, deviations = ",".join("0" * channels), ",".join("1" * channels)
    return {
        "classes": "\n".join(classes),
        "trunk": recipe.trunk,
        "pool": recipe.pool,
        "dataset": recipe.dataset.rsplit("/", 1)[-1],
        "colour": "grey" if channels == 1 else "RGB",
        "height": str(height),
        "width": str(width),
        "any_size": str(not needs_size(recipe.pool) and not recipe.frozen).lower(),
        "scale": "0 to 1",
        "mean": means,
        "deviation": deviations,
        "output": "logits",
    }


def write_onnx(
    network: Network,
    image_shape: tuple[int, int, int],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    any_size: bool = False,
) -> None:
    """Writes `scores = network(images)` for any number of images of shape (channels, height, width), values in [0, 1].

    Args:
        network: what is written.
        image_shape: the size of the images, or an example of one.
        path: the file.
        metadata: what the file says of itself (`described`).
        any_size: whether the images may have any height and width of 8 and more.

    Raises:
        GpcoreError: the package onnxscript is not installed.
        OSError: the file can't be written.
    """
    if not importlib.util.find_spec("onnxscript"):
        raise GpcoreError("Writing ONNX needs the package onnxscript: `pip install 'poolscope[onnx]'`.")
    channels, height, width = image_shape
    example = torch.zeros(2, channels, *((max(32, height), max(40, width)) if any_size else (height, width)))
    sizes = {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)} if any_size else {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter prints messages
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.network,
            (example,),
            input_names=["images"],
            output_names=["scores"],
            dynamic_shapes=({0: torch.export.Dim("n"), **sizes},),
        )
    assert program is not None
    program.model.metadata_props.update(metadata or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)


def write_run(
    network: Network, recipe: Recipe, classes: tuple[str, ...], image_shape: tuple[int, int, int], path: Path
) -> None:
    """Writes a run's network with its description, for images of any size where its head and trunk take them."""
    metadata = described(recipe, classes, image_shape)
    write_onnx(network, image_shape, path, metadata, metadata["any_size"] == "true")


def onnx_bytes(network: Network, recipe: Recipe, classes: tuple[str, ...], image_shape: tuple[int, int, int]) -> bytes:
    """Returns what `write_run` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_run(network, recipe, classes, image_shape, path)
        return path.read_bytes()
