"""The sections of *Lab*: networks under disturbance, an item moved over a canvas, and the crossover."""

from collections.abc import Sequence

import streamlit as st
import torch

from gpcore.data.canvas import ITEM, SIDE, canvases
from gpcore.data.datasets import Dataset, scaled
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.errors import InsightError
from gpcore.figures import lab_charts as figures
from gpcore.figures.inside_curves import PlotLine
from gpcore.insight import positions, robustness
from gpcore.insight.robustness import DISTURBANCES
from gpcore.recipe import ARTICLE, needs_size
from gpcore.runs.run import Run
from gpcore.verdicts.crossover import Series, series
from gpcore.verdicts.standings import results, verdict_tables
from ui import links, shared_networks
from ui.components import show_sheet
from ui.inside.computed import Snapshot
from ui.inside.view_state import pick_runs
from ui.widgets import csv_button, figure_shown
from ui.wording import plain

SHOWN = 2
"""The test image that stands for all: the article's trouser."""

SMALLEST, MOST_PIECES = 10, 32
"""What the position map offers: the narrowest item, in pixels, and the most pieces of clutter."""


def show_robustness(found: dict[str, Run]) -> None:
    """Shows the accuracy of two networks on all test images as one disturbance grows; results are cached."""
    runs = pick_runs(found)
    dataset = shared_networks.dataset(runs[0].recipe)
    name = st.segmented_control(
        "Disturb the test images by",
        list(DISTURBANCES),
        default="rotation",
        format_func=lambda key: DISTURBANCES[key].title,
        key="disturbance",
        bind="query-params",
        required=True,
    )
    chosen = DISTURBANCES[name]
    titles = [f"{each:g}" for each in chosen.severities]
    strip = figures.image_strip(robustness.example(scaled(dataset.test.images[SHOWN : SHOWN + 1]), name), titles)
    show_sheet(strip, "disturbed", f"disturbed-by-{name}", f"Test image {SHOWN} at {chosen.title} {', '.join(titles)}")
    lines = [PlotLine(run.record.title, POOL_COLOURS[run.recipe.pool], list(chosen.severities), []) for run in runs]
    lines = _measured(lines, runs, dataset, name)
    title = f"{chosen.title} ({chosen.unit})"
    figure_shown(figures.against_severity(lines, title, 1 / len(dataset.classes)), "robustness", f"robustness-{name}")
    st.caption(
        f"All {len(dataset.test):,} test images of {dataset.name}; every image is disturbed in its own direction or at its own "
        "place, the same for both networks."
    )
    rows = [
        {"network": line.name, chosen.title: x, "accuracy": y} for line in lines for x, y in zip(line.x, line.y, strict=True)
    ]
    csv_button("These curves", lambda: rows, f"robustness-{name}.csv", "robustness-csv")


def _measured(lines: Sequence[PlotLine], runs: Sequence[Run], dataset: Dataset, name: str) -> list[PlotLine]:
    """Returns the lines with their accuracies; shows progress while they are measured."""
    severities = DISTURBANCES[name].severities
    bar = st.progress(0.0, "Disturbing all test images …")
    values: list[list[float]] = [[] for _ in lines]
    for number, severity in enumerate(severities):
        for run, own in zip(runs, values, strict=True):
            snapshot = Snapshot(run, run.record.epochs_done)
            own.append(_accuracy(snapshot, dataset, name, severity, snapshot.key, dataset.name))
        bar.progress((number + 1) / len(severities), f"Measured {number + 1} of {len(severities)} severities")
    bar.empty()
    return [PlotLine(line.name, line.colour, line.x, own) for line, own in zip(lines, values, strict=True)]


@st.cache_data(max_entries=2000, show_spinner=False)
def _accuracy(
    _snapshot: Snapshot, _dataset: Dataset, disturbance: str, severity: float, key: tuple[str, int], name: str
) -> float:
    network = shared_networks.network(_snapshot.run, _snapshot.epoch)
    return robustness.accuracy(network, _dataset.test, _snapshot.run.recipe.output, disturbance, severity)


