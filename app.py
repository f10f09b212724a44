"""Poolscope: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui import ahead, sockets
from ui.preload import Preload


def live(request: Request) -> Response:
    """What is being trained; imported when it is first asked for, since the server need not wait for PyTorch to answer."""
    from ui.live_feed import feed

    return feed(request)


sockets.send_at_once()
ahead.at_start()

base = st.get_option("server.baseUrlPath").strip("/")

app = st.App(
    "dashboard.py",
    routes=[Route(f"/{base}/live".replace("//", "/"), live)],
    middleware=[Middleware(Preload), Middleware(ahead.AheadOfPages)],
)
