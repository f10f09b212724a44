"""gpcore/verdicts/statistics.py against SciPy, statsmodels, plain loops, and textbook data with published results."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_elsewhere
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from gpcore.data.datasets import Dataset
from gpcore.errors import InsightError
from gpcore.recipe import MODERN
from gpcore.training.fit import EpochDone, fit
from gpcore.training.state import TrainingState
from gpcore.verdicts import statistics
from gpcore.verdicts.statistics import Comparison, Mean, PairedDifferences, Verdict, mcnemar, seeds_needed, smallest_effect

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
"""Student (1908): hours of sleep that one drug gave ten patients more than another; t = 4.0621, p = 0.002833."""

MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Darwin's crossed less self-fertilised plants, in eighths of an inch; Fisher (1935) counted 1,726 of 32,768 sign flips."""


def paired(differences: list[float]) -> PairedDifferences:
    return PairedDifferences(tuple(range(len(differences))), tuple(differences))


def verdict(differences: list[float]) -> Verdict:
    return Verdict(Comparison("GAP", "GMP", paired(differences)))


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_the_interval_of_a_mean_is_students(count):
    values = np.random.default_rng(count).normal(0.9, 0.01, count).tolist()
    mean = Mean.of(values)
    low, high = DescrStatsW(values).tconfint_mean()
    assert (mean.value - mean.margin, mean.value + mean.margin) == pytest.approx((low, high))
    assert (mean.value, mean.count) == (pytest.approx(sum(values) / count), count)


def test_students_own_data():
    found = paired(SLEEP)
    assert found.mean.value == pytest.approx(1.58)
    assert found.mean.value - found.mean.margin == pytest.approx(0.7001142)
    assert found.mean.value + found.mean.margin == pytest.approx(2.4598858)
    low, high = found.bootstrap
    assert 0.7 < low < 1.58 < high < 3.0


def test_fishers_count_of_sign_flips_in_darwins_data():
    assert paired(MAIZE).p_value == 1726 / 32_768


def test_one_number_has_a_mean_and_no_interval():
    assert Mean.of([0.9]) == Mean(0.9, None, 1)
    assert (paired([0.1]).bootstrap, paired([0.1]).detectable()) == (None, None)
    with pytest.raises(InsightError, match="nothing to average"):
        Mean.of([])


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_p_value_is_that_of_a_plain_loop_over_all_sign_flips(count):
    differences = (np.random.default_rng(count).integers(-20, 80, count) / 10_000).tolist()
    ways = [math.fsum(sign * d for sign, d in zip(signs, differences, strict=True)) for signs in flips(count)]
    extreme = [way for way in ways if abs(way) >= abs(math.fsum(differences)) - 1e-12]
    assert paired(differences).p_value == pytest.approx(len(extreme) / 2**count)


def flips(count: int) -> itertools.product:
    return itertools.product((1, -1), repeat=count)


def test_many_seeds_are_tested_by_drawing_and_the_same_every_time():
    differences = np.random.default_rng(0).normal(0.4, 1, 25).tolist()
    found = paired(differences)
    assert found.p_value == paired(differences).p_value
    assert found.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_the_bootstrap_is_scipys_the_same_every_time_and_near_students_for_many_seeds():
    differences = np.random.default_rng(0).normal(0.004, 0.002, 60).tolist()
    found = paired(differences)
    assert found.bootstrap == paired(differences).bootstrap
    expected = stats.t.interval(0.95, 59, np.mean(differences), stats.sem(differences))
    assert found.bootstrap == pytest.approx(expected, abs=1e-4)


def test_differences_that_do_not_vary():
    assert paired([0.01] * 6).bootstrap == (0.01, 0.01)
    assert paired([0.01] * 6).p_value == 2 / 2**6
    assert paired([0.0] * 6).p_value == 1


@pytest.mark.parametrize("count", range(1, 13))
def test_no_result_of_so_many_seeds_has_a_smaller_p(count):
    found = paired([0.01 + number / 1000 for number in range(count)])
    assert found.p_value == 2 / 2**count


