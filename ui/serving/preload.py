"""Names the JavaScript of a page's first elements in its header, and serves it from memory.

Streamlit's page asks for the code of a kind of element when the first one arrives: some forty files, just when the server is
busiest. A `Link` header (RFC 8288) names them with the page itself, which shows a first visitor a chart a fifth of a second
earlier (benchmarks/cold_start.py). Streamlit opens each file in a thread, which waits for the thread that imports; serving them
from memory saves another half second. A file that is elsewhere or unreadable is not named, and Streamlit serves it as usual.
"""

import contextlib
import functools
import re
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(streamlit.__file__).parent / "static" / "static" / "js"

FIRST = ("Html", "PageLink", "DataFrame", "Selectbox", "BidiComponent", "DownloadButton", "Multiselect", "Metric")
"""Streamlit's names for the kinds of elements that pages begin with."""

FOR_GOOD = "public, immutable, max-age=31536000"
"""How long a browser may keep a file: the same as Streamlit's own answer, since a file's name holds a hash of its content."""

STYLE = b"<style>" + Path(__file__).with_name("page.css").read_bytes() + b"</style></head>"
"""In the page from its first moment: a style that comes with an element moves what is there already."""

IMPORTED = re.compile(rb"""(?:\bfrom|\bimport)\s*["']\./([\w.-]+\.js)["']""")


@functools.cache
def modules() -> dict[str, bytes]:
    """Returns the files of those elements and all that they import, by name, as far as they can be read."""
    found: dict[str, bytes] = {}
    waiting = [path.name for name in FIRST for path in FOLDER.glob(f"{name}.*.js")]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            with contextlib.suppress(OSError):
                found[name] = (FOLDER / name).read_bytes()
                waiting += [each.decode() for each in IMPORTED.findall(found[name])]
    return found


def _is_page(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith("text/html")


def _prepare(headers: MutableHeaders, body: Message) -> None:
    """Names the modules in a page's header and puts the style into its head."""
    if modules():
        headers["link"] = ", ".join(f"<./static/js/{name}>; rel=modulepreload" for name in modules())
    if b"</head>" in body.get("body", b"") and "content-encoding" not in headers:
        body["body"] = body["body"].replace(b"</head>", STYLE, 1)
        if "content-length" in headers:
            headers["content-length"] = str(int(headers["content-length"]) + len(STYLE) - len(b"</head>"))


class Preload:
    """Names the modules in the header of every page, puts our style into it, and serves the modules from memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                held.append(message)
                return
            if held:
                start = held.pop()
                _prepare(MutableHeaders(scope=start), message)
                await send(start)
            await send(message)

        folder, _, name = scope.get("path", "").rpartition("/")
        if scope["type"] == "http" and scope["method"] == "GET" and folder.endswith("/static/js") and name in modules():
            kept = Response(modules()[name], media_type="application/javascript", headers={"cache-control": FOR_GOOD})
            await kept(scope, receive, send)
        else:
            await self._app(scope, receive, named)