def show_positions(found: dict[str, Run]) -> None:
    """One item at every place of a canvas: where is it still recognised?"""
    runs = pick_runs(found)
    dataset = shared_networks.dataset(ARTICLE)
    for run in runs:
        _check_takes_canvases(run, dataset)
    last = len(dataset.test) - 1
    links.number_within("item", 0, last, "test image")
    links.number_within("side", SMALLEST, SIDE, "an item's width")
    links.number_within("pieces", 0, MOST_PIECES, "pieces of clutter")
    left, middle, right = st.columns(3)
    index = left.number_input("Test image", 0, last, 2, key="item", bind="query-params")
    side = middle.slider("Width of the item (pixels)", SMALLEST, SIDE, ITEM, key="side", bind="query-params")
    pieces = right.slider("Pieces of clutter", 0, MOST_PIECES, 0, key="pieces", bind="query-params")
    label = int(dataset.test.labels[index])
    maps = [positions.slide(shared_networks.network(run), dataset.test.images, index, label, side, pieces) for run in runs]
    for place, (run, position_map, column) in enumerate(zip(runs, maps, st.columns(2, gap="large"), strict=True)):
        with column:
            title = f"{run.record.title}: right at {position_map.share_right:.0%} of {position_map.lead.numel()} places"
            show_sheet(figures.position_sheet(position_map, title), f"positions-{place}", f"{run.record.title}-positions")
    st.caption(
        f"Each cell is a place of the {dataset.classes[label]} on a canvas of {SIDE}×{SIDE} pixels, {positions.STEP} pixels "
        "from the next. Green: its class has the largest score; purple: another one has; the number is its lead. Global "
        "poolings take images of any size, so networks trained on 28×28 pixels work too."
    )


def _check_takes_canvases(run: Run, dataset: Dataset) -> None:
    channels, *size = run.image_shape
    if channels != 1 or len(run.classes) != len(dataset.classes):
        raise InsightError(f"{run.id} knows other classes than FashionMNIST's items: choose runs on fashion-mnist.")
    if needs_size(run.recipe.pool) and size != [SIDE, SIDE]:
        raise InsightError(
            f"{run.id} ends in linear layers, which take images of {size[0]}×{size[1]} pixels, and a canvas has {SIDE}×{SIDE}: "
            "choose a run with a pooling, or one on canvas."
        )


def _show_canvases(one: Series, key: str) -> None:
    """One item on a canvas of every size, or with every number of pieces."""
    items = shared_networks.dataset(ARTICLE).test.images[SHOWN : SHOWN + 1]
    places = [(value, one.fixed) if one.along == "area" else (one.fixed, value) for value in one.tables]
    drawn = [canvases(items, percent, int(pieces), seed=0) for percent, pieces in places]
    titles = [f"{value:g}" for value in one.tables]
    show_sheet(figures.image_strip(scaled(torch.cat(drawn)), titles), key, key, f"Canvases, {one.along}: {', '.join(titles)}")


def show_crossover(found: dict[str, Run]) -> None:
    """How accuracy depends on the item's size and on clutter, over the runs that were trained on canvases."""
    found_series = series(verdict_tables(results(found.values())))
    if not found_series:
        st.info(
            "No run has been trained on a canvas yet. This trains them, on all cores: `.venv/bin/python -m gpcore study "
            "--pools gap,gmp --seeds 0-2 --datasets canvas:2,canvas:5,canvas:10,canvas:25,canvas:50,canvas:100`.",
            icon=":material/science:",
        )
        return
    for number, one in enumerate(found_series):
        st.markdown(f"**{plain(one.title)}**")
        _show_canvases(one, f"canvases-{number}")
        figure_shown(figures.crossover(one), f"crossover {number}", f"crossover-{one.along}")
        st.markdown(one.sentence)
        csv_button("These points", one.rows, f"crossover-{one.along}.csv", f"crossover-csv {number}")
    st.caption(
        "An item of FashionMNIST on a canvas of 64×64 pixels, at a random place, among pieces cut from other items. Mean over "
        "seeds with its 95 % interval; the differences are taken seed by seed."
    )
