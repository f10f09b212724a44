"""Tables of poolings over seeds, against SciPy and statsmodels."""

import re

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from gpcore.figures.seed_rows import over_seeds
from gpcore.recipe import MODERN, Pool, Recipe
from gpcore.verdicts.standings import title_of, verdict_tables

GAP = [0.921, 0.919, 0.922, 0.918, 0.920, 0.923, 0.921, 0.917, 0.920, 0.922]
GMP = [0.911, 0.912, 0.910, 0.909, 0.913, 0.911, 0.910, 0.912, 0.908, 0.911]
LSE = [0.920, 0.921, 0.920, 0.919, 0.921, 0.920, 0.923, 0.918, 0.919, 0.921]
GEM = [accuracy + 0.003 for accuracy in GAP[:9]] + [GAP[9] - 0.001]
MLP = [0.9, 0.91, 0.92, 0.93, 0.94]


def measured(**accuracies: list[float]) -> list[tuple[Recipe, float]]:
    return [(MODERN.but(pool=pool, seed=seed), each) for pool, found in accuracies.items() for seed, each in enumerate(found)]


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
    expected = multipletests([plain_p(one, GAP) for one in (GEM, LSE, GMP)], method="holm")[1]
    assert [verdict.p_value for verdict in table.verdicts.values()] == pytest.approx(expected.tolist())
    assert [verdict.outcome for verdict in table.verdicts.values()] == ["first", "none", "second"]
    assert table.verdicts["gem"].sentence.startswith("GeM better by 0.26 ± 0.09 points than GAP (10 seeds, p = 0.00")
    worse = table.verdicts["gmp"].points
    expected = f"Against GAP, GeM is 0.26 ± 0.09 points better; GMP is {worse} worse; no difference was found for LSE."
    assert table.sentence == expected


def test_eight_heads_with_ten_seeds_can_be_told_apart_and_those_with_five_say_what_they_lack():
    few: dict[Pool, list[float]] = {"lse": MLP, "avgmax": MLP, "gem": MLP, "attention": MLP, "mlp": MLP, "mlp-dropout": MLP}
    [table] = verdict_tables(measured(gap=GAP, gmp=GMP, **few))
    assert table.verdicts["gmp"].outcome == "second"
    assert table.verdicts["gmp"].p_value == pytest.approx(plain_p(GMP, GAP))
    assert "5 seeds can show no difference at all: 9 are needed for 7 comparisons" in table.verdicts["mlp"].sentence
    assert table.sentence.endswith("LSE, Avg+Max, GeM, Attention, MLP and MLP with dropout have too few seeds to tell.")
    [full] = verdict_tables(measured(gap=GAP, gmp=GMP, **dict.fromkeys(few, GMP)))
    assert {verdict.outcome for verdict in full.verdicts.values()} == {"second"}


def test_each_table_is_a_family_of_its_own():
    first = [*measured(gap=GAP, gmp=GMP)]
    second = [(recipe.but(dataset="mnist"), accuracy) for recipe, accuracy in first]
    found = verdict_tables([*first, *second])
    assert [table.experiment.dataset for table in found] == ["fashion-mnist", "mnist"]
    assert {verdict.comparisons for table in found for verdict in table.verdicts.values()} == {1}
    assert verdict_tables([]) == []


def test_without_gap_the_others_are_compared_with_the_first_head_whatever_the_results():
    [table] = verdict_tables(measured(lse=LSE, gmp=GMP))
    assert table.reference == "gmp"
    assert re.fullmatch(r"Against GMP, LSE is \d\.\d+ ± \d\.\d+ points better\.", table.sentence)


def test_a_head_without_a_common_seed_is_ranked_and_not_judged():
    [table] = verdict_tables([*measured(gap=GAP), (MODERN.but(pool="lse", seed=99), 0.5)])
    assert [standing.pool for standing in table.standings] == ["gap", "lse"]
    assert table.verdicts == {}
    assert table.sentence == "Against GAP, LSE shares no seed with it."
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
