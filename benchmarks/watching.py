"""The cost of watching: the delay of the Train page, its effect on training, and its opening time on large stores.

    PYTHONPATH=.:tests python benchmarks/watching.py [delay | overhead | opening | memory] [--pairs 8] [--minutes 5]

`delay`: from the moment a batch's loss is in the store to the animation frame in which the chart holds it, for every update of
a run. `overhead`: the seconds of epochs while a browser watches against those of the same runs while it does not, in pairs, in
alternating order, for one run at a time and for two, which make every core of a small machine busy. `opening`: from the click
on *Train* to the drawn charts, over a store with 1 run, with 1,000 runs of 60 epochs, and with a run of 1,000,000 batches.
`memory`: of the server and of a worker, at first and after some minutes of training with a page open. The browser and the
server run on this machine's cores too.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import browser
import numpy as np
import tiny
from playwright.sync_api import Page

from gpcore.recipe import MODERN
from gpcore.runs.store import Store

RECORD = """
(figure) => {
  window.shown = [];
  const look = () => {
    const points = figure.plot?.data[0].length;
    if (points && points !== window.shown.at(-1)?.[0]) {
      window.shown.push([points, performance.timeOrigin + performance.now()]);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Remember when the curve of the first chart got how many points: one a batch, as long as there are few of them."""

DRAWN = ".live .chart.losses canvas"
"""A chart with something to draw; before that it shows a text."""


EPOCHS = 4
"""Epochs of a few seconds that are measured before a browser comes or goes."""


def dashboard(own: Path | None = None) -> contextlib.AbstractContextManager[tuple[Store, str]]:
    """A store, by default a fresh one, and the address of a dashboard that trains into it, with no shipped runs beside it."""
    return browser.dashboard(own, checkpoints=Path("nowhere"))


@contextlib.contextmanager
def train_page(address: str) -> Iterator[Page]:
    """A fresh browser, one click away from the Train page."""
    with browser.window() as page:
        page.goto(f"{address}/learn")  # a page that opens quickly, and leaves nothing to be drawn behind the one measured
        page.get_by_role("link", name="Train").wait_for()
        yield page


def open_train(page: Page) -> float:
    """Go to the Train page; the seconds from the click to the drawn charts."""
    started = time.monotonic()
    page.get_by_role("link", name="Train").click()
    page.locator(DRAWN).wait_for()
    return time.monotonic() - started


def delay(options: argparse.Namespace) -> None:
    """From the store to the screen."""
    written: dict[int, float] = {}

    def look(store: Store, run: str, over: threading.Event) -> None:
        while not over.is_set():
            written.setdefault(store.steps_done(run), time.time() * 1000)
            time.sleep(0.005)

    with dashboard() as (store, address), train_page(address) as page:
        run = store.add(MODERN.but(epochs=8, train_images=3000))
        over = threading.Event()
        looking = threading.Thread(target=look, args=(Store(store.folder, read_only=True), run, over))
        looking.start()
        page.get_by_role("link", name="Train").click()
        page.locator(".live .chart.losses").evaluate(RECORD)
        tiny.wait_until(store.idle, 600)
        shown = page.evaluate("window.shown")
        over.set()
        looking.join()
    delays = [at - written[step] for step, at in shown if step in written]
    print(
        f"delay from store to screen over {len(delays)} updates, which collect for 250 ms before: {browser.spread(delays)} ms"
    )


def overhead(options: argparse.Namespace) -> None:
    """The seconds of epochs while a browser watches, against those of the same runs while it does not."""
    for at_once in (1, 2):
        with dashboard() as (store, address), train_page(address) as page:
            store.set_parallel(at_once)
            runs = [store.add(MODERN.but(epochs=10_000, train_images=6000, seed=seed)) for seed in range(at_once)]
            quotients = []
            for pair in range(options.pairs):
                seconds = {}
                for watched in (True, False) if pair % 2 == 0 else (False, True):
                    page.goto(f"{address}/train" if watched else "about:blank")
                    seconds[watched] = epoch_seconds(store, runs)
                quotients.append(seconds[True] / seconds[False] - 1)
                print(f"  {seconds[False]:.2f} s per epoch alone, {seconds[True]:.2f} s watched", flush=True)
            for run in runs:
                store.request_stop(run)
            tiny.wait_until(store.idle)
        print(
            f"a watching browser adds {statistics.median(quotients):+.1%} ({at_once} run{'s' * (at_once > 1)} at once on "
            f"{os.cpu_count()} cores; median of {options.pairs} pairs, {min(quotients):+.1%} to {max(quotients):+.1%})",
            flush=True,
        )


def epoch_seconds(store: Store, runs: list[str]) -> float:
    """The mean seconds of the next epochs of all runs, but for those under way, which are of before and after."""
    first = {run: store.run(run).epochs_done + 1 for run in runs}
    tiny.wait_until(lambda: all(store.run(run).epochs_done >= first[run] + EPOCHS for run in runs), 600)
    return statistics.mean(epoch.seconds for run in runs for epoch in store.epochs(run)[first[run] : first[run] + EPOCHS])


def opening(options: argparse.Namespace) -> None:
    """The page over small and large stores."""
    for name, runs, batches in (("1 run", 1, 2_000), ("1,000 runs", 1000, 2_000), ("1,000,000 batches", 1, 1_000_000)):
        with dashboard() as (store, address):
            fill(store, runs, batches)
            times = []
            for _ in range(6):
                with train_page(address) as page:
                    times.append(open_train(page))
        print(f"page with {name}: {statistics.median(times[1:]):.2f} s to the drawn charts (median of 5)", flush=True)


def fill(store: Store, runs: int, batches: int) -> None:
    """Finished runs of 60 epochs whose figures were never measured."""
    losses = np.exp(-np.arange(batches) / batches * 3).tolist()
    confusion = json.dumps([[100] * 10] * 10)
    for number in range(runs):
        claim = store.start(MODERN.but(epochs=60, seed=number))
        if number == runs - 1:
            store.append_losses(claim, 0, losses, {"step": batches, "steps": batches})
        store.release(claim, "finished")
    with contextlib.closing(sqlite3.connect(store.folder / "runs.db")) as connection, connection:
        for record in store.runs():
            rows = [(record.id, epoch, 1, epoch / 70, 0.5, 1, epoch / 80, 0.5, 3e-4, 2, confusion) for epoch in range(1, 61)]
            connection.executemany("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def memory(options: argparse.Namespace) -> None:
    """Of the server and of the workers while a page is open: a worker of its own, or those that train in `--store`."""
    with contextlib.ExitStack() as opened:
        store, address = opened.enter_context(dashboard(options.store))
        if not options.store:
            store.set_parallel(1)
            store.add(MODERN.but(epochs=10_000, train_images=6000))
        open_train(opened.enter_context(train_page(address)))
        for minute in range(options.minutes + 1):
            server, workers = (megabytes(name, store.folder) for name in ("streamlit", "worker"))
            print(f"  after {minute} min: server {server:,.0f} MB, worker {workers:,.0f} MB", flush=True)
            time.sleep(60)
        if not options.store:
            store.request_stop(store.runs()[0].id)
            tiny.wait_until(store.idle)


def megabytes(name: str, store: Path) -> float:
    """The largest resident memory of a process that serves a store, or trains in it, and whose command holds `name`."""
    folders = (f"POOLSCOPE_STORE={store}", str(store.absolute()))
    sizes = [0.0]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text().split("\0")
            known = [*command, *(process / "environ").read_text().split("\0")]
            if name in command and any(folder in known for folder in folders):
                sizes.append(int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return max(sizes)


MEASUREMENTS = {"delay": delay, "overhead": overhead, "opening": opening, "memory": memory}


def main() -> None:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], default=[])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--store", type=Path, help="memory: watch what is being trained in this store already")
    options = parser.parse_args()
    for name in options.what or MEASUREMENTS:
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
