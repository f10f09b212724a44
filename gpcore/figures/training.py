"""Runs while they are trained: loss per batch, and what is measured after every epoch, all runs on the same axes.

These charts are Vega-Lite's, not Plotly's: Streamlit hands them new data without building them anew, so that nothing flickers
and zoom and hover survive, while it replaces a Plotly chart whenever its data change. For that, a chart's specification says
nothing that changes while runs go on; all of that is in its data.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gpcore.figures.theme import NEUTRAL, POOL_COLOURS, SEVERAL_DASHES
from gpcore.recipe import Pool
from gpcore.runs.records import Epoch, LossCurve

HEIGHT = 320

STROKES = {"solid": [1, 0], "dash": [6, 4], "dot": [2, 3], "dashdot": [8, 3, 2, 3]}
"""The strokes of the theme, in Vega's terms."""

ZOOM: dict[str, Any] = {
    "name": "zoom",
    "bind": "scales",
    # The wheel alone goes on scrolling the page; a pinch on a touchpad arrives as Ctrl and wheel.
    "select": {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.ctrlKey || event.metaKey]"},
}

POINTER: dict[str, Any] = {
    "name": "pointer",
    # Never cleared: new data would do that, since they replace what lies under the pointer.
    "select": {"type": "point", "fields": ["x"], "nearest": True, "on": "pointermove", "clear": False},
}

LINE_HEIGHT = 15

WHOLE_NUMBERS: dict[str, Any] = {"tickMinStep": 1, "format": ",d", "titlePadding": 6}

SHORT_NAME = 18
"""Names of so many letters stand beside each other above a chart on a phone."""


@dataclass(frozen=True)
class Trace:
    """A run to draw: its title, its pooling, which gives the colour, its batch losses and its epochs."""

    name: str
    pool: Pool
    losses: LossCurve
    epochs: Sequence[Epoch]


@dataclass(frozen=True)
class Chart:
    """The columns of a table, and how Vega-Lite draws them: `x`, `run` (`run0`, `run1`, …) and what is measured."""

    data: dict[str, list[Any]]
    specification: dict[str, Any]


def batch_losses(traces: Sequence[Trace]) -> Chart:
    """The training loss of every batch; where batches are drawn together, their mean, and a band from lowest to highest."""
    curves = [trace.losses for trace in traces]
    data = _table((zip(curve.steps, curve.mean, curve.low, curve.high, strict=True) for curve in curves), "mean", "low", "high")
    data["x"] = [step + 1 for step in data["x"]]
    title = "training loss"
    band = {"mark": {"type": "area", "opacity": 0.18}, "encoding": {"y": _quantity("low", title), "y2": {"field": "high"}}}
    line = {"mark": {"type": "line", "strokeWidth": 1.5}, "encoding": {"y": _quantity("mean", title)}}
    return Chart(data, _specification(traces, "batch", [band, line], _readout(traces, "batch", "mean", ".4f", top=8)))


def accuracies(traces: Sequence[Trace]) -> Chart:
    """Validation accuracy (strong) and training accuracy (thin) after every epoch."""
    rows = ([(epoch.epoch, epoch.validation_accuracy, epoch.training_accuracy) for epoch in trace.epochs] for trace in traces)
    y, thin_y = (_quantity(field, "accuracy", "%") for field in ("validation", "training"))
    strong = {"mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 20}}, "encoding": {"y": y}}
    thin = {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.6}, "encoding": {"y": thin_y}}
    data = _table(rows, "validation", "training")
    # Accuracies rise, losses fall: the room for the readout is below, there above.
    readout = _readout(traces, "epoch", "validation", ".2%", top=HEIGHT - 150 - LINE_HEIGHT * len(traces))
    return Chart(data, _specification(traces, "epoch", [thin, strong], readout))


def per_epoch(traces: Sequence[Trace], field: Literal["learning_rate", "seconds"]) -> Chart:
    """The learning rate at the end of every epoch, or the seconds that it took."""
    data = _table(([(epoch.epoch, getattr(epoch, field)) for epoch in trace.epochs] for trace in traces), field)
    y = _quantity(field, field.replace("_", " "))
    line = {"mark": {"type": "line", "strokeWidth": 2, "point": {"size": 20}}, "encoding": {"y": y}}
    return Chart(data, _specification(traces, "epoch", [line], _readout(traces, "epoch", field, ".3~g", top=8)))


