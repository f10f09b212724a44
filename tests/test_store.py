"""The store: the queue, claims that can be lost, losses that a replay overwrites, and sentences for what goes wrong."""

import dataclasses
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tiny

from gpcore.errors import ClaimLostError, RecipeError, StoreError
from gpcore.recipe import ARTICLE, MODERN
from gpcore.runs import claims, database
from gpcore.runs.records import Epoch
from gpcore.runs.store import Store

EPOCH = Epoch(1, 1.5, 0.4, 0.41, 1.6, 0.3, 0.31, 3e-4, 2.0, [[3, 1], [2, 4]])


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def append_epoch(store: Store, claim: claims.Claim, epoch: Epoch = EPOCH) -> None:
    staged = store.run_folder(claim.run) / "staged"
    staged.parent.mkdir(exist_ok=True)
    staged.write_bytes(b"weights")
    store.append_epoch(claim, epoch, [1.0, 2.0], staged)


def test_a_run_is_queued_claimed_measured_and_finished(store):
    run = store.add(ARTICLE, title="The article's")
    assert run == "article-gap-seed0"
    record = store.run(run)
    assert (record.status, record.title, record.recipe, record.epochs_done) == ("queued", "The article's", ARTICLE, 0)
    claim = store.claim()
    store.append_losses(claim, 0, [2.3, 2.2], {"step": 2})
    append_epoch(store, claim)
    record = store.run(run)
    assert (record.status, record.progress, record.last, record.epochs_done) == ("running", {"step": 2}, EPOCH, 1)
    assert (record.seconds, record.best_accuracy) == (2.0, 0.3)
    store.release(claim, "finished")
    assert store.run(run).status == "finished"
    assert store.idle()
    assert list(store.batch_losses(run)) == [(0, pytest.approx(2.3)), (1, pytest.approx(2.2))]
    assert list(store.batch_losses(run, "validation")) == [(0, 1.0), (1, 2.0)]
    assert store.weights(run, 1).read_bytes() == b"weights"
    assert not list(store.folder.glob(".claim-*"))


def test_ids_can_be_read_and_never_meet(store):
    recipes = [
        ARTICLE,
        ARTICLE,
        MODERN.but(pool="gmp", seed=3),
        ARTICLE.but(dataset="mnist"),
        ARTICLE.but(dataset="folder:/a/My Cats"),
    ]
    assert [store.add(recipe) for recipe in recipes] == [
        "article-gap-seed0", "article-gap-seed0-2", "modern-gmp-seed3", "mnist-article-gap-seed0", "my-cats-article-gap-seed0",
    ]  # fmt: skip


def test_the_queue_is_taken_in_order_and_a_named_run_past_it(store):
    runs = [store.add(ARTICLE.but(seed=seed)) for seed in range(4)]
    assert [run.id for run in store.active()] == runs
    held = [store.claim(runs[2]), store.claim(), store.claim()]
    assert [claim.run for claim in held] == [runs[2], runs[0], runs[1]]
    assert store.claim(runs[0]) is None  # someone has it
    assert store.claim("no-such-run") is None
    assert store.waiting() == 1
    assert [run.id for run in store.active()] == [runs[0], runs[1], runs[2], runs[3]]


def test_many_workers_never_get_the_same_run(store):
    runs = {store.add(ARTICLE.but(seed=seed)) for seed in range(40)}
    taken: list[claims.Claim] = []

    def take() -> None:
        mine = Store(store.folder)
        while claim := mine.claim():
            taken.append(claim)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 40
    assert {claim.run for claim in taken} == runs


def test_a_claim_is_dead_as_soon_as_its_holder_is(store):
    run = store.add(ARTICLE)
    code = f"from gpcore.runs.store import Store; c = Store({str(store.folder)!r}).claim(); print(c.run, flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=tiny.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline().decode().strip() == run
    assert (store.waiting(), store.claim()) == (0, None)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert store.waiting() == 1
    assert store.claim().run == run


def test_a_holder_without_signs_of_life_is_replaced_and_writes_nothing_more(store, monkeypatch):
    run = store.add(ARTICLE)
    old = store.claim()
    assert not store.alive(old)
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.0)
    time.sleep(0.01)
    new = store.claim()
    monkeypatch.undo()
    assert new.run == run
    for write in (
        lambda: store.alive(old),
        lambda: store.tell(old, {}),
        lambda: store.append_losses(old, 0, [9.9], {}),
        lambda: append_epoch(store, old),
        lambda: store.publish(old, Path("nothing"), Path("nowhere")),
        lambda: store.release(old, "failed"),
    ):
        with pytest.raises(ClaimLostError, match=r"^article-gap-seed0 was deleted, stopped or taken over"):
            write()
    assert not store.weights(run, 1).exists()
    assert list(store.batch_losses(run)) == []
    store.release(new, "finished")


