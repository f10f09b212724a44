"""Strangers at the door: foreign names and origins, no token, floods of uploads, and what the browser is asked to enforce."""

import contextlib

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from gpcore.instance import Instance
from ui.serving.guard import Guard, protected

TOKEN = "a-token-that-nobody-guesses"


async def answer(request):
    return PlainTextResponse("inside")


async def echo(socket):
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_bytes(await socket.receive_bytes())


def client(**settings) -> TestClient:
    paths = ("/", "/live", "/base//x", "/_stcore/health")
    routes = [Route(path, answer) for path in paths]
    routes += [Route("/_stcore/upload_file/{session}/{file}", answer, methods=["PUT"]), WebSocketRoute("/_stcore/stream", echo)]
    guarded = Guard(Starlette(routes=routes), Instance(**settings))
    return TestClient(guarded, base_url="http://localhost:8501", follow_redirects=False)


def connected(asked: TestClient, **headers: str):
    """A socket; the test client names another host than its own, if it isn't asked to."""
    return asked.websocket_connect("/_stcore/stream", headers={"host": "localhost:8501"} | headers)


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:1", "[::1]:8501", "10.0.0.7", "LOCALHOST"])
def test_own_names_and_numbers_are_answered(host):
    assert client().get("/live", headers={"host": host}).text == "inside"


@pytest.mark.parametrize("host", ["rebound.example", "localhost.example:8501", "localhost;x", "", "a/../localhost", "[x]"])
@pytest.mark.parametrize("path", ["/", "/live", "/_stcore/health"])
def test_a_rebound_name_is_refused_on_every_route(host, path):
    assert client().get(path, headers={"host": host}).status_code == 403
    with pytest.raises(WebSocketDisconnect), connected(client(), host=host):
        pass


def test_names_that_the_owner_gives_are_answered():
    assert client(hosts=("Pools.example",)).get("/", headers={"host": "pools.example"}).text == "inside"
    assert client(hosts=("*",)).get("/", headers={"host": "any.example"}).text == "inside"


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://evil.example", "null", "https://localhost"])
def test_another_origin_opens_no_socket_and_uploads_nothing(origin):
    with pytest.raises(WebSocketDisconnect), connected(client(), origin=origin):
        pass
    sent = client().put("/_stcore/upload_file/s/f", content=b"x", headers={"origin": origin})
    assert sent.status_code == 403


def test_the_own_origin_opens_a_socket():
    with connected(client(), origin="http://localhost:8501") as socket:
        socket.send_bytes(b"\x01")
        assert socket.receive_bytes() == b"\x01"


def test_without_the_token_there_is_a_question_and_no_socket():
    asked = client(token=TOKEN)
    for path in ("/", "/live", "/live?token=wrong", "/_stcore/upload_file/s/f"):
        assert (reply := asked.get(path)).status_code == 401
        assert "inside" not in reply.text
    with pytest.raises(WebSocketDisconnect), connected(asked):
        pass
    assert asked.get("/_stcore/health").text == "inside"  # a container's health check has no token


def test_the_token_becomes_a_cookie_and_leaves_the_address():
    asked = client(token=TOKEN)
    reply = asked.get("/live", params={"runs": "a b", "token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, "/live?runs=a+b")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert asked.get("/live").text == "inside"
    with connected(asked, cookie=cookie.partition(";")[0]):
        pass


def test_a_token_in_an_odd_path_redirects_to_no_other_host():
    reply = client(token=TOKEN).get("http://localhost:8501//evil.example/", params={"token": TOKEN})
    assert reply.headers["location"].startswith("/evil.example")


def test_every_answer_carries_the_headers():
    for reply in (client().get("/"), client(token=TOKEN).get("/"), client().get("/", headers={"host": "evil.example"})):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["content-security-policy"].endswith("frame-ancestors 'self'")
    embedding = client(frame_ancestors="https://lectures.example").get("/")
    assert embedding.headers["content-security-policy"].endswith("frame-ancestors https://lectures.example")


def test_uploads_are_limited_before_they_are_read():
    small = client(upload_mb=1.0)
    assert small.put("/_stcore/upload_file/s/f", content=b"x" * 900_000).text == "inside"
    assert small.put("/_stcore/upload_file/s/f", content=b"x" * 1_100_000).status_code == 413
    assert small.put("/_stcore/upload_file/s/f", content=iter([b"x"])).status_code == 411
    assert client(uploads_mb=1.0).put("/_stcore/upload_file/s/f", content=b"x" * 1_100_000).status_code == 413


def test_nobody_empties_the_caches_of_all():
    with connected(client()) as socket:
        socket.send_bytes(BackMsg(clear_cache=True).SerializeToString())
        other = BackMsg(app_heartbeat=True).SerializeToString()
        socket.send_bytes(other)
        assert socket.receive_bytes() == other


def test_visitors_are_counted():
    one = client(visitors=1)
    with connected(one):
        with pytest.raises(WebSocketDisconnect) as refused, connected(one):
            pass
        assert refused.value.code == 1013
    with connected(one):
        pass


@pytest.mark.parametrize(
    ("address", "mode", "asks"),
    [
        ("localhost", "own", False), ("127.0.0.1", "own", False), ("::1", "train", False), ("unix:///x", "own", False),
        ("0.0.0.0", "own", True), (None, "own", True), ("10.0.0.7", "train", True), ("0.0.0.0", "demo", False),
    ],
)  # fmt: skip
def test_whoever_listens_for_others_asks_for_a_token(address, mode, asks, capsys):
    made = protected(Instance(mode=mode), address, 8501, "")
    assert (len(made.token) > 20) == asks
    assert (f"?token={made.token}" in capsys.readouterr().err) == asks


@pytest.mark.browser
def test_the_pages_pass_the_policy_in_a_real_browser(server, browser_page):
    refused: list[str] = []
    browser_page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    for page, seen in {"compare": "Which pooling wins", "inside": "", "learn": "What is global pooling"}.items():
        browser_page.goto(f"{server}/{page}")
        browser_page.get_by_role("heading", name=seen or None).first.wait_for()
        browser_page.wait_for_selector("canvas, svg.main-svg, .chart", timeout=30_000)
    assert not refused
    assert browser_page.request.get(f"{server}/live", headers={"host": "rebound.example"}).status == 403
    browser_page.set_content(f"<iframe src='{server}/learn'></iframe>")
    browser_page.wait_for_timeout(1500)
    assert all(frame.locator("#root").count() == 0 for frame in browser_page.frames)
