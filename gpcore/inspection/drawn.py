"""What `inspect` found, and the cells of a score, as sheets."""

import textwrap
from collections.abc import Sequence

import numpy as np

from gpcore.drawing.panels import signed
from gpcore.drawing.sheets import Bar, Matrix, Outline, Photograph, Sheet, Text
from gpcore.figures.answer_sheets import data_url
from gpcore.insight.evidence import Evidence
from gpcore.inspection.found import Found

SHOWN = 3
"""Scores that are drawn, the highest first."""

UNIT = 190
"""Pixels of a picture's side."""

GAP, HEADING, FOOT = 0.12, 0.16, 0.42

LINE = 92
"""Letters in a line of a sentence."""

OPACITY = 0.7

GREY = "#808792"


def evidence_sheet(found: Evidence, names: Sequence[str], picture: np.ndarray, how: str) -> Sheet:
    """The image, then over it the cells of the highest scores, in one scale: green speaks for a score, purple against it."""
    order = found.scores.argsort(descending=True)[:SHOWN].tolist()
    largest = max(found.shares[order].abs().max().item(), 1e-12)
    height = picture.shape[0] / picture.shape[1]
    lefts = [place * (1 + GAP) for place in range(len(order) + 1)]
    texts = [Text("image", 0.5, HEADING - 0.03, 13)]
    for left, row in zip(lefts[1:], order, strict=True):
        cells, rest = found.shares[row].sum().item(), found.remainders[row].item()
        texts.append(Text(f"{names[row]}: {signed(found.scores[row].item())}", left + 0.5, HEADING - 0.03, 13, bold=True))
        texts.append(Text(f"cells {signed(cells)}, rest {signed(rest)}", left + 0.5, HEADING + height + 0.03, 12, "below"))
    width = lefts[-1] + 1
    about = f"{how}; rest: {found.remainder_name or 'nothing'}"
    texts.append(Text(about, width / 2, HEADING + height + 0.2, 11, "below", room=width))
    return Sheet(
        width,
        HEADING + height + FOOT,
        round(UNIT * (HEADING + height + FOOT)),
        photographs=[Photograph(data_url(picture), 1, height, [(left, HEADING) for left in lefts])],
        matrices=[
            Matrix(found.shares[row], -largest, largest, "over a photograph", left, HEADING, opacity=OPACITY, height=height)
            for left, row in zip(lefts[1:], order, strict=True)
        ],
        texts=texts,
        shrinks=True,
    )


def found_sheet(name: str, image: tuple[int, int, int], found: Found) -> Sheet:
    """The way from the image to the scores: the last maps with their cells, what pools them, and what follows."""
    channels, rows, columns = found.shape
    steps = [
        (name, f"image {'×'.join(map(str, image))}"),
        ("last maps", f"{channels} × {rows}×{columns}"),
        (found.title, found.place),
        ("not linear" if found.between else "linear", ", ".join(found.between) or found.classifier),
        ("scores", f"{found.classes} classes"),
    ]
    sentence = textwrap.wrap(found.sentence, LINE)
    width, height = len(steps) * (1 + GAP) - GAP, 1.1 + 0.15 * len(sentence)
    texts = [
        Text("\n".join(textwrap.wrap(below, 24)[:3]), place * (1 + GAP) + 0.5, 0.62, 11, "below")
        for place, (_, below) in enumerate(steps)
    ]
    texts += [Text(title, place * (1 + GAP) + 0.5, 0.12, 13, bold=True) for place, (title, _) in enumerate(steps)]
    texts += [Text(line, width / 2, 1.05 + 0.15 * place, 12, "below", room=width) for place, line in enumerate(sentence)]
    sizes = (0.42, 0.42, 0.14, 0.14, 0.14)
    bars = [_bar(place, size, size if place < 2 else 0.42) for place, size in enumerate(sizes) if place != 1]
    return Sheet(width, height, round(150 * height), [], outlines=_cells(rows, columns), bars=bars, texts=texts, shrinks=True)


def _cells(rows: int, columns: int) -> list[Outline]:
    """The grid of the last maps."""
    side = 0.42 / max(rows, columns)
    left, top = 1.5 + GAP - side * columns / 2, 0.38 - side * rows / 2
    places = [(row, column) for row in range(rows) for column in range(columns)]
    return [Outline(left + side * column, top + side * row, side, side, GREY, 1) for row, column in places]


def _bar(place: int, width: float, height: float) -> Bar:
    return Bar(place * (1 + GAP) + 0.5 - width / 2, 0.38 - height / 2, width, height, GREY)