@pytest.mark.parametrize("seeds", [2, 3, 5, 6, 10, 30])
def test_smallest_effect_is_that_of_statsmodels(seeds):
    expected = TTestPower().solve_power(nobs=seeds, alpha=0.05, power=0.8)
    assert smallest_effect(seeds) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("seeds", "significant"), [(3, 0.02), (4, 0.05 / 7), (8, 0.05)])
def test_the_smallest_effect_is_found_in_four_of_five_experiments(seeds, significant):
    """Drawn anew: for few seeds and strict tests statsmodels' solver stops short."""
    samples = np.random.default_rng(0).normal(smallest_effect(seeds, significant), 1, (40_000, seeds))
    t = samples.mean(1) / samples.std(1, ddof=1) * math.sqrt(seeds)
    assert np.mean(np.abs(t) > stats.t.ppf(1 - significant / 2, seeds - 1)) == pytest.approx(0.8, abs=0.01)


def test_what_could_have_been_found_is_in_the_units_of_the_differences():
    assert paired(SLEEP).detectable() == pytest.approx(smallest_effect(10) * np.std(SLEEP, ddof=1))
    with pytest.raises(InsightError, match="train at least 2"):
        smallest_effect(1)


@pytest.mark.parametrize(("only_first", "only_second"), [(443, 322), (10, 12), (0, 5), (0, 0)])
def test_mcnemar_is_that_of_statsmodels(only_first, only_second):
    table = [[8_000, only_first], [only_second, 500]]
    expected = mcnemar_elsewhere(table, exact=True).pvalue if only_first + only_second else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


def test_seeds_are_paired_by_their_number():
    found = PairedDifferences.of({2: 0.92, 0: 0.90, 7: 0.5}, {0: 0.89, 1: 0.1, 2: 0.90})
    assert found.seeds == (0, 2)
    assert found.differences == pytest.approx((0.01, 0.02))
    with pytest.raises(InsightError, match="no seed in common"):
        PairedDifferences.of({0: 0.9}, {1: 0.9})


CLEAR = [0.009, 0.012, 0.007, 0.010, 0.004, 0.011, 0.008, 0.014, 0.009, 0.006]
NOISE = [0.004, -0.003, 0.001, -0.002, 0.003, -0.001, 0.002, 0.001, -0.001, 0.000]


def test_a_clear_difference_is_named_with_its_interval():
    assert verdict(CLEAR).outcome == "first"
    assert verdict(CLEAR).sentence == "GAP better by 0.9 ± 0.2 points than GMP (10 seeds, p = 0.002)."
    against = verdict([-difference for difference in CLEAR])
    assert against.outcome == "second"
    assert against.sentence == "GMP better by 0.9 ± 0.2 points than GAP (10 seeds, p = 0.002)."


def test_no_difference_is_an_answer_and_says_what_it_leaves_room_for():
    found = verdict(NOISE)
    assert found.outcome == "none"
    assert found.sentence == (
        "No difference found between GAP and GMP (10 seeds, p = 0.676); a difference above 0.2 points is unlikely. "
        "They differ by less than 0.5 points (95 %)."
    )
    low, high = stats.t.interval(0.95, 9, np.mean(NOISE), stats.sem(NOISE))
    assert max(-low, high) < 0.002
    assert "the two are equal with every seed" in verdict([0.0] * 10).sentence


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_five_seeds_settle_nothing_whatever_they_show_and_say_how_many_are_missing(seeds):
    found = verdict([0.1 + seed / 1000 for seed in range(seeds)])
    assert (found.outcome, found.missing_seeds) == ("too few", 6 - seeds)
    assert found.sentence.startswith("Not settled: GAP is ahead of GMP by 10.")
    assert found.sentence.endswith(f"), {6 - seeds} more seed{'s' * (seeds < 5)} needed.")


def test_six_seeds_are_enough_for_one_comparison():
    assert verdict([0.1 + seed / 1000 for seed in range(6)]).outcome == "first"
    assert "GAP and GMP are level" in verdict([0.0]).sentence


