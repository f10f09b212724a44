"""From nothing to the first page: a fresh server process, and a browser that waits for it.

    PYTHONPATH=.:tests python benchmarks/cold_start.py [--times 5] [--page inside]

Prints the seconds from the start of the process until the server answers, until the page shows its title and, on *Compare*, its
first chart, and until nothing runs any more. The browser is already open, and a first start, which is not counted, has read the
files once.
"""

import argparse
import tempfile
import time
from pathlib import Path

import browser
import conftest
from playwright.sync_api import Page

SEEN = {
    "its title": "h1",
    "its first chart": ".st-key-first-1 canvas[aria-label]",
    "at rest": "[data-test-script-state=notRunning] h1",
}


def start(page: Page, folder: Path, path: str = "") -> dict[str, float]:
    """Returns the seconds from the start of a server to each moment, on the page at `path`."""
    environment = conftest.settings(conftest.ROOT / "checkpoints", folder / "runs", conftest.ROOT / "data")
    started = time.monotonic()
    with conftest.served(environment, folder / "log") as address:
        seconds = {"the server answers": time.monotonic() - started}
        page.goto(f"{address}/{path}", wait_until="commit")
        for name, region in SEEN.items():
            if name != "its first chart" or not path:
                page.locator(region).first.wait_for()
                seconds[name] = time.monotonic() - started
        page.goto("about:blank")
    return seconds


def main() -> None:
    """Start several times; print the median of every moment, and the slowest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--page", default="", help="the path of another page than Compare")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser.window() as page:
        starts = [start(page, Path(folder), options.page) for _ in range(options.times + 1)][1:]
    for name in starts[0]:
        print(f"{name:<20} {browser.spread([each[name] for each in starts], digits=2)} s")


if __name__ == "__main__":
    main()
