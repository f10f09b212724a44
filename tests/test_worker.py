"""Interrupted training: stopped, killed, suspended, out of disk space or damaged, it ends as if nothing had happened."""

import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
import tiny

from gpcore.data.datasets import Dataset, load_dataset
from gpcore.errors import ClaimLostError, DatasetError, StoreError, TrainingError
from gpcore.nets.checkpoints import read_tensors
from gpcore.recipe import Recipe
from gpcore.runs import claims, database, worker
from gpcore.runs.store import Store
from gpcore.training import fit as fitting
from gpcore.training.features import Tell
from gpcore.training.fit import BatchesDone, EpochDone, Evaluating, fit
from gpcore.training.state import TrainingState, find_device

DATA = Path("nowhere")


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def every_batch(monkeypatch) -> None:
    monkeypatch.setattr(fitting, "REPORT_SECONDS", 0.0)


def train(store: Store, claim: claims.Claim) -> list[fitting.Event]:
    return list(worker.train(store, claim, DATA, "cpu"))


@pytest.fixture(scope="session")
def undisturbed(images, tmp_path_factory) -> dict[str, object]:
    """The result of the recipe `tiny.recipe(images)` without interruptions."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    claim = store.start(tiny.recipe(images))
    train(store, claim)
    return tiny.outcome(store, claim.run)


def test_what_is_kept_is_what_the_loop_told(store, images):
    recipe = tiny.recipe(images)
    claim = store.start(recipe)
    train(store, claim)
    dataset = load_dataset(recipe.dataset, DATA)
    state = TrainingState.fresh(recipe, dataset, find_device("cpu"))
    events = list(fit(recipe, dataset, state))
    losses = [loss for event in events if isinstance(event, BatchesDone) for loss in event.losses]
    assert list(store.batch_losses(claim.run)) == list(enumerate(losses))
    kept = store.epochs(claim.run)
    told = [event for event in events if isinstance(event, EpochDone)]
    assert [epoch.validation_accuracy for epoch in kept] == [event.validation.accuracy for event in told]
    assert [epoch.confusion for epoch in kept] == [event.validation.confusion.tolist() for event in told]
    weights, metadata = read_tensors(store.weights(claim.run, 3))
    assert all(weights[name].equal(value) for name, value in state.network.state_dict().items())
    assert Recipe.from_json(json.loads(metadata["recipe"])) == recipe
    record = store.run(claim.run)
    assert (record.status, record.device, record.error) == ("finished", "cpu", None)
    assert record.progress["step"] == record.progress["steps"] == len(losses)


def test_a_run_stopped_anywhere_goes_on_to_the_same_bits(store, images, undisturbed, every_batch):
    claim = store.start(tiny.recipe(images))
    stops = 0
    while True:
        for number, _ in enumerate(worker.train(store, claim, DATA, "cpu")):
            if number == 7 * (stops + 1):
                break  # whoever listens leaves: Ctrl-C
        if store.run(claim.run).status == "finished":
            break
        stops += 1
        assert store.run(claim.run).status == "stopped"
        claim = store.claim(claim.run)
    assert stops >= 3
    assert tiny.outcome(store, claim.run) == undisturbed


def test_a_run_stopped_while_it_is_evaluated_goes_on_to_the_same_bits(store, images, undisturbed, every_batch):
    claim = store.start(tiny.recipe(images))
    next(event for event in worker.train(store, claim, DATA, "cpu") if isinstance(event, Evaluating))
    assert store.run(claim.run).status == "stopped"
    train(store, store.claim(claim.run))
    assert tiny.outcome(store, claim.run) == undisturbed


def test_a_run_that_is_asked_to_stop_stops_and_keeps_its_place(store, images, undisturbed, every_batch, monkeypatch):
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.01)
    claim = store.start(tiny.recipe(images))
    events = worker.train(store, claim, DATA, "cpu")
    next(events)
    store.request_stop(claim.run)
    for _ in range(2):  # the second sign of life begins when the first has seen what is asked
        before = store.run(claim.run).heartbeat
        tiny.wait_until(lambda before=before: store.run(claim.run).heartbeat > before)
    seen = list(events)
    assert len(seen) <= 1
    assert store.run(claim.run).status == "stopped"
    assert not list(store.folder.glob(".claim-*"))
    train(store, store.claim(claim.run))
    assert tiny.outcome(store, claim.run) == undisturbed


def test_a_run_that_waits_for_its_turn_elsewhere_can_be_stopped(store, images, monkeypatch):
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.01)
    claim = store.start(tiny.recipe(images))
    waiting = worker.Place(lambda recipe, tell: load_dataset(recipe.dataset, DATA), lambda *_: itertools.repeat(None), "cpu")
    store.request_stop(claim.run)
    assert list(worker.train_at(store, claim, waiting)) == []
    assert store.run(claim.run).status == "stopped"


def test_an_extended_run_goes_on_and_is_the_longer_run_under_a_constant_rate(store, images):
    constant = tiny.recipe(images, epochs=2, schedule="constant", learning_rate=1e-3)
    whole, extended = store.start(constant.but(epochs=4)), store.start(constant)
    train(store, whole)
    train(store, extended)
    store.extend(extended.run, 4)
    train(store, store.claim(extended.run))
    assert tiny.outcome(store, extended.run) == tiny.outcome(store, whole.run)


def test_a_killed_worker_loses_nothing(store, images, undisturbed):
    run, chance, kills = store.add(tiny.recipe(images)), random.Random(1), 0
    while store.run(run).status != "finished" and kills < 3:
        options = ("--slot", 0, "--once", "--store", store.folder, "--device", "cpu")
        process = tiny.start("worker", *options, start_new_session=True)
        tiny.wait_until(lambda: store.run(run).status in ("running", "finished") and not store.waiting())
        time.sleep(chance.uniform(0, 0.6))
        tiny.kill_all(process)
        process.communicate()
        kills += 1
    store.waiting() and store.claim("nothing")  # which looks for dead workers
    store.resume(run)  # after three deaths at one place it has failed
    for claim in iter(store.claim, None):
        train(store, claim)
    assert tiny.outcome(store, run) == undisturbed


def test_a_suspended_worker_that_was_replaced_writes_nothing_more(store, images, undisturbed, monkeypatch):
    run = store.add(tiny.recipe(images, epochs=200))
    process = tiny.start("worker", "--slot", 0, "--linger", 1, "--store", store.folder, "--device", "cpu")
    tiny.wait_until(lambda: store.run(run).epochs_done)
    process.send_signal(signal.SIGSTOP)
    assert store.claim() is None  # it may come back at any moment
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.0)
    claim = store.claim()
    monkeypatch.undo()
    done = store.run(run).epochs_done
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=60)
    assert f"{run} was deleted, stopped or taken over: this worker no longer trains it." in said
    assert store.run(run).epochs_done == done
    assert store.run(run).status == "running"
    assert store.alive(claim) is False


def test_two_workers_share_a_queue_and_never_a_run(store, images):
    runs = [store.add(tiny.recipe(images, epochs=2, seed=seed)) for seed in range(6)]
    processes = [
        tiny.start("worker", "--slot", slot, "--parallel", 2, "--once", "--store", store.folder, "--device", "cpu")
        for slot in (0, 1)
    ]
    told = [process.communicate(timeout=120)[0] for process in processes]
    trained = [{line.split(":")[0] for line in text.splitlines() if ": epoch " in line} for text in told]
    assert trained[0] | trained[1] == set(runs)
    assert not trained[0] & trained[1]
    assert sum(text.count(": epoch ") for text in told) == 12
    assert {record.status for record in store.runs()} == {"finished"}


def test_a_full_disk_fails_the_run_with_a_sentence_and_it_resumes(store, images, undisturbed):
    run = store.add(tiny.recipe(images))
    limited = ["bash", "-c", 'ulimit -f 180; exec "$@"', "bash"]  # no file above 180 KiB: a state has 220
    arguments = tiny.command("worker", "--slot", 0, "--once", "--store", store.folder, "--device", "cpu")
    said = subprocess.run([*limited, *arguments], cwd=tiny.ROOT, capture_output=True, text=True, timeout=120)
    record = store.run(run)
    assert record.status == "failed", said
    assert "Free some space or choose another folder, then resume." in record.error
    assert not [path for path in store.run_folder(run).rglob("*") if path.is_file()]
    store.resume(run)
    train(store, store.claim(run))
    assert tiny.outcome(store, run) == undisturbed


@pytest.mark.parametrize("damaged", ["epoch-002.safetensors", "state-*.safetensors"])
def test_what_was_cut_short_is_trained_again_from_before_it(store, images, undisturbed, damaged):
    claim = store.start(tiny.recipe(images))
    for event in worker.train(store, claim, DATA, "cpu"):
        if isinstance(event, EpochDone) and event.epoch == 2:
            break
    newest = max(store.run_folder(claim.run).glob(damaged))
    os.truncate(newest, newest.stat().st_size // 2)
    again = store.claim(claim.run)
    train(store, again)
    assert "continued from epoch 1" in store.run(claim.run).progress["notice"] or damaged.startswith("state")
    assert tiny.outcome(store, claim.run) == undisturbed


def test_losses_that_a_power_cut_took_are_trained_again(store, images, undisturbed, every_batch):
    claim = store.start(tiny.recipe(images))
    for number, _ in enumerate(worker.train(store, claim, DATA, "cpu")):
        if number == 25:
            break
    with sqlite3.connect(store.folder / "runs.db") as connection:
        connection.execute("UPDATE batch_losses SET losses = substr(losses, 1, 80), count = 20 WHERE phase = 'training'")
    connection.close()
    train(store, store.claim(claim.run))
    assert tiny.outcome(store, claim.run) == undisturbed


def test_a_loss_that_is_no_number_fails_the_run_with_epoch_and_reason(store, images):
    claim = store.start(tiny.recipe(images))
    for event in worker.train(store, claim, DATA, "cpu"):
        if isinstance(event, EpochDone):
            break
    (path,) = store.run_folder(claim.run).glob("state-*.safetensors")
    tensors, metadata = read_tensors(path)
    tensors["weights.network.0.weight"][0] = float("nan")  # as a learning rate that is far too high leaves them
    tiny.write_tensors(path, tensors, metadata)
    before = list(store.batch_losses(claim.run))
    with pytest.raises(TrainingError):
        train(store, store.claim(claim.run))
    record = store.run(claim.run)
    assert record.status == "failed"
    assert re.search(r"loss became nan in epoch 2, at step \d+, .* lower the learning rate", record.error)
    assert list(store.batch_losses(claim.run)) == before


def test_a_dataset_that_is_not_there_fails_the_run_with_its_sentence(store, tmp_path):
    run = store.add(tiny.recipe(tmp_path / "gone"))
    idle = iter([False, False, True])
    (claimed, error), *_ = (told for told in worker.work(store, DATA, "cpu", lambda seconds: next(idle)) if told)
    assert claimed == run
    assert isinstance(error, DatasetError)
    record = store.run(run)
    assert (record.status, record.error) == ("failed", str(error))
    assert "There is no folder" in record.error


def test_whatever_breaks_fails_the_run_so_that_it_is_not_tried_for_ever(store, images, monkeypatch):
    monkeypatch.setattr(worker, "fit", lambda *_: iter([object()]))  # an event that no code knows
    claim = store.start(tiny.recipe(images))
    with pytest.raises(AttributeError):
        train(store, claim)
    assert store.run(claim.run).status == "failed"
    assert store.run(claim.run).error.startswith("Training ended with AttributeError:")


def test_a_deleted_run_ends_its_training_and_leaves_nothing(store, images, every_batch):
    claim = store.start(tiny.recipe(images))
    events = worker.train(store, claim, DATA, "cpu")
    next(events)
    store.delete(claim.run)
    with pytest.raises(ClaimLostError):
        list(events)
    assert not store.run_folder(claim.run).exists()
    assert not list(store.folder.glob(".claim-*"))


def test_signs_of_life_come_while_nothing_else_does(store, images, monkeypatch):
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.01)
    slow: list[float] = []

    def slowly(recipe: Recipe, root: Path, tell: Tell) -> Dataset:
        before = store.run(claim.run).heartbeat
        tiny.wait_until(lambda: store.run(claim.run).heartbeat > before)
        slow.append(before)
        return load_dataset(recipe.dataset, root)

    monkeypatch.setattr(worker, "training_data", slowly)
    claim = store.start(tiny.recipe(images, epochs=1))
    train(store, claim)
    assert slow


def test_a_worker_outlives_a_store_that_is_busy_for_long(store, images, monkeypatch):
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    run = store.add(tiny.recipe(images, epochs=1))
    other = tiny.held_by_another(store.folder / "runs.db", 0.5)
    idle = iter([False, False])
    told = [told for told in worker.work(store, DATA, "cpu", lambda _: not other.is_alive() and next(idle, True)) if told]
    assert told[0][0] == "the queue"
    assert isinstance(told[0][1], StoreError)
    assert store.run(run).status == "finished"
