"""Tables of poolings over seeds, against SciPy and statsmodels."""

import json
import re
from typing import get_args

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from gpcore.cli.main import main
from gpcore.figures.seed_rows import over_seeds
from gpcore.recipe import MODERN, Pool
from gpcore.runs.run import Run
from gpcore.runs.store import Store
from gpcore.verdicts.standings import OTHER_HEADS, Result, results, title_of, verdict_tables
from gpcore.verdicts.statistics import seeds_needed

GAP = [0.921, 0.919, 0.922, 0.918, 0.920, 0.923, 0.921, 0.917, 0.920, 0.922]
GMP = [0.911, 0.912, 0.910, 0.909, 0.913, 0.911, 0.910, 0.912, 0.908, 0.911]
LSE = [0.920, 0.921, 0.920, 0.919, 0.921, 0.920, 0.923, 0.918, 0.919, 0.921]
GEM = [accuracy + 0.003 for accuracy in GAP[:9]] + [GAP[9] - 0.001]
MLP = [0.9, 0.91, 0.92, 0.93, 0.94]


def measured(**accuracies: list[float]) -> list[Result]:
    return [
        Result(MODERN.but(pool=pool, seed=seed), each) for pool, found in accuracies.items() for seed, each in enumerate(found)
    ]


def plain_p(first: list[float], second: list[float]) -> float:
    differences = [a - b for a, b in zip(first, second, strict=True)]
    found = stats.permutation_test(
        (differences,), lambda x, axis: x.mean(axis), vectorized=True, permutation_type="samples", n_resamples=2**16
    )
    return found.pvalue


def test_every_head_is_ranked_and_judged_against_gap_alone():
    [table] = verdict_tables(measured(gmp=GMP, gem=GEM, lse=LSE, gap=GAP))
    assert [standing.pool for standing in table.standings] == ["gem", "gap", "lse", "gmp"]
    mean = table.standings[1].mean
    low, high = stats.t.interval(0.95, 9, sum(GAP) / 10, stats.sem(GAP))
    assert (mean.value - mean.margin, mean.value + mean.margin) == pytest.approx((low, high))
    assert table.reference == "gap"
    assert list(table.verdicts) == ["gem", "lse", "gmp"]
    assert len(get_args(Pool)) - 2 == OTHER_HEADS
    for pool, values, family in (("gem", GEM, OTHER_HEADS), ("lse", LSE, OTHER_HEADS), ("gmp", GMP, 1)):
        alone = [plain_p(values, GAP), *[1.0] * (family - 1)]
        assert table.verdicts[pool].p_value == pytest.approx(multipletests(alone, method="bonferroni")[1][0])
    assert [verdict.outcome for verdict in table.verdicts.values()] == ["first", "none", "second"]
    assert table.verdicts["gem"].sentence.startswith("GeM better by 0.26 ± 0.09 points than GAP (10 seeds, p = 0.00")
    worse = table.verdicts["gmp"].points
    expected = (
        "Against GAP, GeM is 0.26 ± 0.09 points better and equal within 0.5 points; LSE is not found to differ and equal "
        f"within 0.5 points; GMP is {worse} worse."
    )
    assert table.sentence == expected


def test_seeds_added_to_one_head_change_no_other_verdict():
    """Two more seeds of LSE once turned GeM from better into no difference."""
    few = measured(gap=GAP, gmp=GMP, gem=GEM, lse=LSE[:5], mlp=MLP)
    [before], [after] = verdict_tables(few), verdict_tables([*few, *measured(lse=LSE, attention=GMP)])
    for pool in ("gmp", "gem", "mlp"):
        assert after.verdicts[pool] == before.verdicts[pool]
        assert after.verdicts[pool].sentence == before.verdicts[pool].sentence
    missing = seeds_needed(OTHER_HEADS) - 5
    assert (before.verdicts["lse"].missing_seeds, after.verdicts["lse"].missing_seeds) == (missing, 0)
    assert f"LSE and MLP are not settled ({missing} more seeds needed)" in before.sentence


def test_a_run_at_chance_is_counted_and_named_and_not_averaged():
    failed = [Result(MODERN.but(pool=pool, seed=10), 0.1, learned=False) for pool in ("gmp", "lse")]
    [table] = verdict_tables([*measured(gap=GAP, gmp=GMP), *failed])
    [without] = verdict_tables(measured(gap=GAP, gmp=GMP))
    assert table.verdicts == without.verdicts
    assert (
        table.failures
        == " At chance, so counted but not averaged: 1 of 11 runs of GMP (seed 10); 1 of 1 runs of LSE (seed 10)."
    )
    assert table.cells()["gmp"] == f"91.07 ± {100 * without.standings[1].mean.margin:.2f} (1 of 11 at chance) ▼"
    assert table.cells()["lse"] == "did not learn (1 of 1 at chance)"
    [none] = verdict_tables(failed)
    assert (none.standings, none.verdicts, none.seeds) == ((), {}, 0)
    assert none.sentence.startswith(" At chance")


