"""The steps from a photograph to its 28×28 picture as one strip of pictures."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image

from gpcore.data.decoding import shown_name
from gpcore.data.preparation import Prepared, Step
from gpcore.errors import ImageError
from gpcore.insight.answers import Classified

SIDE = 168
"""Pixels along each edge of a step: six times 28, so that the network's picture has whole pixels."""

GAP = 8


def tile(step: Step) -> np.ndarray:
    """Returns a step as a square, uint8 (SIDE, SIDE, 3): scaled to fit, on black; small pictures keep square pixels."""
    picture = PIL.Image.fromarray(step.picture).convert("RGB")
    scale = SIDE / max(picture.size)
    method = PIL.Image.Resampling.NEAREST if scale > 3 else PIL.Image.Resampling.LANCZOS
    width, height = (max(1, round(side * scale)) for side in picture.size)
    square = PIL.Image.new("RGB", (SIDE, SIDE))
    square.paste(picture.resize((width, height), method), ((SIDE - width) // 2, (SIDE - height) // 2))
    return np.asarray(square)


def strip(prepared: Prepared) -> np.ndarray:
    """All steps side by side, uint8 (SIDE, width, 3), on white."""
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    parts = [part for step in prepared.steps for part in (gap, tile(step))]
    return np.concatenate(parts[1:], axis=1)


def write_strips(found: Iterable[Classified], folder: Path) -> Iterator[Classified]:
    """Passes the files on and writes the strip of every answered one to `folder/NAME-steps.png`.

    Raises:
        ImageError: the folder can't be written.
    """
    taken: set[str] = set()
    for item in found:
        if item.prepared:
            name = _free(Path(shown_name(item.path.name)).stem, taken)
            _write(strip(item.prepared), folder / f"{name}-steps.png")
        yield item


def _free(name: str, taken: set[str]) -> str:
    """Returns the name, with a number appended where two files share it."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    taken.add(free)
    return free


def _write(picture: np.ndarray, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(picture).save(path)
    except OSError as error:
        raise ImageError(f"Could not write {path}: {error.strerror}. Choose another folder with --steps.") from error
