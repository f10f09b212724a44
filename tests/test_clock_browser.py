"""The clock that the benchmarks of the pages read: it stops with the pixels, neither before nor after them."""

import pytest
from conftest import ROOT

pytestmark = pytest.mark.browser

CLOCK = (ROOT / "benchmarks" / "clock.js").read_text()

SETTLED, PATIENCE = 1000, 20_000
"""Milliseconds: longer than anything here takes, on a busy machine too."""

PAGE = """
<div data-testid="stApp" data-test-script-state="notRunning">
  <button>change</button>
  <div class="result"><canvas width="40" height="40"><p>read aloud</p></canvas></div>
</div>
<script>
  const result = document.querySelector(".result"), canvas = document.querySelector("canvas");
  document.querySelector("button").onclick = () => {
    setTimeout(() => (canvas.width = 40), 60);
    setTimeout(() => canvas.querySelector("p").replaceWith(document.createElement("p")), 800);
    setTimeout(() => canvas.append(document.createElement("p")), 800);
    setTimeout(() => canvas.firstElementChild.setAttribute("title", "read aloud"), 800);
    CHANGE
  };
</script>
"""

WITH_A_SHADOW = """
setTimeout(() => {
  const host = document.createElement("div");
  host.attachShadow({ mode: "open" }).innerHTML = "<i></i>";
  result.append(host);
  setTimeout(() => (host.shadowRoot.querySelector("i").textContent = "drawn"), 740);
}, 60);
"""


@pytest.fixture
def clock(browser_page):
    """Milliseconds from a click to the last pixel, of a page that does something besides drawing on its canvas."""

    def timed(change: str) -> float:
        browser_page.set_content(PAGE.replace("CHANGE", change))
        browser_page.evaluate(CLOCK, [[".result"], SETTLED, PATIENCE])
        browser_page.locator("button").click()
        return browser_page.evaluate("window.drawn")

    return timed


def test_what_a_canvas_has_for_screen_readers_is_not_drawn(clock):
    assert 60 <= clock("") < 800


def test_a_shadow_that_comes_later_is_watched_too(clock):
    assert clock(WITH_A_SHADOW) >= 800
