"""Poolscope: `streamlit run app.py`."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.serving import early_imports, sockets
from ui.serving.preload import Preload


def live(request: Request) -> Response:
    """Returns the state of active runs; imported on the first request, so that the server starts without PyTorch."""
    from ui.train.live_feed import feed

    return feed(request)


sockets.send_at_once()
early_imports.at_start()

base = st.get_option("server.baseUrlPath").strip("/")

app = st.App(
    Path(__file__).parent / "dashboard" / "navigation.py",
    routes=[Route(f"/{base}/live".replace("//", "/"), live)],
    middleware=[Middleware(Preload), Middleware(early_imports.AheadOfPages)],
)
