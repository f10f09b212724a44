"""A layer of one or several networks as a file: a picture, or the numbers themselves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpcore.atomic_files import replacing
from gpcore.drawing.painter import draw_sheets
from gpcore.errors import GpcoreError, InsightError
from gpcore.figures.map_grids import MapGrid, grid_sheet
from gpcore.insight.analysis import Analysis


def save_maps(
    path: Path, looks: Sequence[Analysis], layer: int, grids: Sequence[MapGrid], headings: Sequence[str], actual: int
) -> None:
    """Write a picture (`.png`) of the grids side by side, or the numbers (`.npz`).

    The `.npz` holds `maps` (channels, height, width) float32, `actual` and `predicted`; for every network after the first,
    `maps_2`, `predicted_2`, and so on.

    Raises:
        InsightError: the file's name ends in neither.
        GpcoreError: the file can't be written.
    """
    try:
        match path.suffix.lower():
            case ".png":
                sheets, colours = [grid_sheet(grid) for grid in grids], [grid.colour for grid in grids]
                with replacing(path) as temporary:
                    draw_sheets(sheets, headings, colours).save(temporary)
            case ".npz":
                with replacing(path) as temporary:
                    np.savez_compressed(temporary, actual=actual, **_arrays(looks, layer))  # type: ignore[arg-type]  # NumPy types one keyword as bool
            case _:
                raise InsightError(f"--out is {path}: end the name in .png for a picture or in .npz for the numbers.")
    except OSError as error:
        raise GpcoreError(f"Could not write {path}: {error.strerror or error}.") from error


def _arrays(looks: Sequence[Analysis], layer: int) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for number, look in enumerate(looks, start=1):
        ending = "" if number == 1 else f"_{number}"
        arrays[f"maps{ending}"] = look.maps(layer).numpy()
        arrays[f"predicted{ending}"] = np.array(look.answer)
    return arrays
