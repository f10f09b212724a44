"""Charts: curves over batches or epochs as columns of numbers, drawn by `charts.js`.

A chart is redrawn several times a second while a run is watched, and at every change on *Compare*. uPlot takes a few
milliseconds where Plotly takes a hundred, and a browser loads 50 kB for it instead of 4.7 MB.
"""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gpcore.drawing import browser

DIGITS = 5
"""Significant digits that are sent: more than a screen shows, and half as many as JSON would write."""


@dataclass(frozen=True)
class Line:
    """A curve; `low` and `high` bound a band around it, `minor` ones are drawn thin and not named.

    If `notes` has a text for each point, the points are drawn as open circles without a curve.
    """

    name: str
    colour: str
    dash: Sequence[int]
    x: Sequence[int]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    minor: bool = False
    notes: Sequence[str] | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over a common x; `form` is the format of their values, `promise` a text to show while there are no curves."""

    name: str
    x: Literal["batch", "epoch"]
    y: str
    form: Literal["loss", "percent", "plain"]
    lines: list[Line]
    promise: str = ""

    def to_json(self) -> dict[str, Any]:
        """The chart as plain values; `dataclasses.asdict` would copy every number."""
        return vars(self) | {"lines": [vars(line) for line in self.lines]}

    def _repr_html_(self) -> str:
        """The chart in a frame of its own, for a notebook: a browser needs nothing else to draw it."""
        data = json.dumps(self.to_json()).replace("<", "\\u003c")  # no name in it can end the script
        page = f"<style>body {{ font-family: sans-serif }} {stylesheet()}</style><div class='charts'></div><script>{script()}"
        page += f"showChart(document.querySelector('.charts'), {data})</script>"
        return f'<iframe srcdoc="{html.escape(page)}" style="width: 100%; height: 420px; border: 0"></iframe>'


def shortened(values: Iterable[float]) -> list[float]:
    """Returns values rounded to the digits that are sent."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def script() -> str:
    """Returns the script that draws charts in a browser: uPlot, and `showChart(place, chart)`."""
    return browser.script("vendor/uplot.js", "save.js", "charts.js")


def stylesheet() -> str:
    """Returns the style of charts."""
    return browser.script("vendor/uplot.css", "charts.css")
