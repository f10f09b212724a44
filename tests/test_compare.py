"""The page Compare, over an empty store and over runs that were really trained."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gpcore.runs.store import Store

full_store = pytest.mark.usefixtures("app_environment")


def shown(page: AppTest) -> str:
    """All text of a page."""
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.success, *page.info, *page.error, *page.title, *page.subheader]
    return "\n".join(str(part.value) for part in parts)


@full_store
def test_both_runs_are_compared(filled_store: Path) -> None:
    page = AppTest.from_file("../app.py", default_timeout=60).run()
    text = shown(page)
    assert "points** ahead" in text or "equally many" in text
    assert len(page.metric) == 2
    records = Store(filled_store, read_only=True).runs()
    assert [metric.value for metric in page.metric] == [f"{record.last.validation_accuracy:.2%}" for record in records]
    assert "18,370 parameters" in text
    assert "on the logits" in text
    table = page.dataframe[0].value
    assert set(table["run"]) == {f"{filled_store.name}/{record.id}" for record in records}


@full_store
def test_one_run_alone_and_none() -> None:
    page = AppTest.from_file("../app.py", default_timeout=60).run()
    first = page.multiselect(key="runs").value[0]
    page.multiselect(key="runs").set_value([first]).run()
    assert len(page.metric) == 1
    assert "ahead" not in shown(page)
    page.multiselect(key="runs").set_value([]).run()
    assert "Choose at least one run" in shown(page)


@full_store
def test_damaged_weights_are_a_sentence(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in own_copy.glob("*/epoch-*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(own_copy))
    page = AppTest.from_file("../app.py", default_timeout=60).run()
    assert not page.exception
    assert "damaged" in page.error[0].value


@pytest.mark.usefixtures("empty_environment")
def test_empty_store_says_what_to_do() -> None:
    assert "no trained runs yet" in shown(AppTest.from_file("../app.py", default_timeout=60).run())
