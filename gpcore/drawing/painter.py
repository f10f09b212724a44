"""Sheets as a picture, drawn without a browser."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from gpcore.drawing.sheets import Bar, Disc, Matrix, Outline, Photograph, Sheet, Text, colours, is_dark

BACKGROUND, INK = "white", "#1a1c20"

WIDTH = 760
"""Width of one sheet in pixels; several are drawn side by side."""

MARGIN, HEADING = 24, 46

LARGER = 1.5
"""Texts and lines of a picture over those on a page."""

ANCHORS = {"above": "md", "below": "ma", "middle": "mm"}


def draw_sheets(sheets: Sequence[Sheet], headings: Sequence[str], inks: Sequence[str]) -> PIL.Image.Image:
    """Sheets side by side, each under a heading in an ink of its own: what the *Inside* page shows."""
    heights = [round(WIDTH / sheet.width * sheet.height) for sheet in sheets]
    picture = PIL.Image.new("RGB", (len(sheets) * (WIDTH + MARGIN) + MARGIN, max(heights) + HEADING + 2 * MARGIN), BACKGROUND)
    for place, (sheet, heading, ink) in enumerate(zip(sheets, headings, inks, strict=True)):
        left = MARGIN + place * (WIDTH + MARGIN)
        painter = _Painter(picture, left, MARGIN + HEADING, WIDTH / sheet.width)
        painter.pen.text((left, MARGIN), heading, ink, PIL.ImageFont.load_default(22))
        painter.draw(sheet)
    return picture


class _Painter:
    """Draws a sheet into a picture, its upper left corner at (left, top), `unit` pixels to the unit."""

    def __init__(self, picture: PIL.Image.Image, left: float, top: float, unit: float):
        self.picture, self.left, self.top, self.unit = picture, left, top, unit
        self.pen = PIL.ImageDraw.Draw(picture)

    def draw(self, sheet: Sheet) -> None:
        for photograph in sheet.photographs:
            self._photograph(photograph)
        for matrix in sheet.matrices:
            self._matrix(matrix)
        for bar in sheet.bars:
            self._bar(bar)
        for disc in sheet.discs:
            self._disc(disc)
        for outline in sheet.outlines:
            self._outline(outline)
        for text in sheet.texts:
            self._text(text)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(self.left + self.unit * x), round(self.top + self.unit * y)

    def _box(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of a rectangle."""
        return *self._at(x, y), *self._at(x + width, y + height)

    def _photograph(self, photograph: Photograph) -> None:
        encoded = photograph.source.partition(",")[2]
        with PIL.Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
            decoded = picture.convert("RGB")
        for place in photograph.places:
            left, top, right, bottom = self._box(*place, photograph.width, photograph.height)
            self.picture.paste(decoded.resize((right - left, bottom - top)), (left, top))

    def _matrix(self, matrix: Matrix) -> None:
        shown = colours(matrix)
        whole = self._box(matrix.x, matrix.y, matrix.width, matrix.height)
        seen = _common(whole, self._box(*matrix.clip)) if matrix.clip else whole
        left, top, right, bottom = whole
        tile = PIL.Image.fromarray(shown).resize((right - left, bottom - top), PIL.Image.Resampling.NEAREST)
        tile = tile.crop((seen[0] - left, seen[1] - top, seen[2] - left, seen[3] - top))
        opacity = tile.getchannel("A").point(lambda value: round(value * matrix.opacity))
        self.picture.paste(tile.convert("RGB"), seen, opacity)
        rows, columns = matrix.values.shape
        for row, column in np.ndindex(rows, columns) if matrix.written else ():
            assert matrix.written
            ink = "white" if is_dark(shown[row, column]) else "black"
            across, down = matrix.width / columns, matrix.height / rows
            x, y = matrix.x + (column + 0.5) * across, matrix.y + (row + 0.5) * down
            self._text(Text(matrix.written[row][column], x, y, 11, "middle", room=0.9 * across, colour=ink))

    def _bar(self, bar: Bar) -> None:
        left, top, right, bottom = self._box(bar.x, bar.y, bar.width, bar.height)
        filled = PIL.Image.new("RGBA", (right - left, bottom - top), bar.colour)
        self.picture.paste(filled, (left, top), filled)

    def _disc(self, disc: Disc) -> None:
        if disc.radius * self.unit > 0.5:
            self.pen.circle(self._at(disc.x, disc.y), disc.radius * self.unit, fill="white", outline="black")

    def _outline(self, outline: Outline) -> None:
        edges = self._box(outline.x, outline.y, outline.width, outline.height)
        self.pen.rectangle(edges, outline=outline.colour, width=round(LARGER * outline.thickness))

    def _text(self, text: Text) -> None:
        shown = text.text.replace("−", "-").replace("×", "x")  # Pillow's own font has neither sign
        font = PIL.ImageFont.load_default(LARGER * text.size)
        width = self.pen.multiline_textbbox((0, 0), shown, font)[2]
        if width > text.room * self.unit:
            font = PIL.ImageFont.load_default(max(8.0, LARGER * text.size * text.room * self.unit / width))
        stroke = 0.4 if text.bold else 0
        place, ink = self._at(text.x, text.y), text.colour or INK
        self.pen.multiline_text(
            place, shown, ink, font, ANCHORS[text.anchor], spacing=2, align="center", stroke_width=stroke, stroke_fill=ink
        )


def _common(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what two rectangles share."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