def _table(runs: Iterable[Iterable[tuple[Any, ...]]], *names: str) -> dict[str, list[Any]]:
    """The rows of all runs, each `x` and then what the names say, as columns."""
    rows = [(f"run{number}", *row) for number, run in enumerate(runs) for row in run]
    return {name: [row[column] for row in rows] for column, name in enumerate(("run", "x", *names))}


def _quantity(field: str, title: str, form: str = "") -> dict[str, Any]:
    # As much room for every label: else the whole chart moves when the first longer one comes.
    axis = {"format": form, "minExtent": 34, "titlePadding": 6}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, "scale": {"zero": False}}


def _specification(
    traces: Sequence[Trace], x: str, layers: list[dict[str, Any]], readout: list[dict[str, Any]]
) -> dict[str, Any]:
    """Layers over a common x, with a legend above, and what a rule under the pointer reads."""
    runs = [f"run{number}" for number in range(len(traces))]
    names = json.dumps({run: trace.name for run, trace in zip(runs, traces, strict=True)})
    legend = {"orient": "top", "title": None, "labelExpr": f"{names}[datum.label]", "labelLimit": 250}
    legend |= {"symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 3, "columnPadding": 8}
    legend["columns"] = 2 if all(len(trace.name) <= SHORT_NAME for trace in traces) else 1
    styles = {
        "color": {"field": "run", "type": "nominal", "scale": {"domain": runs, "range": _colours(traces)}, "legend": legend},
        "strokeDash": {
            "field": "run",
            "type": "nominal",
            "scale": {"domain": runs, "range": _strokes(traces)},
            "legend": legend,
        },
    }
    for layer in layers:
        layer["encoding"] |= styles if layer["mark"]["type"] == "line" else {"color": styles["color"]}
    layers[-1]["params"] = [ZOOM]
    return {
        "height": HEIGHT,
        "encoding": {"x": {"field": "x", "type": "quantitative", "title": x, "axis": WHOLE_NUMBERS}},
        "layer": [*layers, *readout],
    }


def _readout(traces: Sequence[Trace], x: str, told: str, form: str, top: int) -> list[dict[str, Any]]:
    """A rule at the pointer's x, and beside the curves, from `top` pixels on, what every run's curve is there."""
    pivot = {"pivot": "run", "value": told, "groupby": ["x"], "op": "max"}
    targets = {"mark": {"type": "rule", "opacity": 0, "tooltip": None}, "params": [POINTER]}
    # The last point up to the pointer's: its own may have been joined with its neighbours since.
    read: list[dict[str, Any]] = [
        {"filter": "isDefined(pointer.x) && datum.x <= pointer.x[0]"},
        {"aggregate": [{"op": "argmax", "field": "x", "as": "read"}], "groupby": []},
    ]
    rule = {
        "transform": read,
        "mark": {"type": "rule", "color": NEUTRAL, "tooltip": None},
        "encoding": {"x": {"field": "read.x", "type": "quantitative", "title": x}},
    }
    rows = [(f"'{x} ' + format(datum.read.x, ',')", NEUTRAL)]
    for number, colour in enumerate(_colours(traces)):  # the slower of two runs has no value there yet
        value = f"datum.read.run{number}"
        rows.append((f"isValid({value}) ? format({value}, '{form}') : '–'", colour))
    texts = [
        {
            "transform": [*read, {"calculate": words, "as": "words"}],
            "mark": {"type": "text", "align": "right", "baseline": "top", "dx": -6, "fontSize": 13, "color": colour},
            "encoding": {"x": {"value": "width"}, "y": {"value": top + LINE_HEIGHT * row}, "text": {"field": "words"}},
        }
        for row, (words, colour) in enumerate(rows)
    ]
    return [{"transform": [pivot], "layer": [targets, rule, *texts]}]


def _colours(traces: Sequence[Trace]) -> list[str]:
    return [POOL_COLOURS.get(trace.pool, NEUTRAL) for trace in traces]


def _strokes(traces: Sequence[Trace]) -> list[list[int]]:
    """A stroke for every run: solid for the first of its pooling, others for those after it."""
    earlier = [[other.pool for other in traces[:number]].count(trace.pool) for number, trace in enumerate(traces)]
    return [STROKES[SEVERAL_DASHES[count % len(SEVERAL_DASHES)]] for count in earlier]
