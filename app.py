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
    """What is being trained; imported when it is first asked for, since the server need not wait for PyTorch to answer."""
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
