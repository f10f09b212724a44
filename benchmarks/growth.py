"""How time grows: against training images, epochs, runs in the store, batches logged and photographs.

    PYTHONPATH=.:tests python benchmarks/growth.py [images | epochs | runs | batches | photographs …] [--charts docs/growth]

Prints a table for each and, with --charts, draws it as SVG with a line for time proportional to the work. `runs` have 60 epochs
each, and a page is measured by a visitor without a browser (`visitor.py`): the fastest of three runs after the first, until the
server has sent all of it. `photographs` are the shipped examples, uploaded repeatedly. Pages are measured in clock time,
everything else in processor time.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import browser
import conftest
import numpy as np
import plotly.graph_objects as go
import tiny
from visitor import Visitor

from gpcore.data.datasets import Dataset, load_dataset
from gpcore.recipe import MODERN, Recipe
from gpcore.runs.store import Store
from gpcore.training.fit import fit
from gpcore.training.state import TrainingState, find_device

Point = tuple[str, int, float]
"""What is measured, how much of it there is, and the seconds that it took."""


@dataclass(frozen=True)
class Growth:
    """A quantity that grows, and its measurement."""

    title: str
    measure: Callable[[], Iterator[Point]]


def images() -> Iterator[Point]:
    """An epoch of the `modern` recipe with its evaluation on all test images."""
    dataset = load_dataset("fashion-mnist", conftest.ROOT / "data")
    _train(MODERN.but(epochs=1, train_images=100), dataset)  # loaded only once
    for count in (1_000, 3_000, 10_000, 30_000, 60_000):
        yield "an epoch", count, timed(_train, MODERN.but(epochs=1, train_images=count), dataset)


def _train(recipe: Recipe, dataset: Dataset) -> None:
    for _ in fit(recipe, dataset, TrainingState.fresh(recipe, dataset, find_device())):
        pass


def epochs() -> Iterator[Point]:
    """Runs on 180 images, their weights and figures written to a store."""
    dataset = load_dataset("fashion-mnist", conftest.ROOT / "data")
    with tempfile.TemporaryDirectory() as folder:
        pictures = tiny.make_folder(dataset, Path(folder) / "three")
        for count in (3, 10, 30, 100, 300):
            store = Store(Path(folder) / f"runs-{count}")
            yield "a run", count, timed(tiny.train, store, tiny.recipe(pictures, count))


def runs() -> Iterator[Point]:
    """Times every page, and the store itself, with more and more runs."""
    for count in (10, 100, 1_000, 10_000):
        with browser.dashboard() as (store, address):
            fill(store, count)
            yield "reading all of them", count, timed(store.runs)
            yield "adding one", count, timed(lambda: store.delete(store.add(MODERN.but(seed=987_654))))
            yield from ((name, count, seconds) for name, seconds in asyncio.run(_page_runs(address)))


async def _page_runs(address: str) -> list[tuple[str, float]]:
    seconds = []
    for page in ("compare", "train", "inside", "classify", "learn"):
        async with Visitor(address) as visitor:
            path = "" if page == "compare" else page
            await visitor.open(path)
            seconds.append((page.capitalize(), min([await visitor.open(path) for _ in range(3)])))
    return seconds


def fill(store: Store, count: int) -> None:
    """Finished runs of 60 epochs each that differ in the seed, with the weights of the last one."""
    claim = store.start(MODERN.but(epochs=60, seed=0))
    store.release(claim, "finished")
    weights = store.folder / "weights"
    shutil.copy(next((conftest.ROOT / "checkpoints" / "modern-gap-seed0").glob("epoch-*.safetensors")), weights)
    confusion = json.dumps([[100] * 10] * 10)
    with closing(sqlite3.connect(store.folder / "runs.db")) as connection, connection:
        for seed in range(1, count):
            recipe = json.dumps(MODERN.but(epochs=60, seed=seed, pool=("gap", "gmp")[seed % 2]).to_json())
            connection.execute(
                """INSERT INTO runs (id, title, recipe, status, created, finished, position) SELECT :name, :name, :recipe,
                status, created + :seed, finished, position + :seed FROM runs WHERE id = :first""",
                {"name": f"run-{seed}", "recipe": recipe, "seed": seed, "first": claim.run},
            )
        names = [name for (name,) in connection.execute("SELECT id FROM runs")]
        for name in names:
            rows = [(name, epoch, 1, epoch / 70, 0.5, 1, epoch / 80, 0.5, 3e-4, 2, confusion) for epoch in range(1, 61)]
            connection.executemany("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            store.run_folder(name).mkdir(exist_ok=True)
            os.link(weights, store.weights(name, 60))


def batches() -> Iterator[Point]:
    """Times a run with more and more batches: writing the next 256, and reading the curve for the Train page."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs")
        claim, written = store.start(MODERN.but(epochs=10_000)), 0
        for count in (10_000, 100_000, 1_000_000, 10_000_000):
            while written < count:
                part = min(count - written, 1_000_000)
                store.append_losses(claim, written, np.exp(-np.arange(part) / part).tolist(), {"step": written + part})
                written += part
            yield "reading its curve", count, min(timed(store.loss_curve, claim.run, "training", 400) for _ in range(3))
            last = (claim, count - 256, [0.5] * 256, {"step": count})
            yield "writing the next 256", count, min(timed(store.append_losses, *last) for _ in range(5))
        store.release(claim, "finished")


