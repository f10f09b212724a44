"""Studies on a real Ray cluster of this machine: the same bits as `train`, whoever is killed, and nothing left behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import tiny

from gpcore.cli.main import main
from gpcore.data.datasets import load_dataset
from gpcore.errors import DatasetError
from gpcore.runs.ray_cluster import train_remotely
from gpcore.runs.store import Store
from gpcore.runs.training_states import pack
from gpcore.training.state import TrainingState, find_device

DATA = Path("nowhere")


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def test_a_study_on_ray_leaves_what_train_leaves_though_a_worker_is_killed(store, images, tmp_path):
    alone = Store(tmp_path / "alone")
    expected = {pool: tiny.train(alone, tiny.recipe(images, 8, pool=pool)) for pool in ("gap", "gmp")}
    process = tiny.start(*tiny.study(store, images, 8), "--ray", "local", "--json", stderr=subprocess.DEVNULL)
    tiny.wait_until(lambda: any(0 < run.epochs_done < 8 for run in store.runs()))
    killed = tasks_of(process)
    for task in killed:
        task.kill()
    said, _ = process.communicate(timeout=60)
    assert killed
    assert process.returncode == 0
    assert json.loads(said)["unfinished"] == []
    for run in expected.values():
        assert tiny.outcome(store, run) == tiny.outcome(alone, run)
        assert store.run(run).progress["step"] == store.run(run).progress["steps"]
    assert not list(store.folder.glob(".worker-*"))  # no worker of this machine had a hand in it


def test_a_study_on_ray_is_stopped_by_ctrl_c_and_ray_is_gone(store, images):
    process = tiny.start(*tiny.study(store, images, 3000), "--ray", "local", "--parallel", 1)
    tiny.wait_until(lambda: any(run.epochs_done for run in store.runs()))
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "three-modern-gap-seed0: stopped" in said
    assert "Traceback" not in said
    [run] = store.runs()
    assert (run.status, run.error) == ("stopped", None)
    assert store.claim(run.id)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive


def tasks_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes in which a Ray that `process` has started trains."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "train_remotely" in " ".join(child.cmdline())]


def test_what_a_task_finds_wrong_is_told_as_it_is_here(images, fashion):
    recipe = tiny.recipe(images, 1, train_images=1000)
    dataset = load_dataset(recipe.dataset, DATA)
    state = TrainingState.fresh(recipe, dataset, find_device("cpu"))
    [(error, packed)] = train_remotely(recipe.to_json(), dataset, pack(state))
    assert isinstance(error, DatasetError)
    assert "has 144 training images" in str(error)
    assert packed is None


def test_without_ray_there_is_one_sentence(store, images, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*tiny.study(store, images, 1), "--ray", "local"]) == 2
    assert capsys.readouterr().err == (
        "Error: --ray needs Ray, which is not installed: `pip install -r requirements-ray.txt`, or leave --ray out.\n"
    )
    assert store.runs() == []
