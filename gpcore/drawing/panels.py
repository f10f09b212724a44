"""Matrices beside each other with signs between them, as one sheet: `value × weight = share` for every cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from gpcore.drawing.colour_scales import ends
from gpcore.drawing.sheets import Matrix, Outline, Scale, Sheet, Text

ROOM = 0.32
"""Between two panels, as a part of a panel's width."""

EDGE = 0.15
"""At both sides: titles may be wider than their panels."""

CAPTION = 0.2
"""Above and below a panel, for its title and its sum."""

PITCH = 1 + 2.5 * CAPTION
"""From one row to the next."""

Kind = Literal["value", "weight", "share", "photograph"]


@dataclass(frozen=True)
class Panel:
    """One matrix, with a title above and a line below; `largest` is the share that has the fullest colour."""

    values: Float[Tensor, "rows columns"]
    kind: Kind
    title: str
    below: str = ""
    largest: float | None = None


@dataclass(frozen=True)
class PanelRow:
    """Panels, one unit wide and high, and the signs between them: one character each."""

    panels: Sequence[Panel]
    signs: str = ""


def panels_sheet(rows: Sequence[PanelRow], height: int, over: Sequence[Matrix] = (), outlines: Sequence[Outline] = ()) -> Sheet:
    """All rows as one sheet `height` pixels high, with `over` and `outlines` drawn upon them."""
    places = [(row, column, panel) for row, each in enumerate(rows) for column, panel in enumerate(each.panels)]
    return Sheet(
        max(len(row.panels) for row in rows) * (1 + ROOM) - ROOM + 2 * EDGE,
        (len(rows) - 1) * PITCH + 1 + 2 * CAPTION,
        height,
        matrices=[*(_matrix(panel, *corner(row, column)) for row, column, panel in places), *over],
        outlines=list(outlines),
        texts=[text for number, row in enumerate(rows) for text in _texts(number, row)],
    )


def corner(row: int, column: int) -> tuple[float, float]:
    """Left and top edge of the panel at a place."""
    return EDGE + column * (1 + ROOM), row * PITCH + CAPTION


def signed(value: float) -> str:
    """A number with its sign and as many digits as a reader can use: `+2.81`, `−38.7`, `+310`."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:+.{digits}f}".replace("-", "−")


def _matrix(panel: Panel, x: float, y: float) -> Matrix:
    """A panel with its numbers in the cells, where they can be read."""
    low, high, scale = _colouring(panel)
    written = None
    if max(panel.values.shape) <= 4 and panel.kind != "photograph":
        written = [[_written(value, panel.kind) for value in line] for line in panel.values.tolist()]
    return Matrix(panel.values, low, high, scale, x, y, panel.title, written)


def _written(value: float, kind: Kind) -> str:
    if kind == "weight":
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if value == 0 else signed(value)


def _colouring(panel: Panel) -> tuple[float, float, Scale]:
    """The ends of the colour scale, and which scale it is."""
    match panel.kind:
        case "weight":
            return 0, 1, "weight"
        case "photograph":
            return 0, 1, "photograph"
        case "share":
            largest = panel.largest or max(panel.values.abs().max().item(), 1e-12)
            return -largest, largest, "for and against"
        case "value":
            return *ends(panel.values), "brightness"


def _texts(number: int, row: PanelRow) -> list[Text]:
    """Titles, sums and signs of a row."""
    texts = []
    for column, panel in enumerate(row.panels):
        left, top = corner(number, column)
        texts.append(Text(panel.title, left + 0.5, top - 0.02, 11, room=1 + ROOM * 0.9))
        if panel.below:
            texts.append(Text(panel.below, left + 0.5, top + 1.03, 12, "below", bold=True, room=1 + ROOM * 0.9))
    for place, sign in enumerate(row.signs, start=1):
        left, top = corner(number, place)
        texts.append(Text(sign, left - ROOM / 2, top + 0.5, 20, "middle", room=ROOM))
    return texts
