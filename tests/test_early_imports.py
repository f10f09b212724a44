"""What is imported ahead of pages, in a server of its own."""

import gc
import subprocess
import sys
from pathlib import Path

from ui.serving import early_imports
from ui.serving.early_imports import NEEDED

ROOT = Path(__file__).parents[1]

ASKED = """
import asyncio, sys, threading
from ui.serving.early_imports import AheadOfPages

async def app(scope, receive, send):
    answered.append(scope["path"])

answered = []
asyncio.run(AheadOfPages(app)({"type": "http", "path": sys.argv[1]}, None, None))
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
assert answered == [sys.argv[1]]
print(*sys.modules)
"""


def imported(path: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", ASKED, path], capture_output=True, text=True, cwd=ROOT, check=True)
    return {"torch", "scipy.stats"} & set(done.stdout.split())


def test_every_page_says_what_it_needs() -> None:
    assert set(NEEDED) == {"", *(path.stem for path in (ROOT / "pages").glob("*.py"))} - {"first"}


def test_a_page_that_is_asked_for_is_prepared() -> None:
    assert imported("/") == {"scipy.stats"}
    assert imported("/base/inside") == {"torch"}
    assert imported("/base/lab") == {"torch", "scipy.stats"}


def test_a_file_prepares_nothing() -> None:
    assert imported("/static/js/index.js") == set()


def test_a_module_that_is_missing_is_left_to_its_page() -> None:
    early_imports._import(("a_module_of_another_version", "colorsys"))
    assert "colorsys" in sys.modules
    assert gc.isenabled()
