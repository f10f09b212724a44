"""What others wrote is shown as text: names of runs, datasets and recipes, errors, links, and cells of spreadsheets."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import tiny
from streamlit.testing.v1 import AppTest

from gpcore.runs.store import Store
from ui.wording import cell, plain

HOSTILE = "[log in](http://evil.example) ![x](http://evil.example/x.png) :red[now] $x$ <b>b</b> www.evil.example"

UNESCAPED = re.compile(r"(?<!\\)\[log in|(?<!\\)!?\[x\]|http://evil|www\.evil|(?<!\\)<b>|(?<!\\):red")
"""What would be a link, an image, a colour or HTML where Markdown is read."""

MARKDOWN = ("markdown", "caption", "error", "warning", "info", "success", "title", "header", "subheader", "metric", "button")
"""Streamlit's elements that read Markdown."""


@pytest.fixture
def hostile_store(app_environment: Path, filled_store: Path) -> Path:
    """An own store whose run, recipe and dataset have hostile names, with a failed run and one whose row is damaged."""
    folder = Path(shutil.copytree(filled_store, app_environment))
    with closing(sqlite3.connect(folder / "runs.db")) as connection, connection:
        connection.execute("UPDATE runs SET title = ?", (HOSTILE[:100],))
        connection.execute("UPDATE runs SET status = 'failed', error = ? WHERE id LIKE '%gap%'", (HOSTILE,))
        recipe = "json_set(recipe, '$.dataset', ?, '$.name', 'article')"
        connection.execute(f"UPDATE runs SET recipe = {recipe} WHERE id LIKE '%gmp%'", (f"folder:/tmp/{HOSTILE}",))
        row = connection.execute("SELECT * FROM runs WHERE id LIKE '%gap%'").fetchone()
        places = ",".join("?" * len(row))
        connection.execute(f"INSERT INTO runs VALUES ({places})", (HOSTILE, *row[1:]))
    Store(folder)
    return folder


@pytest.mark.parametrize("page", ["compare", "train", "inside", "classify", "about"])
def test_no_page_renders_what_others_wrote(hostile_store, page):
    app = AppTest.from_file(tiny.ROOT / "pages" / f"{page}.py", default_timeout=60)
    app.query_params["runs"] = ["runs/article-gap-seed0", "runs/article-gmp-seed0", HOSTILE]
    app.query_params["first"] = HOSTILE
    app.run()
    assert not app.exception
    texts = [str(getattr(each, "label", "")) + str(each.value) for kind in MARKDOWN for each in app.get(kind)]
    assert any("evil" in text for text in texts)
    assert not [text for text in texts if UNESCAPED.search(text)]


def test_text_is_escaped_and_cells_are_no_formulas():
    assert not UNESCAPED.search(plain(HOSTILE))
    assert (
        plain("learning_rate is 0.1: it must lie between 1e-8 and 10.")
        == "learning_rate is 0.1: it must lie between 1e-8 and 10."
    )
    rows = pd.DataFrame([{"run": "=HYPERLINK(1)", "n": -1.5, "x": "@sum"}, {"run": "plain", "n": 2, "x": None}])
    assert rows.map(cell).to_csv(index=False) == "run,n,x\n'=HYPERLINK(1),-1.5,'@sum\nplain,2.0,\n"
