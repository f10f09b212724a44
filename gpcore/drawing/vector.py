"""Sheets as SVG: sharp at any size, in a notebook or a file, with no server and no script; a file may be a PNG instead."""

import base64
import io
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import PIL.Image

from gpcore.drawing.painter import BACKGROUND, INK, draw_sheets
from gpcore.drawing.sheets import Disc, Matrix, Outline, Sheet, Text, colours, is_dark
from gpcore.errors import GpcoreError, InsightError

ANCHORS = {"above": "auto", "below": "hanging", "middle": "central"}

BOLD = ' font-weight="bold"'

LETTER = 0.56
"""The width of a letter as a part of its height, about: decides where a text is made smaller to fit."""


def sheet_svg(sheet: Sheet) -> str:
    """A sheet as a drawing of its own: dark on white, whatever page it lies on."""
    unit = sheet.pixels / sheet.height
    width = sheet.width * unit
    parts = [
        *(_image(one.source, x, y, one.width, one.height, unit) for one in sheet.photographs for x, y in one.places),
        *(part for matrix in sheet.matrices for part in _matrix(matrix, unit)),
        *(_box(bar, unit, f'fill="{bar.colour}"') for bar in sheet.bars),
        *(_disc(disc, unit) for disc in sheet.discs),
        *(_outline(outline, unit) for outline in sheet.outlines),
        *(_text(text, unit) for text in sheet.texts),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{sheet.pixels}" viewBox="0 0 {width:.2f} '
        f'{sheet.pixels}" font-family="sans-serif" style="max-width: 100%; height: auto">'
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>{"".join(parts)}</svg>'
    )


def save_sheet(sheet: Sheet, path: Path, heading: str = "") -> None:
    """Write a sheet as `.png` or `.svg`.

    Raises:
        InsightError: the file's name ends in neither.
        GpcoreError: the file can't be written.
    """
    try:
        match path.suffix.lower():
            case ".png":
                draw_sheets([sheet], [heading], [INK]).save(path)
            case ".svg":
                path.write_text(sheet_svg(sheet), encoding="utf-8")
            case _:
                raise InsightError(f"The file is {path}: end its name in .png or in .svg.")
    except OSError as error:
        raise GpcoreError(f"Could not write {path}: {error.strerror or error}.") from error


def _matrix(matrix: Matrix, unit: float) -> list[str]:
    """A matrix as a picture with a pixel per cell, cut to its clip, and the numbers written in it."""
    shown = colours(matrix)
    file = io.BytesIO()
    PIL.Image.fromarray(shown).save(file, "PNG")
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    whole = _image(source, matrix.x, matrix.y, matrix.width, matrix.height, unit, f'opacity="{matrix.opacity:g}"')
    if matrix.clip:
        x, y, width, height = (side * unit for side in matrix.clip)
        window = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
        whole = f'<svg {window} viewBox="{x:.2f} {y:.2f} {width:.2f} {height:.2f}">{whole}</svg>'
    parts = [whole]
    rows, columns = matrix.values.shape
    for row, column in np.ndindex(rows, columns) if matrix.written else ():
        assert matrix.written
        across, down = matrix.width / columns, matrix.height / rows
        x, y = matrix.x + (column + 0.5) * across, matrix.y + (row + 0.5) * down
        ink = "white" if is_dark(shown[row, column]) else "black"
        parts.append(_text(Text(matrix.written[row][column], x, y, 11, "middle", room=0.9 * across, colour=ink), unit))
    return parts


def _image(source: str, x: float, y: float, width: float, height: float, unit: float, more: str = "") -> str:
    place = f'x="{x * unit:.2f}" y="{y * unit:.2f}" width="{width * unit:.2f}" height="{height * unit:.2f}"'
    return f'<image href="{source}" {place} preserveAspectRatio="none" style="image-rendering: pixelated" {more}/>'


def _box(box: object, unit: float, more: str) -> str:
    x, y, width, height = (getattr(box, name) * unit for name in ("x", "y", "width", "height"))
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" {more}/>'


def _disc(disc: Disc, unit: float) -> str:
    place = f'cx="{disc.x * unit:.2f}" cy="{disc.y * unit:.2f}" r="{disc.radius * unit:.2f}"'
    return f'<circle {place} fill="white" stroke="black"/>'


def _outline(outline: Outline, unit: float) -> str:
    dashes = 'stroke-dasharray="2 3"' if outline.dotted else ""
    return _box(outline, unit, f'fill="none" stroke="{outline.colour}" stroke-width="{outline.thickness:g}" {dashes}')


def _text(text: Text, unit: float) -> str:
    lines = text.text.split("\n")
    size = min(text.size, text.room * unit / (LETTER * max(1, *map(len, lines))))
    look = f'font-size="{size:.2f}" fill="{text.colour or INK}" text-anchor="middle"{BOLD * text.bold}'
    raised = {"above": len(lines) - 1, "middle": (len(lines) - 1) / 2, "below": 0}[text.anchor]
    return "".join(
        f'<text x="{text.x * unit:.2f}" y="{text.y * unit + (place - raised) * 1.2 * size:.2f}" {look} '
        f'dominant-baseline="{ANCHORS[text.anchor]}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
