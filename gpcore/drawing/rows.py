"""Rows of dots over one scale, as SVG: it needs no library, and fills the width of the page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from gpcore.drawing.theme import GRID, NEUTRAL

ROW_HEIGHT = 44
TOP, BOTTOM, RIGHT = 8, 46, 22

LETTER = 7.6
"""Pixels of a row's name for each of its letters, about."""

TICKS = 6
"""Most numbers along the scale: a narrow page has room for these."""

ROOM = 0.04
"""Space left of the lowest and right of the highest value, as a part of the distance between them."""


def plain(value: float, digits: int) -> str:
    """Returns a number with so many decimals, as on a scale: `1,200`."""
    return f"{value:,.{digits}f}"


@dataclass(frozen=True)
class Mark:
    """One value, and the text that appears under the pointer."""

    value: float
    note: str


@dataclass(frozen=True)
class DotRow:
    """A name and its dots; a diamond for their mean, with an interval around it."""

    name: str
    colour: str
    dots: Sequence[Mark]
    mean: Mark | None = None
    interval: tuple[float, float] | None = None

    @property
    def values(self) -> list[float]:
        """All values that the scale must include."""
        return [dot.value for dot in (*self.dots, *([self.mean] if self.mean else []))] + list(self.interval or ())


@dataclass(frozen=True)
class Rows:
    """Rows over one scale; `line` is a reference value, `start` a value that the scale always includes."""

    rows: Sequence[DotRow]
    scale: str
    write: Callable[[float, int], str] = plain
    line: float | None = None
    start: float | None = None

    @property
    def height(self) -> int:
        """Pixels."""
        return TOP + ROW_HEIGHT * len(self.rows) + BOTTOM

    def svg(self) -> str:
        """The drawing, in the colour of the text around it."""
        low, high = self._ends()
        left = 14.0 + LETTER * max((len(row.name) for row in self.rows), default=0)
        bottom = TOP + ROW_HEIGHT * len(self.rows)

        def across(value: float) -> str:
            return f"{100 * (value - low) / (high - low):.3f}%"

        step, digits = steps(low, high)
        ticks = [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        inside = [
            *(_line(across(tick), across(tick), TOP, bottom, GRID, 1) for tick in ticks),
            *([_line(across(self.line), across(self.line), TOP, bottom, NEUTRAL, 1.5)] if self.line is not None else []),
            *(_text(across(tick), bottom + 18, self.write(tick, digits), "middle") for tick in ticks),
            _text("50%", bottom + 38, self.scale, "middle"),
        ]
        for number, row in enumerate(self.rows):
            middle = TOP + ROW_HEIGHT * (number + 0.5)
            inside += [_text("-10", middle + 4.5, row.name, "end"), *_row(row, middle, across)]
        label = f"{self.scale}: " + "; ".join(f"{row.name} {row.mean.note}" for row in self.rows if row.mean)
        # The names are in the margin: inside an SVG a length can't be "100 % minus some pixels".
        style = f"display: block; overflow: visible; margin-left: {left:g}px; width: calc(100% - {left + RIGHT:g}px)"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(label)} height="{self.height}" '
            f'style="{style}" fill="currentColor" font-size="13">{"".join(inside)}</svg>'
        )

    _repr_html_ = svg

    def _ends(self) -> tuple[float, float]:
        """Returns the ends of the scale: they enclose all values, the line and the start, with some room."""
        fixed = [value for value in (self.line, self.start) if value is not None]
        values = [value for row in self.rows for value in row.values] + fixed or [0.0]
        low, high = min(values), max(values)
        room = (high - low) * ROOM or abs(high) * ROOM or 1.0
        return low - room, high + room


def steps(low: float, high: float) -> tuple[float, int]:
    """Returns the distance between ticks, 1, 2 or 5 times a power of ten, and how many decimals it needs."""
    least = (high - low) / TICKS
    power = math.floor(math.log10(least))
    step = next(factor for factor in (1, 2, 5, 10) if factor * 10.0**power >= least * (1 - 1e-9))
    power, step = (power + 1, 1) if step == 10 else (power, step)
    return step * 10.0**power, max(0, -power)


def _row(row: DotRow, y: float, across: Callable[[float], str]) -> list[str]:
    drawn = []
    if row.interval:
        low, high = map(across, row.interval)
        drawn.append(_line(low, high, y, y, row.colour, 2.5))
        drawn += [_line(end, end, y - 5, y + 5, row.colour, 2.5) for end in (low, high)]
    drawn += [
        f'<circle cx="{across(dot.value)}" cy="{y:g}" r="4.5" fill="{row.colour}" opacity="0.45">{_title(dot.note)}</circle>'
        for dot in row.dots
    ]
    if row.mean:
        diamond = f'<path d="M0 -7 7 0 0 7 -7 0Z" fill="{row.colour}">{_title(row.mean.note)}</path>'
        drawn.append(f'<svg x="{across(row.mean.value)}" y="{y:g}" overflow="visible">{diamond}</svg>')
    return drawn


def _line(x1: str, x2: str, y1: float, y2: float, colour: str, width: float) -> str:
    return f'<line x1="{x1}" x2="{x2}" y1="{y1:g}" y2="{y2:g}" stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: str, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _title(label: str) -> str:
    return f"<title>{escape(label)}</title>"
