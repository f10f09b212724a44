"""The modules in the page's header, fetched; and a real browser that needs no others."""

import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
from playwright.sync_api import Page, expect
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from ui.serving import preload

STATIC = Path(streamlit.__file__).parent / "static"


def named(address: str) -> list[str]:
    with urllib.request.urlopen(address) as answer:
        return re.findall(r"<\./([^>]+)>; rel=modulepreload", answer.headers["Link"])


def test_every_module_in_the_header_is_there_once(server: str) -> None:
    modules = named(server)
    assert len(modules) == len(set(modules)) > 20
    for module in modules:
        with urllib.request.urlopen(f"{server}/{module}") as answer:
            assert answer.read() == (STATIC / module).read_bytes()
            assert answer.headers["Content-Type"].startswith(("application/javascript", "text/javascript"))
            assert "immutable" in answer.headers["Cache-Control"]


def test_another_file_and_another_method_are_streamlits_own(server: str) -> None:
    other = next(path for path in (STATIC / "static/js").glob("*.js") if f"static/js/{path.name}" not in named(server))
    with urllib.request.urlopen(f"{server}/static/js/{other.name}") as answer:
        assert answer.read() == other.read_bytes()
    with urllib.request.urlopen(urllib.request.Request(f"{server}/{named(server)[0]}", method="HEAD")) as answer:
        assert int(answer.headers["Content-Length"]) == (STATIC / named(server)[0]).stat().st_size


def test_only_pages_have_the_header(server: str) -> None:
    with urllib.request.urlopen(f"{server}/_stcore/health") as answer:
        assert answer.headers["Link"] is None


@pytest.mark.browser
def test_all_that_the_first_chart_needs_is_fetched_with_the_page(shipped_server: str, browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.goto(shipped_server, wait_until="commit")
    expect(browser_page.locator(".st-key-first-1 canvas")).to_be_visible(timeout=60_000)
    wanted = [url.split("/static/")[1] for url in asked if url.endswith(".js")]
    drawn_by = [each for each in wanted if re.search("Html|PageLink|BidiComponent", each)]
    assert len(drawn_by) == 3
    assert {f"static/{each}" for each in drawn_by} <= set(named(shipped_server))


@pytest.fixture
def static_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of Streamlit's JavaScript that a test may damage."""
    folder = tmp_path / "js"
    shutil.copytree(STATIC / "static/js", folder)
    monkeypatch.setattr(preload, "FOLDER", folder)
    preload.modules.cache_clear()
    yield folder
    preload.modules.cache_clear()


async def streamlits_page(scope: Scope, receive: Receive, send: Send) -> None:
    await HTMLResponse("Streamlit's own")(scope, receive, send)


def test_a_file_that_cannot_be_read_is_left_to_streamlit(static_folder: Path) -> None:
    gone = next(static_folder.glob("Metric.*.js"))
    gone.unlink()
    gone.mkdir()
    client = TestClient(preload.Preload(streamlits_page))
    assert gone.name not in client.get("/").headers["link"]
    assert "DataFrame" in client.get("/").headers["link"]
    assert client.get(f"/static/js/{gone.name}").text == "Streamlit's own"


def test_a_streamlit_that_keeps_its_files_elsewhere_serves_its_pages(static_folder: Path) -> None:
    shutil.rmtree(static_folder)
    answer = TestClient(preload.Preload(streamlits_page)).get("/")
    assert answer.text == "Streamlit's own"
    assert "link" not in answer.headers