def test_a_copied_store_without_locks_waits_for_the_heartbeat(store, monkeypatch):
    store.add(ARTICLE)
    claim = store.claim()
    Path(claim.lock.lock_file).unlink()
    assert store.waiting() == 0
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.0)
    time.sleep(0.01)
    assert store.waiting() == 1


def test_stopping(store):
    waiting, running, orphaned = (store.add(ARTICLE.but(seed=seed)) for seed in range(3))
    store.request_stop(waiting)
    assert store.run(waiting).status == "stopped"
    claim = store.claim(running)
    assert not store.alive(claim)
    store.request_stop(running)
    assert store.alive(claim)
    assert store.run(running).stop_requested
    store.release(claim, "queued")  # the worker was asked to end at that moment: the person's wish stands
    assert store.run(running).status == "stopped"
    dead = store.claim(orphaned)
    dead.lock.release()
    store.request_stop(orphaned)
    assert store.run(orphaned).status == "stopped"


def test_a_run_asked_to_stop_whose_worker_then_dies_is_stopped(store):
    run = store.add(ARTICLE)
    claim = store.claim()
    store.request_stop(run)
    claim.lock.release()
    assert store.claim() is None
    assert store.run(run).status == "stopped"


def test_resuming_and_extending(store):
    run = store.add(ARTICLE.but(epochs=1))
    claim = store.claim()
    append_epoch(store, claim)
    with pytest.raises(StoreError, match=r"is being trained: stop it first"):
        store.extend(run, 3)
    store.release(claim, "finished")
    store.resume(run)
    assert store.run(run).status == "finished"
    with pytest.raises(StoreError, match=r"has 1 epochs already: extend it to more than that\.$"):
        store.extend(run, 1)
    with pytest.raises(RecipeError, match=r"^epochs is 20000: it must lie between 1 and 10,000\.$"):
        store.extend(run, 20_000)
    store.extend(run, 3)
    assert (store.run(run).status, store.run(run).recipe.epochs) == ("stopped", 3)
    store.resume(run)
    assert store.run(run).status == "queued"


def test_a_run_again_with_another_pooling_is_its_pair(store):
    run = store.add(MODERN.but(seed=4))
    other, third = store.add_twin(run, "gmp"), store.add_twin(run, "lse")
    assert store.run(other).recipe == MODERN.but(seed=4, pool="gmp")
    assert store.run(run).pair == store.run(other).pair == store.run(third).pair is not None


def test_renaming_and_deleting(store):
    run = store.add(ARTICLE)
    store.rename(run, "  Mine ")
    assert store.run(run).title == "Mine"
    with pytest.raises(StoreError, match="1 to 100 characters"):
        store.rename(run, " ")
    claim = store.claim()
    append_epoch(store, claim)
    store.delete(run)
    with pytest.raises(StoreError, match="There is no run 'article-gap-seed0'"):
        store.run(run)
    assert not store.run_folder(run).exists()
    with pytest.raises(ClaimLostError):
        append_epoch(store, claim)
    store.remove_leftovers(run)
    assert not store.run_folder(run).exists()


def test_replayed_losses_overwrite_and_never_double(store):
    store.add(ARTICLE)
    claim, expected, chance = store.claim(), {}, random.Random(0)
    for _ in range(60):
        first = chance.randrange(0, len(expected) + 1)
        losses = np.float32([chance.random() for _ in range(chance.randrange(1, 700))]).tolist()
        store.append_losses(claim, first, losses, {})
        expected |= dict(enumerate(losses, start=first))
        assert store.steps_done(claim.run) == len(expected)
    assert list(store.batch_losses(claim.run)) == sorted(expected.items())


@pytest.mark.parametrize("count", [0, 1, 7, 300, 5_000, 400_000])
def test_a_curve_has_few_points_that_say_what_all_losses_say(store, count):
    run = store.add(ARTICLE)
    losses = np.random.default_rng(0).random(count, np.float32)
    store.append_losses(store.claim(), 0, losses.tolist(), {})
    curve = store.loss_curve(run, at_most=500)
    assert len(curve.steps) <= 500
    assert len(curve.steps) > min(count, 500) / 2 or count == 0
    ends = [*curve.steps[1:], count]
    for start, end, mean, low, high in list(zip(curve.steps, ends, curve.mean, curve.low, curve.high, strict=False))[:-1]:
        part = losses[start:end]
        assert (mean, low, high) == (pytest.approx(part.mean(), abs=1e-4), part.min(), part.max())


