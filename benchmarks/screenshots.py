"""Every page as a person sees it: `make screenshots` draws the README's pictures into docs/screenshots.

    python benchmarks/screenshots.py ADDRESS FOLDER [page …]

takes them from a dashboard that runs already: each page at 1280 and 390 pixels, light and dark.
"""

import sys
from pathlib import Path

from conftest import CHROMIUM_FLAGS, find_chromium
from playwright.sync_api import Page, sync_playwright

PAGES = ("compare", "train", "inside", "classify", "learn")
VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
TALLEST = 5000
"""Pixels; what lies further down a page is cut off."""


def settle(page: Page) -> None:
    """Wait until the page has said all it has to say: its title is there and nothing runs any more."""
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


def main(address: str, folder: str, *pages: str) -> None:
    """Photograph pages of a dashboard at every width and in both themes."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        for name in pages or PAGES:
            for width, scheme in VIEWS:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                photograph(context.new_page(), f"{address}/{name}", width, target / f"{Path(name).name}-{width}-{scheme}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
