"""Studies: paired, only missing runs are trained, nothing is lost, and the verdict follows from the store."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import tiny

from gpcore.cli import study_progress
from gpcore.cli.main import main
from gpcore.data.datasets import load_dataset
from gpcore.errors import RecipeError
from gpcore.recipe import ARTICLE, MODERN
from gpcore.runs import launcher
from gpcore.runs.store import Store
from gpcore.runs.study import Member, Study, followed, members, time_left
from gpcore.runs.study_training import train_elsewhere
from gpcore.runs.worker import Place
from gpcore.training.fit import fit
from gpcore.training.state import find_device


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def study(images: Path, epochs: int, seeds: tuple[int, ...] = (0,), pools: tuple[str, ...] = ("gap", "gmp")) -> Study:
    """The study that `options` ask for on the command line."""
    return Study(pools, seeds, (f"folder:{images}",), (tiny.recipe(images, epochs),))


# -- what a study is ---------------------------------------------------------------------------------------------------


def test_a_study_pairs_poolings_seed_by_seed_on_every_dataset_with_every_recipe():
    recipes = Study(("gap", "gmp"), (0, 7), ("fashion-mnist", "mnist"), (MODERN, ARTICLE)).recipes
    assert len(recipes) == len(set(recipes)) == 16
    assert recipes[:4] == (MODERN, MODERN.but(pool="gmp"), MODERN.but(seed=7), MODERN.but(seed=7, pool="gmp"))
    for first, second in zip(recipes[::2], recipes[1::2], strict=True):
        assert first.but(pool="gmp") == second


@pytest.mark.parametrize(
    ("text", "numbers"), [("0-4", (0, 1, 2, 3, 4)), ("3", (3,)), ("0,2,7-9", (0, 2, 7, 8, 9)), (" 1 , 0-2 ", (1, 0, 2))]
)
def test_seeds_are_written_as_numbers_and_ranges(text, numbers):
    assert study_progress.seed_numbers(text) == numbers


@pytest.mark.parametrize("text", ["4-1", "-3", "one", "1-", "0..4", "²"])
def test_seeds_written_otherwise_are_refused(text):
    with pytest.raises(RecipeError, match="write numbers and ranges"):
        study_progress.seed_numbers(text)


def test_of_several_runs_the_one_that_got_furthest_counts_whatever_it_is_called(store, images, tmp_path):
    other = Store(tmp_path / "shipped")
    finished = tiny.train(other, tiny.recipe(images, 1, name="someone's"))
    assert [member.status for member in members(study(images, 1), store)] == ["missing", "missing"]
    store.add(tiny.recipe(images, 1))
    [gap, _] = members(study(images, 1), store)
    assert (gap.status, gap.record.id, gap.accuracy) == ("queued", "three-modern-gap-seed0", None)
    [gap, gmp] = members(study(images, 1), store, [other])
    assert (gap.record.id, gap.store, gmp.status) == (finished, other, "missing")
    assert gap.recipe == tiny.recipe(images, 1)
    assert gap.accuracy == other.run(finished).last.validation_accuracy
    assert [member.status for member in members(study(images, 2), store, [other])] == ["missing", "missing"]


def test_the_time_left_is_what_earlier_runs_took_shared_by_those_under_way(store, images):
    run = tiny.train(store, tiny.recipe(images, 2))
    claim = store.start(tiny.recipe(images, 4, pool="gmp"))
    other = store.start(tiny.recipe(images, 4, pool="lse"))
    for each in (claim, other):
        store.tell(each, {}, str(find_device()))
    asked = study(images, 4, pools=("gap", "gmp", "lse", "avgmax"))
    standing = [Member(store.run(run).recipe, store, store.run(run)), *members(asked, store)]
    whole = 2 * store.run(run).seconds
    assert time_left(standing, store) == pytest.approx(4 * whole / 2)
    assert time_left(members(asked, store)[:3], store) is None  # nothing like it was measured


def test_what_is_followed_look_by_look_is_how_the_study_stands(store, images, monkeypatch):
    asked = study(images, 2, seeds=(0, 1))
    looks, whole = followed(asked, store), []
    monkeypatch.setattr("gpcore.runs.study.members", lambda *stores: whole.append(1) or members(*stores))

    def look() -> list[Member]:
        seen = next(looks)
        assert seen == members(asked, store)
        return seen

    assert {member.status for member in look()} == {"missing"}
    claim = store.start(tiny.recipe(images, 2))
    assert [member.status for member in look()][:2] == ["running", "missing"]
    read = len(whole)
    store.tell(claim, {"doing": "training", "step": 3, "steps": 12})
    assert look()[0].done == 3 / 12
    assert len(whole) == read  # while nothing begins or ends, only what is under way is read
    waiting = store.add(tiny.recipe(images, 2, pool="gmp"))
    assert [member.status for member in look()][:2] == ["running", "queued"]
    store.request_stop(waiting)
    store.release(claim, "failed", "it was meant to")
    assert [member.status for member in look()][:2] == ["failed", "stopped"]
    tiny.train(store, tiny.recipe(images, 2, seed=1))  # begins and ends between two looks
    assert [member.status for member in look()][2:] == ["finished", "missing"]


def test_a_run_that_somebody_else_trains_is_waited_for_and_taken_over_if_they_die(store, images):
    held = store.start(tiny.recipe(images, 1))
    place = Place(lambda recipe, tell: load_dataset(recipe.dataset, Path("nowhere")), fit, "cpu")
    seen = []
    for standing in train_elsewhere(study(images, 1), store, place, at_once=1):
        seen.append([member.status for member in standing])
        if seen[-1] == ["running", "finished"]:
            held.lock.release()
    assert ["running", "finished"] in seen
    assert seen[-1] == ["finished", "finished"]
    assert [member.name for member in members(study(images, 1), store)] == [held.run, "three-modern-gmp-seed0"]


# -- with this machine's workers ---------------------------------------------------------------------------------------


def test_a_study_trains_what_is_missing_as_train_does_and_prints_the_verdict(store, images, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tiny.ROOT)
    alone = Store(tmp_path / "alone")
    twin = tiny.train(alone, tiny.recipe(images, 3, pool="gmp", seed=1))
    there = tiny.train(store, tiny.recipe(images, 3))
    before = tiny.outcome(store, there), store.run(there).finished
    assert main([*tiny.study(store, images, 3, "0-1"), "--parallel", "2", "--json"]) == 0
    printed = capsys.readouterr()
    [table] = json.loads(printed.out)["tables"]
    assert printed.err.count("three-modern-") == 3
    assert (tiny.outcome(store, there), store.run(there).finished) == before
    assert tiny.outcome(store, twin) == tiny.outcome(alone, twin)
    records = {run.id: run for run in store.runs()}
    assert len(records) == 4
    for pooling in table["poolings"]:
        for seed, folder in pooling["runs"].items():
            record = records[Path(folder).name]
            assert (record.recipe.pool, str(record.recipe.seed)) == (pooling["pool"], seed)
            assert record.last.validation_accuracy == pooling["accuracies"][seed]
        assert pooling["accuracy"]["count"] == 2
    [verdict] = table["verdicts"]
    assert verdict["outcome"] == "too few"
    assert main(tiny.study(store, images, 3, "0-1")) == 0  # all is there: at once
    printed = capsys.readouterr()
    assert verdict["sentence"] in printed.out
    assert printed.err == ""
    assert store.parallel() == 2


def test_shipped_runs_count_and_are_left_alone(store, filled_store, capsys):
    asked = ["study", "--seeds", "0", "--recipe", "article", "--epochs", "2", "--train-images", "512"]
    assert main([*asked, "--also-from", str(filled_store), "--store", str(store.folder), "--json"]) == 0
    [table] = json.loads(capsys.readouterr().out)["tables"]
    folders = {Path(folder) for pooling in table["poolings"] for folder in pooling["runs"].values()}
    assert folders == {filled_store / "article-gap-seed0", filled_store / "article-gmp-seed0"}
    assert store.runs() == []


def test_a_run_that_fails_is_named_with_its_reason_and_the_others_go_on(store, images, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tiny.ROOT)
    bad = Path(shutil.copytree(images, tmp_path / "bad"))
    next(bad.rglob("*.png")).write_bytes(b"no image")
    both = f"folder:{bad},folder:{images}"
    assert main([*tiny.study(store, images, 1), "--pools", "gap", "--datasets", both, "--json"]) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    [failed] = result["unfinished"]
    assert (failed["status"], failed["run"]) == ("failed", "bad-modern-gap-seed0")
    assert "is not an image that can be read" in failed["error"]
    assert f"bad-modern-gap-seed0: failed: {failed['error']}" in printed.err
    assert [table["dataset"] for table in result["tables"]] == [f"folder:{images}"]
    shutil.rmtree(bad)
    shutil.copytree(images, bad)
    assert main([*tiny.study(store, images, 1), "--pools", "gap", "--datasets", both, "--json"]) == 0
    assert len(store.runs()) == 2


def test_after_ctrl_c_all_can_go_on_to_the_same_bits(store, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.ROOT)
    alone = Store(tmp_path / "alone")
    expected = tiny.outcome(alone, tiny.train(alone, tiny.recipe(images, 40)))
    process = tiny.start(*tiny.study(store, images, 40), "--parallel", 1, start_new_session=True)
    tiny.wait_until(lambda: any(run.epochs_done for run in store.runs()))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert said.count("seed0: stopped") >= 2
    assert "Run the same command again to continue the unfinished runs." in said
    assert {run.status for run in store.runs()} == {"stopped"}
    with launcher.holding_slot(store.folder, 0) as free:
        assert free  # no worker is left behind
    assert main([*tiny.study(store, images, 40), "--pools", "gap", "--json"]) == 0
    assert tiny.outcome(store, "three-modern-gap-seed0") == expected


MISTAKES = {
    "seeds": (["--seeds", "4-1"], "--seeds 4-1: write numbers and ranges, for example 0-4 or 0,2,7-9."),
    "too many seeds": (["--seeds", "0-4000000000"], "--seeds 0-4000000000: these are 4,000,000,001 seeds, and a study"),
    "pooling": (["--pools", "gap,max"], "pool is 'max': choose one of gap, gmp"),
    "no pooling": (["--pools", ","], "This study has no pools: name at least one."),
    "seed as a field": (["--set", "seed=3"], "--set seed=3: a study has several, name them with --seeds."),
    "missing folder": (["--datasets", "folder:/no/where"], "There is no folder /no/where"),
    "missing store": (["--also-from", "/no/where"], "There is no store at /no/where"),
    "no address": (["--ray", "there"], "No Ray cluster can be used at there (an address is HOST:PORT, auto or local)"),
    "nobody answers": (["--ray", "127.0.0.1:9"], "No Ray cluster can be used at 127.0.0.1:9 ("),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_trains_nothing(mistake, store, images, capsys):
    arguments, expected = MISTAKES[mistake]
    assert main([*tiny.study(store, images, 1), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"Error: {expected}")
    assert printed.err.count("\n") == 1
    assert store.runs() == []