def test_a_thousand_runs_are_listed_in_a_moment(store):
    confusion = json.dumps([[100] * 10] * 10)
    with sqlite3.connect(store.folder / "runs.db") as connection:
        for number in range(1000):
            values = (f"run-{number}", "t", json.dumps(ARTICLE.to_json()), "finished", number, number)
            connection.execute("INSERT INTO runs (id, title, recipe, status, created, position) VALUES (?,?,?,?,?,?)", values)
            rows = [(f"run-{number}", epoch, 1, 0.5, 0.5, 1, epoch / 60, 0.5, 3e-4, 2, confusion) for epoch in range(1, 61)]
            connection.executemany("INSERT INTO epochs VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
    connection.close()
    started = time.process_time()
    listed = store.runs()
    assert time.process_time() - started < 1
    assert len(listed) == 1000
    assert (listed[7].epochs_done, listed[7].seconds, listed[7].best_accuracy, listed[7].last.epoch) == (60, 120, 1, 60)
    started = time.process_time()
    assert store.active() == []
    assert time.process_time() - started < 0.05


def test_a_database_locked_for_a_while_is_waited_for(store):
    run = store.add(ARTICLE)
    claim = store.claim()
    other = tiny.held_by_another(store.folder / "runs.db", 1.0)
    assert store.run(run).status == "running"  # who only reads does not wait
    store.append_losses(claim, 0, [1.0], {})
    assert not other.is_alive()
    assert list(store.batch_losses(run)) == [(0, 1.0)]


def test_a_database_locked_for_good_is_one_clear_sentence(store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    other = tiny.held_by_another(store.folder / "runs.db", 1.0)
    with pytest.raises(StoreError, match=r"runs\.db has been busy for .* close the program that holds it, then try again\.$"):
        store.add(ARTICLE)
    other.join()
    assert store.runs() == []


def test_a_damaged_or_missing_store_is_one_clear_sentence(store, tmp_path):
    with pytest.raises(StoreError, match=r"^There is no store at .*: it has no runs\.db\.$"):
        Store(tmp_path / "none", read_only=True)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="choose another folder"):
        Store(tmp_path / "file" / "runs")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "runs.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="is damaged or not a store"):
        Store(damaged)


def test_a_read_only_store_sees_what_is_written_meanwhile_and_is_never_written(store):
    run = store.add(ARTICLE)
    reader = Store(store.folder, read_only=True)
    claim = store.claim()
    for step in range(20):
        store.append_losses(claim, step, [float(step)], {"step": step})
        assert reader.run(run).progress == {"step": step}
    with pytest.raises(StoreError, match="read-only"):
        reader.add(ARTICLE)


def test_a_sealed_store_is_plain_files_in_a_folder_that_nobody_can_write(store):
    run = store.add(ARTICLE)
    claim = store.claim()
    append_epoch(store, claim)
    store.release(claim, "finished")
    (store.run_folder(run) / "state-000000001.safetensors").write_bytes(b"state")
    store.seal()
    assert sorted(path.name for path in store.folder.rglob("*")) == [run, "epoch-001.safetensors", "runs.db"]
    assert Store(store.folder, read_only=True).run(run).last == EPOCH
    assert sorted(path.name for path in store.folder.glob("*")) == [run, "runs.db"]


def test_a_sealed_store_may_keep_the_last_weights_alone_of_some_runs(store):
    for _ in range(2):
        claim = store.start(ARTICLE)
        for epoch in (1, 2, 3):
            append_epoch(store, claim, dataclasses.replace(EPOCH, epoch=epoch))
        store.release(claim, "finished")
    whole, short = store.runs()
    store.seal(lambda run: run.id == whole.id)
    assert [len(list(store.run_folder(run.id).glob("epoch-*"))) for run in (whole, short)] == [3, 1]
    assert store.weights(short.id, 3).is_file()
    assert len(store.epochs(short.id)) == 3


def test_the_number_of_runs_at_once_is_kept(store):
    assert store.parallel() is None
    store.set_parallel(3)
    assert Store(store.folder).parallel() == 3
    store.set_parallel(None)
    assert store.parallel() is None
