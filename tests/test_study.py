"""Studies: paired, only what is missing is trained, nothing is lost, and the verdict follows from what the store holds."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import tiny
from scipy import stats

from gpcore import study_command
from gpcore.__main__ import main
from gpcore.data.datasets import load_dataset
from gpcore.errors import DatasetError, RecipeError
from gpcore.insight.standings import tables
from gpcore.recipe import ARTICLE, MODERN, Recipe
from gpcore.runs import launcher, worker
from gpcore.runs.ray_cluster import train_remotely
from gpcore.runs.states import pack
from gpcore.runs.store import Store
from gpcore.runs.study import Member, Study, members, time_left
from gpcore.training.fit import TrainingState, find_device

DATA = Path("nowhere")


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def study(images: Path, epochs: int, seeds: tuple[int, ...] = (0,), pools: tuple[str, ...] = ("gap", "gmp")) -> Study:
    """The study that `options` ask for on the command line."""
    return Study(pools, seeds, (f"folder:{images}",), (tiny.recipe(images, epochs),))


def options(store: Store, images: Path, epochs: int, seeds: str = "0") -> list[str]:
    shape = ["--epochs", str(epochs), "--set", "batch_size=8"]
    return ["study", "--seeds", seeds, "--datasets", f"folder:{images}", *shape, "--store", str(store.folder)]


def trained(store: Store, recipe: Recipe) -> str:
    claim = store.start(recipe)
    for _ in worker.train(store, claim, DATA):
        pass
    return claim.run


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
    assert study_command.seed_numbers(text) == numbers


@pytest.mark.parametrize("text", ["4-1", "-3", "one", "1-", "0..4", "²"])
def test_seeds_written_otherwise_are_refused(text):
    with pytest.raises(RecipeError, match="write numbers and ranges"):
        study_command.seed_numbers(text)


def test_of_several_runs_the_one_that_got_furthest_counts_whatever_it_is_called(store, images, tmp_path):
    other = Store(tmp_path / "shipped")
    finished = trained(other, tiny.recipe(images, 1, name="someone's"))
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
    run = trained(store, tiny.recipe(images, 2))
    claim = store.start(tiny.recipe(images, 4, pool="gmp"))
    other = store.start(tiny.recipe(images, 4, pool="lse"))
    for each in (claim, other):
        store.tell(each, {}, str(find_device()))
    asked = study(images, 4, pools=("gap", "gmp", "lse", "avgmax"))
    standing = [Member(store.run(run).recipe, store, store.run(run)), *members(asked, store)]
    whole = 2 * store.run(run).seconds
    assert time_left(standing, store) == pytest.approx(4 * whole / 2)
    assert time_left(members(asked, store)[:3], store) is None  # nothing like it was measured


# -- the verdict -------------------------------------------------------------------------------------------------------

GAP = [0.921, 0.919, 0.922, 0.918, 0.920, 0.923, 0.921, 0.917, 0.920, 0.922]
GMP = [0.911, 0.912, 0.910, 0.909, 0.913, 0.911, 0.910, 0.912, 0.908, 0.911]
LSE = [0.920, 0.921, 0.920, 0.919, 0.921, 0.920, 0.923, 0.918, 0.919, 0.921]


def test_tables_rank_the_poolings_and_judge_every_pair_together():
    results = [
        (MODERN.but(pool=pool, seed=seed), accuracy)
        for pool, accuracies in (("gmp", GMP), ("lse", LSE), ("gap", GAP))
        for seed, accuracy in enumerate(accuracies)
    ]
    [table] = tables(results)
    assert [standing.pool for standing in table.standings] == ["gap", "lse", "gmp"]
    mean = table.standings[0].mean
    low, high = stats.t.interval(0.95, 9, sum(GAP) / 10, stats.sem(GAP))
    assert (mean.value - mean.margin, mean.value + mean.margin) == pytest.approx((low, high))
    pairs = [(verdict.comparison.first, verdict.comparison.second) for verdict in table.verdicts]
    assert pairs == [("GAP", "LSE"), ("GAP", "GMP"), ("LSE", "GMP")]
    plain = [stats.permutation_test(([a - b for a, b in zip(*pair, strict=True)],), lambda x, axis: x.mean(axis),
             vectorized=True, permutation_type="samples", n_resamples=2**16).pvalue
             for pair in ((GAP, LSE), (GAP, GMP), (LSE, GMP))]  # fmt: skip
    corrected = [plain[0], min(3 * plain[1], 1), 3 * plain[1]]  # the two small ones are equal: both 2 / 2^10
    assert [verdict.p_value for verdict in table.verdicts] == pytest.approx(corrected)
    assert [verdict.outcome for verdict in table.verdicts] == ["none", "first", "first"]


def test_holm_counts_the_pairs_of_all_tables_and_pairs_without_a_common_seed_are_left_out():
    first = [(MODERN.but(pool=pool, seed=seed), 0.9 + seed / 100) for pool in ("gap", "gmp") for seed in range(3)]
    second = [(recipe.but(dataset="mnist"), accuracy) for recipe, accuracy in first]
    alone = [(MODERN.but(pool="lse", seed=9), 0.5)]
    found = tables([*first, *second, *alone])
    assert [table.setting.dataset for table in found] == ["fashion-mnist", "mnist"]
    assert [len(table.verdicts) for table in found] == [1, 1]
    assert {verdict.comparisons for table in found for verdict in table.verdicts} == {2}
    assert [standing.pool for standing in found[0].standings][-1] == "lse"
    assert tables([]) == []


# -- with this machine's workers ---------------------------------------------------------------------------------------


def test_a_study_trains_what_is_missing_and_prints_the_verdict(store, images, capsys, monkeypatch):
    monkeypatch.chdir(tiny.ROOT)
    there = trained(store, tiny.recipe(images, 1))
    before = tiny.outcome(store, there), store.run(there).finished
    assert main([*options(store, images, 1, "0-1"), "--parallel", "2", "--json"]) == 0
    printed = capsys.readouterr()
    [table] = json.loads(printed.out)["tables"]
    assert printed.err.count("three-modern-") == 3
    assert (tiny.outcome(store, there), store.run(there).finished) == before
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
    assert main(options(store, images, 1, "0-1")) == 0  # all is there: at once
    printed = capsys.readouterr()
    assert verdict["sentence"] in printed.out
    assert printed.err == ""
    assert store.parallel() == 2


def test_what_a_worker_of_the_study_trains_is_what_train_trains(store, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.ROOT)
    alone = Store(tmp_path / "alone")
    run = trained(alone, tiny.recipe(images, 1, pool="gmp", seed=3))
    assert main([*options(store, images, 1, "3"), "--pools", "gmp", "--json"]) == 0
    assert tiny.outcome(store, run) == tiny.outcome(alone, run)


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
    assert main([*options(store, images, 1), "--pools", "gap", "--datasets", both, "--json"]) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    [failed] = result["unfinished"]
    assert (failed["status"], failed["run"]) == ("failed", "bad-modern-gap-seed0")
    assert "is no image that can be read" in failed["error"]
    assert f"bad-modern-gap-seed0: failed: {failed['error']}" in printed.err
    assert [table["dataset"] for table in result["tables"]] == [f"folder:{images}"]
    shutil.rmtree(bad)
    shutil.copytree(images, bad)
    assert main([*options(store, images, 1), "--pools", "gap", "--datasets", both, "--json"]) == 0
    assert len(store.runs()) == 2


def test_after_ctrl_c_all_can_go_on_to_the_same_bits(store, images, tmp_path):
    alone = Store(tmp_path / "alone")
    expected = tiny.outcome(alone, trained(alone, tiny.recipe(images, 12)))
    process = tiny.start(*options(store, images, 12), "--parallel", 1, start_new_session=True)
    tiny.wait_until(lambda: any(run.epochs_done for run in store.runs()))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert said.count("seed0: stopped") >= 2
    assert "The same command again goes on with what is not finished." in said
    assert {run.status for run in store.runs()} == {"stopped"}
    with launcher.holding_slot(store.folder, 0) as free:
        assert free  # no worker is left behind
    process = tiny.start(*options(store, images, 12), "--pools", "gap", "--json")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert tiny.outcome(store, "three-modern-gap-seed0") == expected


MISTAKES = {
    "seeds": (["--seeds", "4-1"], "--seeds 4-1: write numbers and ranges, for example 0-4 or 0,2,7-9."),
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
    assert main([*options(store, images, 1), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"Error: {expected}")
    assert printed.err.count("\n") == 1
    assert store.runs() == []


# -- on a Ray cluster --------------------------------------------------------------------------------------------------


def test_a_study_on_ray_leaves_what_train_leaves_though_a_worker_is_killed(store, images, tmp_path):
    alone = Store(tmp_path / "alone")
    expected = {pool: trained(alone, tiny.recipe(images, 8, pool=pool)) for pool in ("gap", "gmp")}
    process = tiny.start(*options(store, images, 8), "--ray", "local", "--json", stderr=subprocess.DEVNULL)
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
    process = tiny.start(*options(store, images, 3000), "--ray", "local", "--parallel", 1)
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
    assert main([*options(store, images, 1), "--ray", "local"]) == 2
    assert capsys.readouterr().err == (
        "Error: --ray needs Ray, which is not installed: `pip install -r requirements-ray.txt`, or leave --ray out.\n"
    )
    assert store.runs() == []
