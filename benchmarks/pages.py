"""How fast every page responds: 100 changes of its widgets in a real browser, from the key press or click to the pixels.

    PYTHONPATH=.:tests python benchmarks/pages.py [compare | train | inside | classify | lab | learn …] [--changes 100] [--json]

The dashboard shows the shipped runs, and *Train* two finished runs of 2,000 batches. The clock runs inside the page
(`clock.js`): it stops in the frame that shows the last effect of the change in the regions with the page's result. Cached
results, such as the class maps of all test images, have been computed before. The browser draws in software on this machine's
own cores.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import browser
import numpy as np
import watching
from playwright.sync_api import Locator, Page, WebSocket

Action = Callable[[], object]


@dataclass(frozen=True)
class Change:
    """A change: `prepare` gets a widget ready for a single key press or click, `act`; `regions` show its effect."""

    act: Action
    regions: tuple[str, ...]
    prepare: Action = lambda: None


def compare(page: Page) -> dict[str, Iterator[Change]]:
    """Adds and removes runs; opens another experiment."""
    box, regions = page.locator(".st-key-runs input"), (".st-key-curves",)
    add = Change(lambda: box.press("Enter"), regions, lambda: (box.click(), box.fill("modern-gap")))
    remove = Change(lambda: box.press("Backspace"), regions, box.focus)
    settings = page.locator(".st-key-setting input")
    return {
        "add or remove a run": itertools.cycle([add, remove]),
        "setting": _through_options(settings, (".st-key-standings", ".st-key-differences")),
    }


def train(page: Page) -> dict[str, Iterator[Change]]:
    """Chooses another run; starts the form from another recipe."""
    box, charts = page.locator(".st-key-runs input"), (".st-key-live",)
    form = ("[class*=st-key-new-]", ".st-key-train")
    choose = Change(
        lambda: box.press("Enter"), charts, lambda: (box.click(), box.fill("seed0"))
    )  # without a choice it is seed 1
    away = Change(lambda: box.press("Backspace"), charts, box.focus)
    recipes = page.locator(".st-key-new-recipe button")
    return {
        "choose or leave a run": itertools.cycle([choose, away]),
        "recipe": (Change(recipes.nth(place).click, form) for place in itertools.cycle([0, 1])),
    }


def inside(page: Page) -> dict[str, Iterator[Change]]:
    """Layer, image and epoch."""
    grids = (".st-key-maps-0", ".st-key-maps-1")
    layers, epoch = page.locator(".st-key-layers button"), page.locator(".st-key-epoch input[type=range]")
    through = (Change(layers.nth(place).click, grids) for place in itertools.cycle([*range(16, 8, -1), *range(9, 17)]))
    following = Change(page.locator(".st-key-next button").first.click, grids)
    return {"layer": through, "image": itertools.repeat(following), "epoch": _to_and_fro(epoch, grids)}


def classify(page: Page) -> dict[str, Iterator[Change]]:
    """Changes the model; swaps light and dark."""
    answers = (".st-key-answer-0", ".st-key-answer-1")
    page.get_by_role("tab", name="Examples").click()
    page.locator(".st-key-all-examples button").click()
    page.locator(answers[-1]).wait_for()
    page.get_by_text("The wrong part was cut out?").click()
    browser.rest(page)
    light = page.locator("[class*=st-key-light] button")  # automatic, negated, as in the photograph

    return {
        "model": _through_options(page.locator(".st-key-first input"), answers),
        "light and dark": (Change(light.nth(place).click, answers) for place in itertools.cycle([2, 0])),
    }


def lab(page: Page) -> dict[str, Iterator[Change]]:
    """Another disturbance; both were measured before."""
    curves = (".st-key-robustness",)
    disturbances = page.locator(".st-key-disturbance button")
    for place in (1, 0):
        disturbances.nth(place).click()
        browser.rest(page)
    return {"disturbance": (Change(disturbances.nth(place).click, curves) for place in itertools.cycle([1, 0]))}


def learn(page: Page) -> dict[str, Iterator[Change]]:
    """Another pair of maps to guess about."""
    results = (".st-key-question-0", ".st-key-question-1")
    return {"example": _through_options(page.locator(".st-key-example input"), results)}


def _to_and_fro(slider: Locator, regions: tuple[str, ...]) -> Iterator[Change]:
    """Key presses on a slider: eight steps to the left, eight back."""
    for key in itertools.cycle(["ArrowLeft"] * 8 + ["ArrowRight"] * 8):
        yield Change(partial(slider.press, key), regions)


def _through_options(box: Locator, regions: tuple[str, ...]) -> Iterator[Change]:
    """The options of a select box, down and up again."""
    for key in itertools.cycle(["ArrowDown", "ArrowUp"]):
        yield Change(partial(box.press, "Enter"), regions, partial(_highlight, box, key))


def _highlight(box: Locator, key: str) -> None:
    box.click()
    box.press(key)


PAGES = {
    "compare": (compare, "compare", ".st-key-curves canvas"),
    "train": (train, "train", ".st-key-live canvas"),
    "inside": (inside, "inside?layer=16", ".st-key-maps-1 canvas"),
    "classify": (classify, "classify", ".st-key-first"),
    "lab": (lab, "lab", ".st-key-disturbance"),
    "learn": (learn, "learn", ".st-key-gmp-Class-B canvas"),
}
"""Each page's changes, its address, and a region that is there once it is drawn."""


