"""Runs that are trained together: each one's result is the same as alone."""

import shutil
import threading
from pathlib import Path

import pytest
import tiny
import torch

from gpcore.runs import stacked_runs
from gpcore.runs.stacked_runs import Together
from gpcore.runs.store import Store
from gpcore.runs.study import Study
from gpcore.runs.study_training import train_elsewhere


@pytest.fixture(scope="module")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three", 30)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def crews(monkeypatch) -> list[int]:
    """How many runs each crew had."""
    found: list[int] = []
    train = stacked_runs._train

    def counting(crew, dataset):
        found.append(len(crew))
        train(crew, dataset)

    monkeypatch.setattr(stacked_runs, "_train", counting)
    return found


def study(images: Path, epochs: int = 3) -> Study:
    return Study(("gap", "gmp"), (0, 1), (f"folder:{images}",), (tiny.recipe(images, epochs),))


def run_through(store: Store, asked: Study, runs: int) -> None:
    for _ in train_elsewhere(asked, store, Together(runs, Path("nowhere"), "cpu").place, runs):
        pass


def test_a_crew_leaves_what_each_leaves_alone(store, images, crews, tmp_path):
    run_through(store, study(images), 4)
    assert crews == [4]
    alone = Store(tmp_path / "alone")
    for run in store.runs():
        assert run.status == "finished"
        assert tiny.outcome(store, run.id) == tiny.outcome(alone, tiny.train(alone, run.recipe))


def test_more_runs_than_a_crew_has_room_for_come_in_turn(store, images, crews):
    run_through(store, study(images, 1), 2)
    assert crews == [2, 2]
    assert {run.status for run in store.runs()} == {"finished"}


def test_a_run_is_stopped_alone_and_goes_on_to_the_same_bits(store, images, crews, tmp_path):
    asked = study(images, 40)
    thread = threading.Thread(target=run_through, args=(store, asked, 4))
    thread.start()
    tiny.wait_until(lambda: len(store.runs()) == 4 and all(run.epochs_done for run in store.runs()))
    stopped = store.runs()[0]
    store.request_stop(stopped.id)
    thread.join()
    assert sorted(run.status for run in store.runs()) == ["finished"] * 3 + ["stopped"]
    assert 0 < store.run(stopped.id).epochs_done < 40
    run_through(store, asked, 4)
    assert crews == [4, 1]
    alone = Store(tmp_path / "alone")
    assert tiny.outcome(store, stopped.id) == tiny.outcome(alone, tiny.train(alone, stopped.recipe))


def test_what_is_wrong_with_the_data_is_what_every_run_says(store, images, tmp_path):
    bad = Path(shutil.copytree(images, tmp_path / "bad"))
    asked = Study(("gap", "gmp"), (0,), (f"folder:{bad}",), (tiny.recipe(bad, 1, train_images=100_000),))
    run_through(store, asked, 2)
    assert {run.status for run in store.runs()} == {"failed"}
    assert all("training images" in run.error for run in store.runs())


def test_a_crew_that_the_memory_has_no_room_for_is_trained_in_halves(store, images, crews, monkeypatch):
    fitting = stacked_runs.fit_together

    def crowded(recipes, dataset, states):
        if len(recipes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fitting(recipes, dataset, states)

    monkeypatch.setattr(stacked_runs, "fit_together", crowded)
    run_through(store, study(images, 1), 4)
    assert crews == [4, 2, 2]
    assert {run.status for run in store.runs()} == {"finished"}
