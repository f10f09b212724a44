"""Screenshots of every page over the shipped runs: `make screenshots` draws the README's pictures.

    python docs/screenshots.py FOLDER [page …]

photographs each page at 1280 and 390 pixels, in the light theme and in the dark one.
"""

import sys
import tempfile
from pathlib import Path

from conftest import CHROMIUM_FLAGS, ROOT, find_chromium, served, settings
from playwright.sync_api import Page, sync_playwright

PAGES = ("first", "learn", "compare", "train", "inside", "classify", "lab")
VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
TALLEST = 5000
"""Greatest height in pixels; the rest of a page is cut off."""


def settle(page: Page) -> None:
    """Waits until the page is complete: its title is there and nothing runs any more."""
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.wait_for_timeout(1500)


def photograph(page: Page, address: str, width: int, target: Path) -> None:
    """The whole page, however tall, as one PNG."""
    page.goto(address)
    settle(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 40, TALLEST)})
    settle(page)
    page.screenshot(path=target)


def main(folder: str, *pages: str) -> None:
    """Photograph pages at every width and in both themes, from a dashboard whose own store is empty."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        environment = settings(ROOT / "checkpoints", Path(temporary) / "runs", ROOT / "data")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        with served(environment, Path(temporary) / "log") as address:
            for name in pages or PAGES:
                for width, scheme in VIEWS:
                    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                    photograph(context.new_page(), f"{address}/{name}", width, target / f"{name}-{width}-{scheme}.png")
                    context.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
