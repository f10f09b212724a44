"""Stores that came from elsewhere, are damaged, old or new: nothing outside them is touched, and what is whole is shown."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import tiny
from tiny import write_tensors

from gpcore.cli.main import main
from gpcore.data import folder_layout
from gpcore.errors import CheckpointError, ClaimLostError, DatasetError, GpcoreError, NotAllowedError, StoreError
from gpcore.instance import Instance, Visitor
from gpcore.nets.checkpoints import read_tensors
from gpcore.recipe import ARTICLE, MODERN
from gpcore.runs import claims, worker
from gpcore.runs.catalogue import Catalogue
from gpcore.runs.database import VERSION
from gpcore.runs.run import open_run
from gpcore.runs.store import Store
from gpcore.runs.upkeep import repair

RUN = "article-gap-seed0"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def change(folder: Path, query: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "runs.db")) as connection, connection:
        connection.execute(query, values)


@pytest.mark.parametrize("identity", ["{precious}", "..", "", ".", "../precious", "A B", "x/../../precious", "-rf"])
def test_an_id_names_no_folder_outside_the_store(store, tmp_path, identity):
    precious = tmp_path / "precious"
    (precious / "thesis").mkdir(parents=True)
    identity = identity.format(precious=precious)
    run = store.add(ARTICLE.but(epochs=1))
    change(store.folder, "UPDATE runs SET id = ?", identity)
    with pytest.raises(StoreError, match=r"is not a run's folder"):
        store.run_folder(identity)
    claim = store.claim()
    with pytest.raises(StoreError, match=r"can't be read \(an id has small letters"):
        list(worker.train(store, claim, tmp_path))
    assert store.runs() == []
    assert len(store.damaged()) == 1
    store.delete(identity)
    assert (precious / "thesis").is_dir()
    assert store.folder.is_dir()
    assert store.ids() == set(), run


def test_links_are_not_followed(store, tmp_path, images_elsewhere):
    run = store.add(tiny.recipe(images_elsewhere, epochs=1))
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "epoch-001.safetensors").write_text("mine")
    (store.folder / run).symlink_to(precious)
    with pytest.raises(GpcoreError, match=r"is not a run's folder"):
        list(worker.train(store, store.claim(), tmp_path))
    store.delete(run)
    assert (precious / "epoch-001.safetensors").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "runs.db").symlink_to(store.folder / "runs.db")
    with pytest.raises(StoreError, match=r"is a link, which is not followed"):
        Store(other)


def test_a_log_that_is_a_link_is_not_written(store, tmp_path):
    from gpcore.runs import launcher

    (tmp_path / "profile").write_text("mine")
    (store.folder / "worker.log").symlink_to(tmp_path / "profile")
    store.add(ARTICLE)
    with pytest.raises(OSError, match="symbolic"):
        launcher.start_missing(store, tmp_path, {})
    assert (tmp_path / "profile").read_text() == "mine"


def test_the_queue_of_a_copied_store_is_not_started(store, tmp_path):
    waiting, running = store.add(ARTICLE), store.add(ARTICLE.but(seed=1))
    held = store.claim(running)
    copy = Store(shutil.copytree(store.folder, tmp_path / "copy"))
    assert copy.active() == []
    assert {run.status for run in copy.runs()} == {"stopped"}
    assert "came from elsewhere" in copy.run(waiting).error
    copy.resume(waiting)
    assert [run.id for run in Store(copy.folder).active()] == [waiting]
    assert not store.alive(held)  # the one that was copied knows nothing of it
    moved = store.folder.rename(tmp_path / "moved")
    assert [run.id for run in Store(moved).active()] == [running, waiting]


def test_a_store_of_before_there_were_versions_is_brought_up_to_date(own_copy):
    change(own_copy, "PRAGMA user_version = 0")
    for column in ("beat", "boot", "deaths", "died_at"):
        change(own_copy, f"ALTER TABLE runs DROP COLUMN {column}")
    before = (own_copy / "runs.db").read_bytes()
    assert [run.epochs_done for run in Store(own_copy, read_only=True).runs()] == [2, 2]
    assert Store(own_copy, read_only=True).waiting() == 0
    assert (own_copy / "runs.db").read_bytes() == before
    store = Store(own_copy)
    store.extend(RUN, 3)
    store.resume(RUN)
    assert store.claim().run == RUN


def test_a_newer_store_is_refused_in_a_sentence(own_copy):
    change(own_copy, f"PRAGMA user_version = {VERSION + 1}")
    for open_it in (Store, Catalogue, lambda folder: Store(folder, read_only=True).runs()):
        with pytest.raises(StoreError, match=rf"written by a newer Poolscope \(store version {VERSION + 1}"):
            open_it(own_copy)


DAMAGE = {
    "an unknown field": ("recipe", json.dumps(ARTICLE.to_json() | {"telepathy": 1})),
    "no JSON": ("recipe", "{"),
    "deep JSON": ("recipe", "[" * 100_000),
    "bytes": ("title", b"\xff\xfe"),
    "a wrong progress": ("progress", "[1]"),
    "an unknown status": ("status", "exploded"),
    "a text as time": ("created", "yesterday"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_row_is_named_and_the_others_are_shown(own_copy, damage):
    column, value = DAMAGE[damage]
    change(own_copy, f"UPDATE runs SET {column} = ? WHERE id = ?", value, RUN)
    catalogue, store = Catalogue(own_copy), Store(own_copy)
    assert [run.id for run in catalogue.runs()] == [run.id for run in store.runs()] == ["article-gmp-seed0"]
    assert catalogue.damaged == store.damaged() != []
    assert f"The run '{RUN}' can't be read" in store.damaged()[0]
    with pytest.raises(StoreError, match="can't be read"):
        store.run(RUN)
    store.delete(RUN)
    assert store.damaged() == []


@pytest.mark.parametrize("value", ["[[1]]]", "[[1, 2]]", '[["x"]]', "{}1", None])
def test_a_damaged_epoch_is_a_sentence(own_copy, value):
    query = "UPDATE epochs SET confusion = ? WHERE run = ?"
    change(own_copy, query, "7" if value is None else value, RUN)
    with pytest.raises(StoreError, match=r"^The epochs of article-gap-seed0 can't be read"):
        Store(own_copy).epochs(RUN)
    change(own_copy, "UPDATE batch_losses SET losses = 'x' WHERE run = ?", RUN)
    with pytest.raises(StoreError, match=r"^The batch losses of article-gap-seed0 can't be read"):
        list(Store(own_copy).batch_losses(RUN))


def test_a_run_without_a_heartbeat_is_taken_up_again(store):
    run = store.add(ARTICLE)
    store.claim()
    change(store.folder, "UPDATE runs SET heartbeat = NULL, beat = NULL, boot = NULL, token = NULL")
    assert store.claim().run == run


def test_a_clock_that_is_ahead_takes_no_living_run(store, monkeypatch):
    store.add(ARTICLE)
    held = store.claim()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert store.claim() is None
    assert not store.alive(held)


def test_three_deaths_at_one_place_are_enough(store):
    run = store.add(ARTICLE)
    for death in range(1, claims.MOST_DEATHS + 1):
        claim = store.claim()
        store.tell(claim, {"doing": "reading the dataset"})
        claim.lock.release()  # as the system does when it kills the worker
        expected = "failed" if death == claims.MOST_DEATHS else "running"
        store.request_stop("nothing") if expected == "failed" else None
        assert store.run(run).status == expected
    assert "died 3 times in a row while reading the dataset (epoch 1)" in store.run(run).error
    assert store.claim() is None
    store.resume(run)
    assert store.claim().run == run


def test_a_worker_has_a_limit_of_memory(store, tmp_path):
    code = "from gpcore.runs.launcher import limit_memory; limit_memory(0.2); bytearray(10**9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, text=True)
    assert "MemoryError" in done.stderr
    assert worker._reason(MemoryError()).startswith("Training needs more memory than a worker may take")


def test_the_doctor_frees_what_no_run_needs_and_leaves_the_rest(own_copy, capsys):
    (own_copy / "deleted-run").mkdir()
    (own_copy / "deleted-run" / "epoch-001.safetensors").write_bytes(b"x" * 2_000_000)
    (own_copy / "notes").mkdir()
    (own_copy / "notes" / "thesis.txt").write_text("mine")
    unfinished = own_copy / RUN / ".epoch-009.safetensors.1234abcd"
    unfinished.write_bytes(b"x")
    os.utime(unfinished, (0, 0))
    store = Store(own_copy)
    claim = store.claim(store.add(MODERN))
    claim.lock.release()
    assert main(["doctor", "--store", str(own_copy)]) == 0
    told = capsys.readouterr().out
    for part in ("1 runs whose worker died", "deleted-run belonged to no run and was removed: 2.0 MB freed", "never finished"):
        assert part in told
    assert not (own_copy / "deleted-run").exists()
    assert (own_copy / "notes" / "thesis.txt").is_file()
    store.weights(RUN, 2).unlink()
    assert [line for line in repair(store) if "lacks the weights of its last epoch 2" in line]
    assert main(["doctor", "--store", str(own_copy / "nowhere")]) == 2


def test_the_commands_stop_rename_and_delete(store, capsys):
    runs = [store.add(ARTICLE.but(seed=seed)) for seed in range(4)]
    claim, where = store.claim(runs[0]), ["--store", str(store.folder), "--json"]
    assert main(["stop", runs[1], *where]) == 0
    assert main(["rename", runs[1], "A better title", *where]) == 0
    assert (store.run(runs[1]).status, store.run(runs[1]).title) == ("stopped", "A better title")
    assert main(["stop", "--queue", *where]) == 0
    assert store.ids() == {runs[0], runs[1]}
    assert main(["stop", "--all", *where]) == 0
    assert store.alive(claim)
    assert main(["delete", runs[1], *where]) == 2  # nobody confirmed it
    assert main(["delete", runs[1], "--yes", *where]) == 0
    assert store.ids() == {runs[0]}
    assert main(["delete", "no-such-run", "--yes", *where]) == 2
    capsys.readouterr()


def visitor(mode, **settings) -> Visitor:
    return Visitor(Instance(mode=mode, **settings))


def test_roles_are_checked_in_the_store(own_copy, tmp_path):
    store = Store(own_copy, visitor=visitor("demo"))
    for ask in (
        lambda: store.add(ARTICLE),
        lambda: store.add_twin(RUN, "lse"),
        lambda: store.request_stop(RUN),
        lambda: store.resume(RUN),
        lambda: store.extend(RUN, 9),
        lambda: store.rename(RUN, "mine"),
        lambda: store.delete(RUN),
        store.stop_all,
        store.clear_queue,
        lambda: store.set_parallel(64),
    ):
        with pytest.raises(NotAllowedError, match=r"Visitors of this instance can't"):
            ask()
    assert [run.title for run in store.runs()] == [RUN, "article-gmp-seed0"]
    student = Store(own_copy, visitor=visitor("train", epochs=5, queue=2))
    student.add(ARTICLE.but(epochs=5))
    with pytest.raises(NotAllowedError, match=r"epochs is 10,000: a run has at most 5"):
        student.add(ARTICLE.but(epochs=10_000))
    student.add(ARTICLE.but(epochs=5))
    with pytest.raises(NotAllowedError, match=r"2 runs wait already"):
        student.add(ARTICLE.but(epochs=5))
    for ask in (lambda: student.delete(RUN), lambda: student.set_parallel(64)):
        with pytest.raises(NotAllowedError):
            ask()
    with pytest.raises(NotAllowedError, match=r"The runs kept and queued take"):
        Store(own_copy, visitor=visitor("own", disk_gb=0.0001)).add(ARTICLE)


def test_only_folders_that_the_owner_names_are_read(store, tmp_path):
    inside, outside = tmp_path / "shown" / "pets", tmp_path / "private"
    for folder in (inside, outside / "letters"):
        folder.mkdir(parents=True)
    (tmp_path / "shown" / "way-out").symlink_to(outside)
    mine = Store(store.folder, visitor=visitor("own", folders=(str(tmp_path / "shown"),)))
    mine.add(ARTICLE.but(dataset=f"folder:{inside}"))
    for path in (outside, "/etc", "/proc/self", tmp_path / "shown" / ".." / "private", tmp_path / "shown" / "way-out", "/"):
        with pytest.raises(GpcoreError, match=r"is outside the folders that this instance reads") as refused:
            mine.add(ARTICLE.but(dataset=f"folder:{path}"))
        assert "letters" not in str(refused.value)


@pytest.fixture(scope="module")
def images_elsewhere(fashion, tmp_path_factory):
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("data") / "clothes", images=20)


WEIGHTS = {
    "not a number": lambda tensors, metadata: tensors["network.0.weight"].fill_(float("nan")),
    "infinite": lambda tensors, metadata: tensors["network.0.bias"].fill_(float("inf")),
    "whole numbers": lambda tensors, metadata: tensors.update({"network.0.bias": tensors["network.0.bias"].int()}),
    "a thousand million classes": lambda tensors, metadata: metadata.update(classes="1000000000"),
    "classes that are no names": lambda tensors, metadata: metadata.update(classes="[1, 2]"),
    "no JSON": lambda tensors, metadata: metadata.update(classes="["),
    "a huge image": lambda tensors, metadata: metadata.update(image_shape="[1, 100000, 100000]"),
    "a negative image": lambda tensors, metadata: metadata.update(image_shape="[1, -1, 28]"),
    "no shape": lambda tensors, metadata: metadata.pop("image_shape"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_hostile_weights_are_one_sentence(own_copy, kind):
    path = own_copy / RUN / "epoch-002.safetensors"
    tensors, metadata = read_tensors(path)
    metadata.pop("sha256")
    WEIGHTS[kind](tensors, metadata)
    write_tensors(path, tensors, metadata)
    with pytest.raises(CheckpointError, match=r"epoch-002\.safetensors"):
        open_run(RUN, own_copy).network()
    (own_copy / RUN / "epoch-xyz.safetensors").write_text("garbage")
    assert open_run(RUN, own_copy).saved_epochs == [1, 2]


def test_a_dataset_that_never_ends_is_left_when_the_run_is_stopped_or_deleted(store, tmp_path, monkeypatch):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        os.mkfifo(tmp_path / "pets" / name / "picture.png")
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.05)

    def never_ending(recipe, keep):
        (tmp_path / "pets" / "cat" / "picture.png").read_bytes()  # nobody writes into this pipe

    place = worker.Place(never_ending, worker.fit, "cpu")
    run = store.add(ARTICLE.but(dataset=f"folder:{tmp_path / 'pets'}"))
    threading.Timer(0.3, store.request_stop, [run]).start()
    assert list(worker.train_at(store, store.claim(), place)) == []
    assert store.run(run).status == "stopped"
    store.resume(run)
    threading.Timer(0.3, store.delete, [run]).start()
    with pytest.raises(ClaimLostError):
        list(worker.train_at(store, store.claim(), place))
    store.add(ARTICLE)
    monkeypatch.setattr(worker, "READING_SECONDS", 0.3)
    with pytest.raises(DatasetError, match="Reading fashion-mnist did not end"):
        list(worker.train_at(store, store.claim(), place))


def test_a_folder_is_listed_within_bounds_and_no_pipe_is_opened(images_elsewhere, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(images_elsewhere, tmp_path / "pictures"))
    os.mkfifo(folder / "Bag" / "pipe.png")
    (folder / "Bag" / "loop").symlink_to(folder)
    why = {each.why for each in folder_layout.list_folder(folder).skipped}
    assert why == {"is not a regular file", "is a link to a folder that is read already"}
    monkeypatch.setattr(folder_layout, "MOST_ENTRIES", 10)
    with pytest.raises(DatasetError, match="holds more than 10 files"):
        folder_layout.list_folder(folder)
