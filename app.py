"""Poolscope: `streamlit run app.py`."""

import importlib
import threading

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def live(request: Request) -> Response:
    """What is being trained; imported when it is first asked for, since the server need not wait for PyTorch to answer."""
    from ui.live_feed import feed

    return feed(request)


def import_ahead() -> None:
    """Import what takes seconds while the server starts and the browser fetches its part of Streamlit."""
    for name in ("torch", "plotly.graph_objects", "pandas", "scipy.stats"):
        importlib.import_module(name)


threading.Thread(target=import_ahead, daemon=True).start()

base = st.get_option("server.baseUrlPath").strip("/")

app = st.App("dashboard.py", routes=[Route(f"/{base}/live".replace("//", "/"), live)])
