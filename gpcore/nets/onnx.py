"""A network as an ONNX file, for programs without PyTorch."""

import contextlib
import importlib.util
import io
import warnings
from pathlib import Path

import torch

from gpcore.atomic_files import replacing
from gpcore.errors import GpcoreError
from gpcore.nets.network import Network


def write_onnx(network: Network, image_shape: tuple[int, int, int], path: Path) -> None:
    """Write `scores = network(images)` for any number of images of shape (channels, height, width), values in [0, 1].

    Raises:
        GpcoreError: the package onnxscript is not installed.
        OSError: the file can't be written.
    """
    if not importlib.util.find_spec("onnxscript"):
        raise GpcoreError("Writing ONNX needs the package onnxscript: `pip install 'poolscope[onnx]'`.")
    example = torch.zeros(2, *image_shape)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter prints messages
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.network,
            (example,),
            input_names=["images"],
            output_names=["scores"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
    assert program is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