def photographs() -> Iterator[Point]:
    """Times another upload and a change of the model on *Classify*, with more and more photographs."""
    with browser.dashboard() as (_, address):
        yield from asyncio.run(_bring(address))


async def _bring(address: str) -> list[Point]:
    points: list[Point] = []
    examples = len(list((conftest.ROOT / "examples").glob("*.jpg")))
    async with Visitor(address) as visitor:
        await visitor.open("classify")
        for times in range(1, 1 + 192 // examples):
            seconds = await visitor.change("all examples", trigger_value=True)
            if times in (1, 2, 4, 8, 16, 32):
                points.append(("bringing one", times * examples, seconds / examples))
                seconds = min([await visitor.open("classify") for _ in range(3)])
                points.append(("the page again", times * examples, seconds))
    return points


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Returns the processor seconds of some work in this process, which other programs do not affect."""
    started = time.process_time()
    work(*arguments)
    return time.process_time() - started


GROWTHS = {
    "images": Growth("training images", images),
    "epochs": Growth("epochs", epochs),
    "runs": Growth("runs in the store", runs),
    "batches": Growth("batches logged", batches),
    "photographs": Growth("photographs on Classify", photographs),
}


def show(title: str, points: list[Point]) -> None:
    """Prints a table in Markdown; its last column is the power of the work by which the time grew over the last step."""
    counts = sorted({count for _, count, _ in points})
    print(f"\n| seconds against {title} | " + " | ".join(f"{count:,}" for count in counts) + " | power |")
    print("|---" * (len(counts) + 2) + "|")
    for name, line in lines_of(points).items():
        (low, before), (high, after) = line[-2:]
        power = np.log(after / before) / np.log(high / low)
        print(f"| {name} | " + " | ".join(f"{seconds:.3g}" for _, seconds in line) + f" | {power:.1f} |", flush=True)


def lines_of(points: list[Point]) -> dict[str, list[tuple[int, float]]]:
    """Count and seconds of everything that was measured, by its name."""
    names = dict.fromkeys(name for name, _, _ in points)
    return {name: [(count, seconds) for own, count, seconds in points if own == name] for name in names}


def figure(title: str, points: list[Point]) -> go.Figure:
    """Draws both axes logarithmic, so that linear growth is parallel to the dotted line."""
    drawn = go.Figure()
    for name, line in lines_of(points).items():
        drawn.add_scatter(x=[count for count, _ in line], y=[seconds for _, seconds in line], name=name, mode="lines+markers")
    first, last = min(count for _, count, _ in points), max(count for _, count, _ in points)
    top = max(seconds for _, _, seconds in points)
    dotted = {"dash": "dot", "color": "gray"}
    drawn.add_scatter(x=[first, last], y=[top * first / last, top], name="as fast as the work", mode="lines", line=dotted)
    axis = {"type": "log", "dtick": 1, "exponentformat": "none", "separatethousands": True}
    return drawn.update_layout(
        template="plotly_white", width=720, height=420, xaxis=axis | {"title": title}, yaxis={"type": "log", "title": "seconds"}
    )


def main() -> None:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*GROWTHS, []], default=[])
    parser.add_argument("--charts", type=Path)
    options = parser.parse_args()
    for name in options.what or GROWTHS:
        points = list(GROWTHS[name].measure())
        show(GROWTHS[name].title, points)
        if options.charts:
            browser.save_chart(figure(GROWTHS[name].title, points), options.charts / f"{name}.svg")


if __name__ == "__main__":
    main()
