"""The first page over an empty and a filled store."""

import json
import subprocess
import sys

from conftest import ROOT
from streamlit.testing.v1 import AppTest

from gpcore.figures.opening import opening
from ui.first.shown import DRAWN


def opened() -> str:
    page = AppTest.from_file(ROOT / "dashboard/navigation.py", default_timeout=60).run()
    assert not page.exception
    assert not page.error
    return "\n".join(element.value for element in page.markdown)


def test_both_poolings_are_written_out_and_the_article_is_quoted(empty_environment) -> None:
    words = opened()
    assert "*Global average pooling*" in words
    assert "*Global max pooling*" in words
    assert "GAP ends near 87 % and GMP ends just under 85 %" in words
    assert "Here" not in words


def test_the_verdict_over_seeds_is_that_of_compare(empty_environment, monkeypatch) -> None:
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(ROOT / "checkpoints"))
    assert "points" in opened().partition("**Here**")[2]


def test_what_was_drawn_ahead_is_what_the_shipped_networks_draw() -> None:
    assert json.loads(DRAWN.read_text()) == json.loads(json.dumps(opening()))


def test_it_is_drawn_without_pytorch() -> None:
    code = "import ui.first.shown, ui.links, gpcore.verdicts.experiments, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"
