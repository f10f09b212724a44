"""The page Compare, over an empty store and over runs that were really trained."""

import shutil
import tempfile
from pathlib import Path

import pytest
import tiny
from streamlit.testing.v1 import AppTest

from gpcore.data.datasets import Dataset
from gpcore.report.chapters import Source, chapters
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from gpcore.verdicts.experiments import Experiment
from ui import started_workers
from ui.compare import seed_sections


@pytest.fixture
def images(fashion: Dataset, tmp_path: Path) -> Path:
    return tiny.make_folder(fashion, tmp_path / "three")


full_store = pytest.mark.usefixtures("app_environment")


def opened(timeout: int = 60) -> AppTest:
    """The page Compare, which is not the first one."""
    return (
        AppTest.from_file("../dashboard/navigation.py", default_timeout=timeout).run().switch_page("../pages/compare.py").run()
    )


def shown(page: AppTest) -> str:
    """All text of a page."""
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.success, *page.info, *page.error, *page.title, *page.subheader]
    return "\n".join(str(part.value) for part in parts)


@full_store
def test_both_runs_are_compared(filled_store: Path) -> None:
    page = opened()
    text = shown(page)
    assert "points ahead" in text or "equally many" in text
    assert len(page.metric) == 2
    records = Store(filled_store, read_only=True).runs()
    assert [metric.value for metric in page.metric] == [f"{record.last.validation_accuracy:.2%}" for record in records]
    assert "18,370 parameters" in text
    assert "on the logits" in text
    page.session_state["all-runs"] = True
    table = next(frame.value for frame in page.run().dataframe if "run" in frame.value)
    assert set(table["run"]) == {f"{filled_store.name}/{record.id}" for record in records}


@full_store
def test_one_run_alone_and_none() -> None:
    page = opened()
    first = page.multiselect(key="runs").value[0]
    page.multiselect(key="runs").set_value([first]).run()
    assert len(page.metric) == 1
    assert "McNemar" not in shown(page)
    page.multiselect(key="runs").set_value([]).run()
    assert "Choose at least one run" in shown(page)


@full_store
def test_a_title_is_shown_as_it_is_and_a_run_that_was_deleted_is_gone(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(own_copy))
    page = opened()
    first, second = Store(own_copy).runs()
    Store(own_copy).rename(first.id, "$a$ **b**")
    assert r"\$a\$ \*\*b\*\*" in shown(page.run())
    assert page.metric[0].label.startswith(r"\$a\$ \*\*b\*\* ·")
    Store(own_copy).delete(first.id)
    assert "McNemar" not in shown(page.run())
    assert page.multiselect(key="runs").value == [f"{own_copy.name}/{second.id}"]


@full_store
def test_damaged_weights_are_a_sentence(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in own_copy.glob("*/epoch-*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(own_copy))
    page = opened()
    assert not page.exception
    assert "damaged" in page.error[0].value
    assert page.multiselect(key="study-pools").value == ["gap", "gmp"]  # the rest of the page is there


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize("view", ["compare", "inside", "classify", "lab"])
def test_empty_store_says_what_to_do_and_leads_there(view: str) -> None:
    page = AppTest.from_file("../dashboard/navigation.py", default_timeout=60).run().switch_page(f"../pages/{view}.py").run()
    assert not page.exception
    assert "no trained runs yet" in shown(page)
    assert [link.proto.page for link in page.get("page_link")] == ["train"]


def test_a_study_is_queued_trained_and_judged(empty_environment: Path, images: Path) -> None:
    page = opened(120)
    assert "no trained runs yet" in shown(page)
    store = Store(empty_environment)
    tiny.train(store, tiny.recipe(images, epochs=1))
    assert "one seed only" in shown(page.run())
    page.multiselect(key="study-pools").set_value(["gap", "gmp"])
    page.selectbox(key="study-recipe").set_value("article")
    page.text_input(key="study-dataset").set_value(f"folder:{images}")
    page.slider(key="study-seeds").set_value(2)
    page.number_input(key="study-epochs").set_value(1)
    next(button for button in page.button if button.label == "Train what is missing").click()
    assert "of 4 runs were queued" in shown(page.run())
    tiny.wait_until(store.idle, 200)
    for process in started_workers.of(store).processes.values():
        process.kill()
        process.wait()
    text = shown(page.run())
    assert page.selectbox(key="setting").options == ["article on three, 1 epoch"]
    assert "Bonferroni" in text
    assert "At chance, so counted but not averaged" in text


def test_seeds_of_one_head_have_no_verdict_but_their_tabs(empty_environment: Path, images: Path) -> None:
    store = Store(empty_environment)
    for seed in (0, 1):
        tiny.train(store, tiny.recipe(images, epochs=1, seed=seed))
    page = opened()
    assert "with one head alone" in shown(page)
    assert page.selectbox(key="setting").options == ["modern on three, 1 epoch, batch size 8"]
    source = Source([Run(store, run) for run in store.runs()], [], Path("data"), store.folder)
    assert [chapter.title for chapter in chapters(source)] == ["modern on three, 1 epoch, batch size 8"]


def test_settings_on_folders_of_one_name_are_told_apart(images: Path, tmp_path: Path) -> None:
    first, second = (Experiment(tiny.recipe(folder, epochs=1), {}) for folder in (images, tmp_path / "other" / "three"))
    found = seed_sections.titled([first, second])
    assert list(found.values()) == [first, second]
    assert list(found) == [first.title, f"{second.title} (folder:{tmp_path}/other/three)"]


@full_store
def test_a_link_to_runs_that_are_gone_says_so() -> None:
    page = AppTest.from_file("../pages/compare.py", default_timeout=60)
    page.query_params["runs"] = ["checkpoints/article-gap-seed0", "checkpoints/gone"]
    assert "'checkpoints/gone'" in page.run().warning[0].value
    assert page.multiselect(key="runs").value == ["checkpoints/article-gap-seed0"]


def test_runs_whose_images_are_gone_keep_their_cards_and_curves(empty_environment: Path, images: Path) -> None:
    store = Store(empty_environment)
    for pool in ("gap", "gmp"):
        tiny.train(store, tiny.recipe(images, epochs=1, pool=pool))
    shutil.rmtree(images)
    page = opened()
    assert "There is no folder" in page.error[0].value
    assert len(page.metric) == 2
    assert [tab.label for tab in page.tabs] == ["Curves", "Confusion", "Calibration", "Starved classes"]


@full_store
def test_a_study_on_nothing_is_one_sentence() -> None:
    page = opened()
    page.text_input(key="study-dataset").set_value(f"folder:{tempfile.gettempdir()}/nowhere")
    next(button for button in page.button if button.label == "Train what is missing").click()
    assert f"There is no folder {tempfile.gettempdir()}/nowhere" in shown(page.run())
    assert "one seed only" in shown(page)
