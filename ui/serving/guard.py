"""Checks every request first: host names, origins, the token, limits, and rules for the browser.

- Another page whose name resolves to this machine (DNS rebinding) still sends that name: names that this instance doesn't know
  are refused. Numeric addresses can't be rebound.
- A WebSocket or an upload from a page of another origin is refused, whichever port of this machine that page came from.
- Uploads are limited by session and in all, and a visitor's message that empties the caches of all is dropped.
"""

import collections
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import sys
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from google.protobuf.message import DecodeError
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from gpcore.instance import Instance

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' blob: 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)
"""Our scripts and styles are inline, because Streamlit's components are; nothing is fetched from elsewhere."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

ASK = (
    "<!doctype html><meta charset=utf-8><title>Poolscope</title><form style='font: 16px system-ui; margin: 4rem auto; "
    "max-width: 30rem'><p>This Poolscope asks for its token. The terminal in which it was started shows it.<p>"
    "<input name=token type=password aria-label=Token autofocus required> <button>Open</button></form>"
)

UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


def protected(instance: Instance, address: str | None, port: int, base: str) -> Instance:
    """Returns the instance with a token; creates and prints one if others can reach the instance and its owner set none."""
    if instance.mode == "demo" or (not instance.token and _is_local(address)):
        return instance
    token = instance.token or secrets.token_urlsafe(24)
    host = address if address and not _is_everywhere(address) else socket.gethostname()
    if not instance.token:
        print(f"Poolscope: http://{host}:{port}/{base}?token={token}", file=sys.stderr, flush=True)
    return replace(instance, token=token)


def _is_local(address: str | None) -> bool:
    if not address or address == "localhost" or address.startswith("unix:"):
        return bool(address)
    return _is_number(address) and ipaddress.ip_address(address).is_loopback


def _is_everywhere(address: str) -> bool:
    return _is_number(address) and ipaddress.ip_address(address).is_unspecified


def _is_number(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


class Guard:
    """Passes allowed requests on, and adds the instance's headers to every answer."""

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self._app, self._instance = app, instance
        self._names = {"localhost", socket.gethostname().lower(), *map(str.lower, instance.hosts)}
        digest = hashlib.sha256(instance.token.encode()).hexdigest()
        self._cookie, self._proof = f"poolscope-{digest[:8]}", digest[8:]
        self._policy = POLICY + instance.frame_ancestors
        self._arriving: collections.Counter[str] = collections.Counter()
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS | {"content-security-policy": self._policy})
            await send(message)

        asked = HTTPConnection(scope)
        refusal = self._foreign(asked, scope["method"] in ("GET", "HEAD")) or self._unknown(asked)
        upload = UPLOAD.search(scope["path"]) if scope["method"] in ("PUT", "POST") else None
        if refusal or not upload:
            await (refusal or self._app)(scope, receive, marked)
            return
        session, size = upload[1], asked.headers.get("content-length", "")
        refusal = self._too_much(session, int(size) if size.isdecimal() else None)
        if refusal:
            await refusal(scope, receive, marked)
            return
        self._arriving[session] += int(size)
        try:
            await self._app(scope, receive, marked)
        finally:
            self._arriving[session] -= int(size)
            self._arriving += collections.Counter()  # forgets sessions of which nothing arrives

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = HTTPConnection(scope)
        if self._foreign(asked, reads=False) or self._unknown(asked):
            await send({"type": "websocket.close", "code": 1008})
            return
        if self._open >= self._instance.visitors:
            await send({"type": "websocket.close", "code": 1013})
            return

        async def heard() -> Message:
            while _empties_caches(message := await receive()):
                pass
            return message

        self._open += 1
        try:
            await self._app(scope, heard, send)
        finally:
            self._open -= 1

    def _foreign(self, asked: HTTPConnection, reads: bool) -> Response | None:
        """Refuses unknown host names, and changes requested by pages of other origins."""
        host, origin = asked.headers.get("host", ""), asked.headers.get("origin")
        name = _name(host)
        if not (name in self._names or _is_number(name) or (name and "*" in self._names)):
            told = "Add the name to `hosts` in poolscope.toml, or to the variable POOLSCOPE_HOSTS, if it is yours."
            return PlainTextResponse(f"This Poolscope does not answer to the name {name!r}. {told}", 403)
        source = urlsplit(origin).netloc if origin else host
        if not reads and source != host and _name(source) not in self._instance.hosts:
            return PlainTextResponse("The request came from a page of another origin.", 403)
        return None

    def _unknown(self, asked: HTTPConnection) -> Response | None:
        """Asks for the token, and keeps it in a cookie instead of the address."""
        token = self._instance.token
        if not token or hmac.compare_digest(asked.cookies.get(self._cookie, "").encode(), self._proof.encode()):
            return None
        if asked.scope["path"].endswith("/_stcore/health"):
            return None
        if not hmac.compare_digest(asked.query_params.get("token", "").encode(), token.encode()):
            return HTMLResponse(ASK, 401)
        rest = urlencode([(name, value) for name, value in asked.query_params.multi_items() if name != "token"])
        path = "/" + asked.scope["path"].lstrip("/")  # `//elsewhere` would be another host's address
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        secure = asked.url.scheme == "https"
        answer.set_cookie(self._cookie, self._proof, httponly=True, samesite="lax", secure=secure, max_age=30 * 86_400)
        return answer

    def _too_much(self, session: str, size: int | None) -> Response | None:
        if size is None:
            return PlainTextResponse("An upload has to state its size.", 411)
        kept = _kept_bytes()
        own = kept.get(session, 0) + self._arriving[session] + size
        every = sum(kept.values()) + self._arriving.total() + size
        if own > self._instance.upload_mb * 1e6 or every > self._instance.uploads_mb * 1e6:
            return PlainTextResponse("Too many uploads are kept here at the moment: remove some, or try again later.", 413)
        return None


def _name(host: str) -> str:
    """The name in a `Host` header or an address, without its port; nothing if it is not one."""
    if not re.fullmatch(r"[\w.\-]+(:\d+)?|\[[\da-fA-F:.]+\](:\d+)?", host, re.ASCII):
        return ""
    return (urlsplit(f"//{host}").hostname or "").lower()


def _empties_caches(message: Message) -> bool:
    """Returns whether a message would empty the shared caches: Streamlit's menu hides that command, its protocol has it."""
    try:
        return BackMsg.FromString(message.get("bytes") or b"").WhichOneof("type") == "clear_cache"
    except DecodeError:
        return False


def _kept_bytes() -> dict[str, int]:
    """Returns the bytes of Streamlit's stored uploads by session; empty if a Streamlit stores them differently."""
    from streamlit import runtime

    manager = getattr(runtime.get_instance(), "uploaded_file_mgr", None) if runtime.exists() else None
    storage = getattr(manager, "file_storage", {})
    return {session: sum(len(file.data) for file in list(files.values())) for session, files in list(storage.items())}
