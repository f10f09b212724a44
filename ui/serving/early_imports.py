"""What pages take seconds to import, imported while a browser still fetches its part of Streamlit.

Imports hinder each other, so a page's own come first: *Compare*, which opens first, draws its charts without PyTorch, and the
others do without SciPy. That is a second of the time until the first chart (benchmarks/cold_start.py).
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
    "train": ["torch"],
    "inside": ["torch"],
    "classify": ["torch"],
    "lab": ["torch", "scipy.stats"],
    "learn": ["torch"],
}
"""What a page begins with, by its path; `pandas` they all do."""

IDLE_SECONDS = 3.0
"""After which everything is imported, whichever page is asked for or none: a server may start long before its first visitor."""

_one_at_a_time = threading.Lock()


def at_start() -> None:
    """Begin with what every page needs, and later go on with the rest."""
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
            importlib.import_module(name)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Meanwhile nothing becomes garbage that is worth looking for, and the server's thread need not wait for its turn as long
    as Python would let it: both cost a first visitor most of a second."""
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
    """Begins with what a page needs as soon as a browser asks for its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (needed := NEEDED.get(scope["path"].rpartition("/")[2])):
            _begin(*needed)
        await self._app(scope, receive, send)