def measure(page: Page, address: str, name: str, changes: int) -> dict[str, list[float]]:
    """Milliseconds of every change on a page, by kind."""
    kinds, path, region = PAGES[name]
    browser.open_page(page, f"{address}/{path}", region)
    actions = kinds(page)
    measured: dict[str, list[float]] = {kind: [] for kind in actions}
    for number, kind in enumerate(itertools.islice(itertools.cycle(actions), changes + 4 * len(actions))):
        change = next(actions[kind])
        change.prepare()
        milliseconds = browser.time_change(page, change.regions, change.act)
        if number >= 4 * len(actions):
            measured[kind].append(milliseconds)
    return measured


def count_bytes(page: Page, address: str) -> int:
    """Bytes received for one change of *Inside* to a layer of 32 maps, everything on the page included."""
    received: list[int] = []

    def listen(connection: WebSocket) -> None:
        connection.on("framereceived", lambda payload: received.append(len(payload)))

    page.on("websocket", listen)
    browser.open_page(page, f"{address}/inside?layer=12", ".st-key-maps-1 canvas")
    received.clear()
    page.locator(".st-key-layers button").nth(13).click()
    page.wait_for_timeout(2000)
    return sum(received)


def main() -> None:
    """Measure the pages asked for, or all, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="*", choices=[*PAGES, []], default=[])
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.page or PAGES:
        with browser.dashboard() as (store, address), browser.window() as page:
            if name == "train":
                watching.fill(store, runs=2, batches=2000)
            measured = measure(page, address, name, options.changes)
            sent = count_bytes(page, address) if name == "inside" else None
        every = [value for values in measured.values() for value in values]
        results[name] = {kind: summary(values) for kind, values in {**measured, "all": every}.items()}
        if not options.json:
            for kind, row in results[name].items():
                print(
                    f"{name:<8} {kind:<22} {row['changes']:>4.0f} changes   median {row['median']:5.0f} ms   "
                    f"95th percentile {row['p95']:5.0f} ms",
                    flush=True,
                )
            if sent:
                print(f"{name:<8} a change to a layer of 32 maps, twice: {sent / 1000:.0f} kB received", flush=True)
    if options.json:
        print(json.dumps({"milliseconds": results}))


def summary(values: list[float]) -> dict[str, float]:
    """How many, and the median and 95th percentile of their milliseconds."""
    return {"changes": len(values), "median": float(np.median(values)), "p95": float(np.percentile(values, 95))}


if __name__ == "__main__":
    main()
