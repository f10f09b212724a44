"""Tables of poolings over seeds, against SciPy."""

import pytest
from scipy import stats

from gpcore.insight.standings import tables
from gpcore.recipe import MODERN

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
