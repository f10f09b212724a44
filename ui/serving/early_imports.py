"""Imports what pages need while a browser still fetches Streamlit's files: PyTorch takes seconds.

Imports slow each other down, so a page's own come first: the first page and *Compare* draw theirs without PyTorch, and the
others do without SciPy. This saves a second until the first chart (benchmarks/cold_start.py). A module that can't be imported
here is left to the page that needs it, which then shows the error.
"""

import contextlib
import functools
import gc
import importlib
import sys
import threading
from collections.abc import Iterator

from starlette.types import ASGIApp, Receive, Scope, Send

NEEDED = {
    "": ["scipy.stats"],
    "compare": ["scipy.stats"],
    "train": ["torch"],
    "inside": ["torch"],
    "classify": ["torch"],
    "lab": ["torch", "scipy.stats"],
    "learn": ["torch"],
}
"""What a page imports first, by its path; all of them import `pandas`."""

IDLE_SECONDS = 3.0
"""Time after which everything is imported, even without a visitor."""

_one_at_a_time = threading.Lock()


def at_start() -> None:
    """Imports what every page needs now, and the rest later."""
    _begin("pandas")
    later = threading.Timer(IDLE_SECONDS, _import, [("torch", "scipy.stats")])
    later.daemon = True
    later.start()


@functools.cache
def _begin(*modules: str) -> None:
    threading.Thread(target=_import, args=[modules], daemon=True).start()


def _import(modules: tuple[str, ...]) -> None:
    with _one_at_a_time, _undisturbed():
        for name in modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Pauses garbage collection and gives the server's thread its turn sooner; both cost a first visitor most of a second."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(usual)


class AheadOfPages:
    """Starts a page's imports as soon as a browser asks for its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (needed := NEEDED.get(scope["path"].rpartition("/")[2])):
            _begin(*needed)
        await self._app(scope, receive, send)