def test_a_mean_that_says_little_is_not_written():
    wide = [Result(MODERN.but(pool="gmp", seed=seed), each, each > 0.2) for seed, each in enumerate((0.72, 0.1, 0.63))]
    [table] = verdict_tables([*measured(gap=[0.92, 0.90], lse=[0.9, 0.5, 0.7]), *wide])
    assert table.cells()["gmp"] == "did not learn reliably (1 of 3 at chance) ?"
    assert table.cells()["lse"] == "did not learn reliably (0 of 3 at chance) ?"
    assert table.cells()["gap"].startswith("91.00 ± 12.")  # two seeds that agree have a wide interval, and have learned


def test_each_table_is_a_family_of_its_own():
    first = [*measured(gap=GAP, gmp=GMP)]
    second = [Result(one.recipe.but(dataset="mnist"), one.number) for one in first]
    found = verdict_tables([*first, *second])
    assert [table.experiment.dataset for table in found] == ["fashion-mnist", "mnist"]
    assert {verdict.family for table in found for verdict in table.verdicts.values()} == {1}
    assert verdict_tables([]) == []


def test_without_gap_the_others_are_compared_with_the_first_head_whatever_the_results():
    [table] = verdict_tables(measured(lse=LSE, gmp=GMP))
    assert table.reference == "gmp"
    assert re.fullmatch(r"Against GMP, LSE is \d\.\d+ ± \d\.\d+ points better\.", table.sentence)


def test_a_head_without_a_common_seed_is_ranked_and_not_judged():
    [table] = verdict_tables([*measured(gap=GAP), Result(MODERN.but(pool="lse", seed=99), 0.5)])
    assert [standing.pool for standing in table.standings] == ["gap", "lse"]
    assert table.verdicts == {}
    assert table.sentence == "Against GAP, LSE is without a common seed."
    [alone] = verdict_tables(measured(gap=GAP))
    assert alone.sentence == "Only GAP has been trained: nothing to compare it with."


def test_drawn_intervals_end_where_an_accuracy_does():
    [table] = verdict_tables(measured(gap=[0.1, 0.2, 0.9], gmp=[0.1, 0.9, 0.9]))
    intervals = [row.interval for row in over_seeds(table).rows]
    assert len(intervals) == 2
    for low, high in intervals:
        assert 0 <= low < high <= 1


def test_a_title_names_what_was_changed():
    assert title_of(MODERN) == "modern on fashion-mnist, 20 epochs"
    changed = MODERN.but(dataset="folder:some/where/cifar10-jpeg", epochs=1, train_images=10_000)
    assert title_of(changed) == "modern on cifar10-jpeg, 1 epoch, train images 10000"


def test_the_shipped_verdicts_follow_from_the_listed_runs_alone(capsys):
    """Recomputed with SciPy, statsmodels and plain loops from `runs --json`: nothing of verdicts/ takes part."""
    assert main(["runs", "--store", "checkpoints", "--json"]) == 0
    experiments: dict[str, dict[str, dict[int, float]]] = {}
    for run in json.loads(capsys.readouterr().out):
        if run["status"] == "finished":
            shared = json.dumps({name: value for name, value in run["recipe"].items() if name not in ("pool", "seed")})
            accuracy = run["epochs"][-1]["validation_accuracy"]
            if accuracy > run["chance"] + (1 - run["chance"]) / 10:
                experiments.setdefault(shared, {}).setdefault(run["recipe"]["pool"], {})[run["recipe"]["seed"]] = accuracy
    store = Store("checkpoints", read_only=True)
    judged = 0
    for table in verdict_tables(results(Run(store, record) for record in store.runs())):
        recipe = {name: value for name, value in table.experiment.to_json().items() if name not in ("pool", "seed")}
        found = experiments[json.dumps(recipe)]
        assert {one.pool: one.accuracies for one in table.standings} == found
        for pool, verdict in table.verdicts.items():
            seeds = sorted(found[pool].keys() & found["gap"].keys())
            first, second = ([found[name][seed] for seed in seeds] for name in (pool, "gap"))
            family = 1 if pool == "gmp" else len(get_args(Pool)) - 2
            alone = plain_p(first, second) if len(seeds) > 1 else 1.0
            p = multipletests([alone, *[1.0] * (family - 1)], method="bonferroni")[1][0]
            assert verdict.p_value == pytest.approx(p)
            fewest = next(count for count in range(1, 40) if family * 0.5 ** (count - 1) < 0.05)
            assert verdict.missing_seeds == max(0, fewest - len(seeds))
            better = "first" if np.mean(first) > np.mean(second) else "second"
            assert verdict.outcome == ("too few" if len(seeds) < fewest else better if p < 0.05 else "none")
            if len(seeds) > 1:
                low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
                mean = verdict.comparison.paired.mean
                assert (mean.value - mean.margin, mean.value + mean.margin) == pytest.approx((low, high))
            judged += 1
    assert judged >= 20