@pytest.mark.parametrize("family", [1, 2, 6, 11, 40])
def test_the_correction_is_bonferronis_and_asks_for_the_seeds_that_it_needs(family):
    for differences in (CLEAR, NOISE, MAIZE, CLEAR[:8]):
        found = Verdict(Comparison("GAP", "GMP", paired(differences)), family)
        alone = [found.comparison.paired.p_value, *[1.0] * (family - 1)]
        assert found.p_value == pytest.approx(multipletests(alone, method="bonferroni")[1][0])
        assert (found.outcome == "too few") == (family * 2 / 2 ** len(differences) >= 0.05)
    assert family * 2 / 2 ** seeds_needed(family) < 0.05 <= family * 2 / 2 ** (seeds_needed(family) - 1)


def test_raw_and_corrected_p_stand_together():
    found = Verdict(Comparison("LSE", "GAP", paired(CLEAR)), 7)
    assert found.sentence == "LSE better by 0.9 ± 0.2 points than GAP (10 seeds, p = 0.002, corrected for 7 heads p = 0.014)."


@pytest.mark.parametrize("differences", [CLEAR, NOISE, MAIZE, [0.0] * 10, [0.0048, 0.0052] * 5, [0.0045] * 8, [0.0] * 3])
def test_equivalence_is_two_one_sided_tests(differences):
    if len(set(differences)) > 1:
        p, _, _ = DescrStatsW(differences).ttost_mean(-0.005, 0.005)
        expected = bool(p < 0.025)
    else:
        expected = len(differences) >= 6
    assert verdict(differences).equivalent is expected
    assert ("differ by less than 0.5 points (95 %)" in verdict(differences).sentence) is expected


def test_under_no_difference_the_rule_raises_a_false_alarm_in_at_most_one_of_twenty():
    generator = np.random.default_rng(0)
    alarms = [verdict(generator.normal(0, 0.003, 7).tolist()).outcome != "none" for _ in range(300)]
    assert np.mean(alarms) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_a_margin_below_a_tenth_of_a_point_keeps_its_second_decimal():
    steady = [0.0050 + sign * 0.0001 for sign in (1, -1, 1, -1, 1, -1)]
    assert verdict(steady).sentence == "GAP better by 0.50 ± 0.01 points than GMP (6 seeds, p = 0.031)."


def test_really_trained_networks_get_a_verdict(small_dataset: Dataset):
    """Six seeds of both poolings on a few images: the sentence must follow from what SciPy says of their accuracies."""
    few = Dataset("few", small_dataset.classes, small_dataset.train.first(64), small_dataset.test)
    accuracies = {pool: {seed: trained_accuracy(few, pool, seed) for seed in range(6)} for pool in ("gap", "gmp")}
    found = PairedDifferences.of(accuracies["gap"], accuracies["gmp"])
    gap, gmp = (list(accuracies[pool].values()) for pool in ("gap", "gmp"))
    interval = stats.ttest_rel(gap, gmp).confidence_interval(0.95)
    assert (found.mean.value - found.mean.margin, found.mean.value + found.mean.margin) == pytest.approx(tuple(interval))
    told = Verdict(Comparison("GAP", "GMP", found))
    assert (told.outcome in ("first", "second")) == (found.p_value < 0.05)
    assert "(6 seeds, p = " in told.sentence


def trained_accuracy(dataset: Dataset, pool: str, seed: int) -> float:
    recipe = MODERN.but(pool=pool, seed=seed, epochs=1, batch_size=4)
    events = list(fit(recipe, dataset, TrainingState.fresh(recipe, dataset, torch.device("cpu"))))
    return [event for event in events if isinstance(event, EpochDone)][-1].validation.accuracy


@pytest.mark.parametrize(("accuracy", "images"), [(0.874, 10_000), (1.0, 50), (0.0, 50), (0.5, 3)])
def test_interval_is_wilsons(accuracy: float, images: int) -> None:
    expected = proportion_confint(round(accuracy * images), images, method="wilson")
    assert statistics.accuracy_interval(accuracy, images) == pytest.approx(expected, abs=1e-9)
