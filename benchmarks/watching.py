"""What watching costs: how far the Train page is behind, what it takes from training, and how it opens on large stores.

    PYTHONPATH=.:tests python benchmarks/watching.py [delay | overhead | opening | memory] [--pairs 3] [--minutes 5]

`delay`: from the moment a batch's loss is in the store to the animation frame in which the chart holds it, for every update of
a run. `overhead`: the seconds of a run's epochs with a browser watching it against the same without, in pairs, in alternating
order. `opening`: from the click on *Train* to the drawn charts, over a store with 1 run, with 1,000 runs of 60 epochs, and with
a run of 1,000,000 batches. `memory`: of the server and of a worker, at first and after some minutes of training with a page
open. The browser and the server run on this machine's cores too.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import conftest
import numpy as np
import tiny
from playwright.sync_api import Page, sync_playwright

from gpcore.recipe import MODERN
from gpcore.runs.store import Store

RECORD = """
() => {
  window.shown = [];
  const look = () => {
    const line = document.querySelector('svg.marks .mark-line path[d]')?.getAttribute('d');
    const points = line?.split('L').length;
    if (points && points !== window.shown.at(-1)?.[0]) {
      window.shown.push([points, performance.timeOrigin + performance.now()]);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Remember when the curve of the first chart got how many points: one a batch, as long as there are few of them."""


@contextlib.contextmanager
def dashboard(folder: Path) -> Iterator[tuple[Store, str]]:
    """An own store in a fresh folder, and the address of a dashboard that trains into it."""
    store = Store(folder / "runs")
    environment = conftest.settings(folder / "none", store.folder, tiny.ROOT / "data")
    with conftest.served(environment, folder / "log") as address:
        yield store, address


@contextlib.contextmanager
def train_page(address: str) -> Iterator[Page]:
    """The Train page in a fresh browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=conftest.find_chromium(), args=conftest.CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{address}/learn")  # a page that opens quickly, and leaves nothing to be drawn behind the one measured
        page.get_by_role("link", name="Train").wait_for()
        yield page
        browser.close()


def open_train(page: Page) -> float:
    """Go to the Train page; the seconds from the click to the drawn charts."""
    started = time.monotonic()
    page.get_by_role("link", name="Train").click()
    page.wait_for_function("document.querySelectorAll('svg.marks .mark-line path[d]').length >= 2")
    return time.monotonic() - started


def delay(options: argparse.Namespace) -> None:
    """From the store to the screen."""
    written: dict[int, float] = {}

    def look(store: Store, run: str, over: threading.Event) -> None:
        while not over.is_set():
            written.setdefault(store.steps_done(run), time.time() * 1000)
            time.sleep(0.005)

    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as (store, address), train_page(address) as page:
        run = store.add(MODERN.but(epochs=8, train_images=3000))
        over = threading.Event()
        looking = threading.Thread(target=look, args=(Store(store.folder, read_only=True), run, over))
        looking.start()
        page.get_by_role("link", name="Train").click()
        page.evaluate(RECORD)
        tiny.wait_until(store.idle, 600)
        shown = page.evaluate("window.shown")
        over.set()
        looking.join()
    delays = [at - written[step] for step, at in shown if step in written]
    print(
        f"delay from store to screen over {len(delays)} updates: {spread(delays)} ms (batches collect for 250 ms before that)"
    )


def spread(values: list[float]) -> str:
    """Median, 95th percentile and maximum."""
    return f"median {np.median(values):,.0f}, 95 % {np.percentile(values, 95):,.0f}, most {max(values):,.0f}"


def overhead(options: argparse.Namespace) -> None:
    """The same run with and without a browser that watches."""
    quotients = []
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as (store, address):
        store.set_parallel(1)
        for pair in range(options.pairs):
            seconds = {}
            for watched in (True, False) if pair % 2 else (False, True):
                with train_page(address) if watched else contextlib.nullcontext() as page:
                    run = store.add(MODERN.but(epochs=3, train_images=20_000, seed=pair))
                    if page:
                        open_train(page)
                    process = tiny.start("worker", "--once", "--parallel", 1, "--store", store.folder)
                    tiny.wait_until(store.idle, 900)
                    process.communicate()
                seconds[watched] = store.run(run).seconds
            quotients.append(seconds[True] / seconds[False] - 1)
            print(f"  pair {pair}: {seconds[False]:.1f} s alone, {seconds[True]:.1f} s watched", flush=True)
    print(f"a watching browser adds {statistics.median(quotients):+.1%} (median of {options.pairs} pairs, one run at a time)")


def opening(options: argparse.Namespace) -> None:
    """The page over small and large stores."""
    for name, runs, batches in (("1 run", 1, 2_000), ("1,000 runs", 1000, 2_000), ("1,000,000 batches", 1, 1_000_000)):
        with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as (store, address):
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
    """Of the server and of a worker while a page is open."""
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as (store, address), train_page(address) as page:
        store.set_parallel(1)
        store.add(MODERN.but(epochs=10_000, train_images=6000))
        open_train(page)
        for minute in range(options.minutes + 1):
            sizes = {name: megabytes(name, store.folder) for name in ("streamlit", "worker")}
            print(f"  after {minute} min: server {sizes['streamlit']:,.0f} MB, worker {sizes['worker']:,.0f} MB", flush=True)
            time.sleep(60)
        store.request_stop(store.runs()[0].id)
        tiny.wait_until(store.idle)


def megabytes(name: str, store: Path) -> float:
    """The largest resident memory of a process that serves a store, or trains in it, and whose command holds `name`."""
    sizes = [0.0]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text().split("\0")
            if name in command and f"POOLSCOPE_STORE={store}" in (process / "environ").read_text().split("\0"):
                sizes.append(int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return max(sizes)


MEASUREMENTS = {"delay": delay, "overhead": overhead, "opening": opening, "memory": memory}


def main() -> None:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], default=[])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=5)
    options = parser.parse_args()
    for name in options.what or MEASUREMENTS:
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
