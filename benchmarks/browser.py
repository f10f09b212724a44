"""Shared by several benchmarks: a dashboard, a browser that opens it, and a clock inside the page."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import conftest
import numpy as np
import plotly.graph_objects as go
from playwright.sync_api import Page, sync_playwright
from plotly.offline import get_plotlyjs

from gpcore.runs.store import Store

CLOCK = Path(__file__).with_name("clock.js").read_text()

SETTLED = 250
"""Milliseconds without a change after which the page counts as drawn; they are not part of the measurement."""

PATIENCE = 60_000
"""Milliseconds after which a change without an effect is an error."""


@contextlib.contextmanager
def dashboard(own: Path | None = None, checkpoints: Path = conftest.ROOT / "checkpoints") -> Iterator[tuple[Store, str]]:
    """A store, by default in a fresh folder, and the address of a dashboard over it and the shipped runs."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(own or Path(folder) / "runs")
        environment = conftest.settings(checkpoints, store.folder, conftest.ROOT / "data")
        with conftest.served(environment, Path(folder) / "log", end_workers=own is None) as address:
            yield store, address


@contextlib.contextmanager
def window() -> Iterator[Page]:
    """A page of a fresh browser, 1280 pixels wide."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=conftest.find_chromium(), args=conftest.CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def open_page(page: Page, address: str, region: str) -> None:
    """Opens a page, and waits until `region` is drawn and nothing runs."""
    page.goto(address)
    page.locator(region).first.wait_for()
    rest(page)


def rest(page: Page) -> None:
    """Waits until nothing runs and everything is drawn."""
    page.wait_for_timeout(500)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(1500)


def time_change(page: Page, regions: Sequence[str], act: Callable[[], object]) -> float:
    """Milliseconds from the key press or click in `act` to the frame that shows the last of its effects in the regions."""
    page.evaluate(CLOCK, [list(regions), SETTLED, PATIENCE])
    act()
    return page.evaluate("window.drawn")


def save_chart(drawn: go.Figure, path: Path) -> None:
    """Writes a chart as SVG, with Plotly in the tests' browser."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with window() as page:
        page.add_script_tag(content=get_plotlyjs())
        options = {"format": "svg", "width": drawn.layout.width, "height": drawn.layout.height}
        url = page.evaluate("([figure, options]) => Plotly.toImage(figure, options)", [json.loads(drawn.to_json()), options])
        path.write_text(page.evaluate("(url) => decodeURIComponent(url.slice(url.indexOf(',') + 1))", url))


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, 95th percentile and maximum."""
    median, high, most = (f"{value:,.{digits}f}" for value in (np.median(values), np.percentile(values, 95), max(values)))
    return f"median {median}, 95 % {high}, most {most}"
