"""Worker processes: as many as wait and fit, none twice, none left behind, and none restarted that only breaks down."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from gpcore.runs import launcher
from gpcore.runs.store import Store
from gpcore.training.state import find_device


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def started():
    """The workers that a test starts; they are ended with it."""
    processes: dict[int, subprocess.Popen] = {}
    yield processes
    for process in processes.values():
        process.kill()
        process.wait()


def test_workers_are_started_for_what_waits_and_train_it(store, images, started, tmp_path):
    store.set_parallel(2)
    launcher.start_missing(store, tmp_path, started)
    assert started == {}
    runs = [store.add(tiny.recipe(images, epochs=1, seed=seed)) for seed in range(3)]
    launcher.start_missing(store, tmp_path, started)
    first = dict(started)
    assert sorted(first) == [0, 1]
    launcher.start_missing(store, tmp_path, started)
    assert started == first
    tiny.wait_until(lambda: store.idle(), 120)
    assert {store.run(run).status for run in runs} == {"finished"}
    assert launcher.broken_down(store, started) is None
    assert all(process.poll() is None for process in first.values())  # they linger: the next run starts at once
    for process in first.values():
        process.kill()
        process.wait()
    del started[1]
    store.add(tiny.recipe(images, epochs=1, seed=8))
    launcher.start_missing(store, tmp_path, started)
    assert started[0] is not first[0]


def test_a_slot_that_another_process_holds_is_left_alone(store, images, started, tmp_path):
    store.set_parallel(2)
    store.add(tiny.recipe(images))
    with contextlib.ExitStack() as held:
        assert all(held.enter_context(launcher.holding_slot(store.folder, slot)) for slot in range(2))
        launcher.start_missing(store, tmp_path, started)
        assert started == {}
        with launcher.holding_slot(store.folder, 1) as free:
            assert not free


def test_a_worker_that_breaks_down_says_so_and_is_not_started_again(store, images, started, tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 3\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(broken))
    store.set_parallel(1)
    store.add(tiny.recipe(images))
    launcher.start_missing(store, tmp_path, started)
    broken_worker = started[0]
    broken_worker.wait()
    assert "A worker broke down (no such module):" in launcher.broken_down(store, started)
    launcher.start_missing(store, tmp_path, started)
    assert started[0] is broken_worker


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_ended_leaves_its_run_in_the_queue(store, images, end):
    run = store.add(tiny.recipe(images, epochs=3000))
    process = tiny.start("worker", "--parallel", 1, "--store", store.folder, "--device", "cpu")
    tiny.wait_until(lambda: store.run(run).epochs_done, 120)
    process.send_signal(end)
    said, _ = process.communicate(timeout=60)  # its output ends when the last of its processes has
    assert "Traceback" not in said
    assert store.run(run).status == "queued"
    assert store.run_folder(run).glob("state-*.safetensors")
    with launcher.holding_slot(store.folder, 0) as free:
        assert free


def test_as_many_runs_at_once_as_there_are_cores_unless_somebody_says_otherwise(store):
    if find_device().type == "cpu":
        assert launcher.parallel(store) == launcher.default_parallel() == len(os.sched_getaffinity(0))
    store.set_parallel(5)
    assert launcher.parallel(store) == 5
