"""Poolscope: `streamlit run app.py`."""

import logging
import sys
import threading
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gpcore.errors import SettingsError
from gpcore.instance import Instance
from ui.serving import early_imports, guard, sockets
from ui.serving.preload import Preload


def live(request: Request) -> Response:
    """Returns the state of active runs; imported on the first request, so that the server starts without PyTorch."""
    from ui.train.live_feed import feed

    return feed(request)


def train_on() -> None:
    """Lets what waits be trained, also when nobody looks."""
    from ui import started_workers

    started_workers.keep_going()


sockets.send_at_once()
early_imports.at_start()
logging.basicConfig(format="%(asctime)s %(message)s")
logging.getLogger("gpcore.asked").setLevel(logging.INFO)

base = st.get_option("server.baseUrlPath").strip("/")
try:
    instance = guard.protected(Instance.read(), st.get_option("server.address"), st.get_option("server.port"), base)
except SettingsError as error:
    sys.exit(f"Error: {error}")
if instance.allows("train"):
    threading.Thread(target=train_on, daemon=True).start()

app = st.App(
    Path(__file__).parent / "dashboard" / "navigation.py",
    routes=[Route(f"/{base}/live".replace("//", "/"), live)],
    middleware=[Middleware(guard.Guard, instance=instance), Middleware(Preload), Middleware(early_imports.AheadOfPages)],
)
