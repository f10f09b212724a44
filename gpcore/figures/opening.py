"""The first page's drawings, prepared in advance: both networks' map of the winning class, and its pooled score.

    python -m gpcore.figures.opening ui/first/opening.json

writes it from the shipped runs, so that the page does not wait for PyTorch.
"""

import json
import sys
from pathlib import Path

from gpcore.data.datasets import scaled, test_split_only
from gpcore.drawing.colour_scales import ends
from gpcore.drawing.panels import signed
from gpcore.drawing.sheets import Matrix, Outline, Sheet, Text
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.insight.analysis import Analysis
from gpcore.recipe import Pool
from gpcore.runs.run import open_run

RUNS: dict[Pool, str] = {"gap": "checkpoints/article-gap-seed0", "gmp": "checkpoints/article-gmp-seed0"}

IMAGE = 2
"""A trouser, which both networks recognise."""

SCORE: dict[Pool, str] = {"gap": "its mean", "gmp": "its maximum"}

HEIGHT, APART, TITLE, EDGE = 200, 1.35, 0.2, 0.08


def opening(data: Path = Path("data")) -> list[dict[str, object]]:
    """Returns a drawing for each network, with its text for screen readers."""
    dataset = test_split_only("fashion-mnist", data)
    image = scaled(dataset.test.images[IMAGE : IMAGE + 1])
    found = []
    for pool, run in RUNS.items():
        opened = open_run(run)
        look = Analysis(opened.network(), opened.recipe.output, image)
        name, score = dataset.classes[look.answer], signed(look.scores[look.answer].item())
        label = f"Image {IMAGE}, {pool.upper()}'s map of {name}, and {SCORE[pool]}: {score}"
        found.append(drawing(look, pool, name).data() | {"name": f"{pool}-{name}", "label": label})
    return found


def drawing(look: Analysis, pool: Pool, name: str) -> Sheet:
    """Draws the image, the class map with the cells that count framed, and the score in its colour on the map's scale."""
    cells = look.evidence.maps[look.answer]
    low, high = ends(cells)
    score = look.scores[look.answer]
    places = [(EDGE + APART * place, TITLE) for place in range(3)]
    written = [[signed(value) for value in row] for row in cells.tolist()]
    counted = (0.0, 0.0, 1.0, 1.0)
    if pool == "gmp":
        row, column = look.evidence.strongest_cell(look.answer)
        rows, columns = cells.shape
        counted = column / columns, row / rows, 1 / columns, 1 / rows
    left, top, width, height = counted
    frame = Outline(places[1][0] + left, TITLE + top, width, height, POOL_COLOURS[pool], 4)
    (photo_x, _), (map_x, _), (score_x, _) = places
    return Sheet(
        2 * APART + 1 + 2 * EDGE,
        TITLE + 1 + EDGE,
        HEIGHT,
        matrices=[
            Matrix(look.image[0, 0], 0, 1, "photograph", photo_x, TITLE, "image"),
            Matrix(cells, low, high, "brightness", map_x, TITLE, name, written),
            Matrix(score[None, None], low, high, "brightness", score_x, TITLE, "score", [[signed(score.item())]]),
        ],
        outlines=[frame, Outline(score_x, TITLE, 1, 1, POOL_COLOURS[pool], 4)],
        texts=[
            Text(f"test image {IMAGE}", photo_x + 0.5, TITLE - 0.04, 13),
            Text(f"its map of “{name}”", map_x + 0.5, TITLE - 0.04, 13, room=1.3),
            Text(SCORE[pool], score_x + 0.5, TITLE - 0.04, 13, room=1.3),
            Text("→", map_x - (APART - 1) / 2, TITLE + 0.5, 20, "middle"),
            Text("→", score_x - (APART - 1) / 2, TITLE + 0.5, 20, "middle"),
        ],
        shrinks=True,
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(opening(), separators=(",", ":")) + "\n", "utf-8")
