"""How fast *Inside* follows: 100 changes of layer, image and epoch in a real browser, from the key press to the pixels.

    .venv/bin/python benchmarks/inside_latency.py [--json] [ADDRESS]

Without an address it starts a dashboard of its own over the shipped runs. The clock runs inside the page: it starts with the
key press or the click, and stops in the animation frame after both grids of maps hold their new data, the one in which they
are painted. What travels is counted on the web socket: both grids of 32 maps, and the whole of such a change.
"""

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page, WebSocket, sync_playwright

ROOT = Path(__file__).parent.parent
CHANGES = 100
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

WATCH = """
(figures) => {
  const before = figures.map((figure) => figure.sheet);
  window.changed = new Promise((resolve) => {
    const begin = () => {
      const started = performance.now();
      const look = () => figures.every((figure, place) => figure.sheet !== before[place])
        ? requestAnimationFrame(() => resolve(performance.now() - started))
        : requestAnimationFrame(look);
      look();
    };
    for (const kind of ["keydown", "click"]) addEventListener(kind, begin, { capture: true, once: true });
  });
}
"""

GRIDS = [".st-key-maps-0 .sheet", ".st-key-maps-1 .sheet"]


def measure(page: Page) -> dict[str, list[float]]:
    """Milliseconds of every change, by kind; the page shows *Inside*."""
    layer, epoch = (page.locator(f".st-key-{key} input[type=range]") for key in ("layer", "epoch"))
    following = page.locator(".st-key-next button").first
    actions = {"layer": _to_and_fro(layer), "image": itertools.repeat(following.click), "epoch": _to_and_fro(epoch)}
    measured: dict[str, list[float]] = {kind: [] for kind in actions}
    for kind in itertools.islice(itertools.cycle(actions), CHANGES):
        measured[kind].append(time_change(page, next(actions[kind])))
        page.wait_for_timeout(150)  # a person looks before going on
    return measured


def time_change(page: Page, act: Callable[[], object]) -> float:
    """Milliseconds from an action to the frame in which both grids are painted anew."""
    page.evaluate(WATCH, [page.locator(grid).element_handle() for grid in GRIDS])
    act()
    return page.evaluate("window.changed")


def count_bytes(page: Page, address: str) -> int:
    """Bytes received for one change to a layer of 32 maps, everything on the page included."""
    received: list[int] = []

    def listen(connection: WebSocket) -> None:
        connection.on("framereceived", lambda payload: received.append(len(payload)))

    page.on("websocket", listen)
    open_inside(page, address, layer=12)
    received.clear()
    page.locator(".st-key-layer input[type=range]").press("ArrowRight")
    page.wait_for_timeout(2000)
    return sum(received)


def open_inside(page: Page, address: str, layer: int) -> None:
    """The page, drawn and at rest."""
    page.goto(f"{address}/inside?layer={layer}")
    page.locator(GRIDS[1]).wait_for(timeout=90_000)  # the first one imports PyTorch
    page.wait_for_timeout(2500)


def percentile(values: list[float], part: float) -> float:
    """The smallest of the values that at least so large a part of them does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]


def _to_and_fro(slider: Locator) -> Iterator[Callable[[], object]]:
    """Key presses on a slider: eight steps to the left, eight back."""
    for key in itertools.cycle(["ArrowLeft"] * 8 + ["ArrowRight"] * 8):
        yield lambda key=key: slider.press(key)


@contextlib.contextmanager
def dashboard() -> Iterator[str]:
    """The address of a dashboard of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "127.0.0.1", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def main(arguments: list[str]) -> None:
    """Measure, and print a table or, with --json, JSON."""
    addresses = [argument for argument in arguments if not argument.startswith("--")]
    with contextlib.nullcontext(addresses[0]) if addresses else dashboard() as address, sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        page = playwright.chromium.launch(executable_path=path, args=FLAGS).new_page(viewport={"width": 1280, "height": 900})
        sent = count_bytes(page, address)
        open_inside(page, address, layer=16)
        measured = measure(page)
    everything = [value for values in measured.values() for value in values]
    result = {
        kind: {"changes": len(values), "median": percentile(values, 0.5), "p95": percentile(values, 0.95)}
        for kind, values in {**measured, "all": everything}.items()
    }
    if "--json" in arguments:
        print(json.dumps({"milliseconds": result, "bytes": sent}))
        return
    for kind, row in result.items():
        print(f"{kind:<6} {row['changes']:>4} changes   median {row['median']:5.0f} ms   95th percentile {row['p95']:5.0f} ms")
    print(f"a change to a layer of 32 maps, twice: {sent / 1000:.0f} kB received, everything included")


if __name__ == "__main__":
    main(sys.argv[1:])
