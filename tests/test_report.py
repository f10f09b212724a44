"""The report: one file, opened by a real browser that may load nothing else."""

import shlex
from pathlib import Path

import pytest
import tiny
from playwright.sync_api import expect

from gpcore.cli.main import main
from gpcore.recipe import MODERN
from gpcore.report.page import page
from gpcore.report.sources import collected
from gpcore.runs.command_lines import study_commands, train_command
from gpcore.runs.store import Store


@pytest.fixture(scope="module")
def trained(fashion, tmp_path_factory) -> Store:
    """GAP with two seeds and an MLP with one."""
    folder = tmp_path_factory.mktemp("report")
    images, store = tiny.make_folder(fashion, folder / "three", 20), Store(folder / "store")
    for pool, seed in (("gap", 0), ("gap", 1), ("gmp", 0), ("mlp", 1)):
        tiny.train(store, tiny.recipe(images, epochs=2, pool=pool, seed=seed))
    return store


@pytest.fixture(scope="module")
def report(trained: Store, data_folder: Path) -> Path:
    out = trained.folder.parent / "report.html"
    options = ["--store", str(trained.folder), "--also-from", str(trained.folder), "--data", str(data_folder)]
    assert main(["report", "--out", str(out), *options]) == 0
    return out


@pytest.mark.browser
def test_every_figure_is_drawn_with_the_network_blocked(browser_page, report: Path) -> None:
    asked, complaints = [], []
    browser_page.context.set_offline(True)
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    browser_page.goto(report.as_uri())
    expect(browser_page.get_by_role("heading", level=1)).to_have_text("Which pooling wins, and by how much?")
    for summary in browser_page.locator("details.chapter:not([open]) > summary").all():
        summary.click()
    browser_page.evaluate("dispatchEvent(new Event('beforeprint'))")
    figures = browser_page.locator(".figure")
    assert figures.count() >= 12
    drawn = browser_page.locator(
        ".target .main-svg:first-child .cartesianlayer, .charts canvas, .figure > svg circle:last-child"
    )
    expect(drawn).not_to_have_count(0)
    for figure in figures.all():
        expect(figure.locator(".cartesianlayer .trace, .cartesianlayer .hm, canvas, circle").first).to_be_attached()
        assert figure.bounding_box()["height"] > 90
        assert "python -m gpcore" in figure.locator("xpath=ancestor::section").inner_text()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []


def test_the_page_tells_the_verdict_the_rule_and_the_commands(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert text.count("plotly.js v") == 1
    assert "not settled" in text
    assert "Bonferroni" in text
    assert "The article&#39;s claim that linear heads overfit" in text
    assert "default-src 'none'" in text


def test_the_page_names_the_command_that_makes_it_again(trained: Store, own_copy: Path, data_folder: Path) -> None:
    source = collected(trained.folder, [own_copy], None, data_folder)
    options = shlex.split(source.command)[3:]
    folders = ["--store", str(trained.folder), "--also-from", str(own_copy), "--data", str(data_folder)]
    assert options[:9] == ["report", "--out", "report.html", *folders]
    again = collected(trained.folder, [own_copy], options[10::2], data_folder)
    assert [run.id for run in again.chosen] == [run.id for run in source.chosen]


def test_titles_can_not_break_out_and_runs_that_were_deleted_are_sentences(own_copy: Path, data_folder: Path) -> None:
    store = Store(own_copy)
    first, second = store.runs()
    store.rename(first.id, "</script><script>alert(1)</script>")
    source = collected(own_copy, [own_copy], None, data_folder)
    told = page(source)
    assert "alert(1)" in told
    assert "<script>alert" not in told
    store.delete(second.id)
    assert f"{second.id} was deleted from" in page(source)


def test_the_commands_train_nothing_where_all_is_there(trained: Store, data_folder: Path, capsys) -> None:
    records = trained.runs()
    seeds: dict[str, list[int]] = {}
    for record in records:
        seeds.setdefault(record.recipe.pool, []).append(record.recipe.seed)
    commands = study_commands(records[0].recipe, seeds, str(trained.folder))
    assert len(commands) == 3
    for command in commands:
        assert main([*shlex.split(command)[3:], "--data", str(data_folder)]) == 0
    assert len(trained.runs()) == len(records)


def test_a_train_command_names_whatever_differs_from_the_recipe() -> None:
    recipe = MODERN.but(pool="lse", seed=3, train_images=100, augmentation="flip", dataset="folder:my pictures")
    assert train_command(recipe, "runs") == (
        "python -m gpcore train --recipe modern --epochs 20 --set augmentation=flip --set train_images=100 --pool lse "
        "--dataset 'folder:my pictures' --seed 3 --store runs"
    )
    assert study_commands(MODERN, {"gap": [0, 1, 2, 5], "gmp": [5, 2, 1, 0]}, "runs") == [
        "python -m gpcore study --recipe modern --epochs 20 --datasets fashion-mnist --pools gap,gmp --seeds 0-2,5 --store runs"
    ]


def test_no_weights_and_no_runs_are_sentences(trained: Store, tmp_path: Path, data_folder: Path, capsys) -> None:
    for path in trained.folder.glob("*mlp*/epoch-*"):
        path.rename(tmp_path / path.name)
    mlp = next(record.id for record in trained.runs() if record.recipe.pool == "mlp")
    told = page(collected(trained.folder, [trained.folder], [mlp], data_folder))
    assert f"{mlp} has no weights yet" in told
    empty = Store(tmp_path / "empty").folder
    assert main(["report", "--out", str(tmp_path / "x.html"), "--store", str(empty), "--also-from", str(empty)]) == 2
    assert "There is no trained run" in capsys.readouterr().err
