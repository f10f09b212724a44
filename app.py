"""Poolscope: `streamlit run app.py`."""

import gc
import importlib
import sys
import threading

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.preload import Preload


def live(request: Request) -> Response:
    """What is being trained; imported when it is first asked for, since the server need not wait for PyTorch to answer."""
    from ui.live_feed import feed

    return feed(request)


def import_ahead() -> None:
    """Import what takes seconds while the server starts and the browser fetches its part of Streamlit.

    Meanwhile nothing becomes garbage that is worth looking for, and the server's thread need not wait for its turn as long as
    Python would let it: both cost a first visitor most of a second (benchmarks/cold_start.py).
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    gc.disable()
    try:
        for name in ("torch", "plotly.graph_objects", "pandas", "scipy.stats"):
            importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(usual)


threading.Thread(target=import_ahead, daemon=True).start()

base = st.get_option("server.baseUrlPath").strip("/")

app = st.App("dashboard.py", routes=[Route(f"/{base}/live".replace("//", "/"), live)], middleware=[Middleware(Preload)])
