"""gpcore/verdicts/run_comparison.py against SciPy, statsmodels and figures worked out by hand."""

import pytest
import torch
from statsmodels.stats.contingency_tables import mcnemar

from gpcore.insight.disagreement import Answers, Disagreement
from gpcore.recipe import ARTICLE, MODERN
from gpcore.verdicts.run_comparison import PairedCount, other_differences, verdict


@pytest.mark.parametrize(("only_first", "only_second"), [(443, 322), (10, 12), (0, 5), (1, 0), (200, 100)])
def test_p_value_is_mcnemars(only_first: int, only_second: int) -> None:
    count = PairedCount(10_000, 8_000 + only_first, 8_000 + only_second, only_first, only_second)
    table = [[8_000, only_first], [only_second, 10_000 - 8_000 - only_first - only_second]]
    assert count.p_value == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_equal_networks_are_not_told_apart() -> None:
    count = PairedCount(10_000, 9_000, 9_000, 0, 0)
    assert count.p_value == 1
    assert not count.clear
    assert "equally many of the 10,000" in verdict("a", "b", count)


def test_counts_are_those_of_the_answers() -> None:
    actual = torch.tensor([0, 1, 2, 3, 4])
    first = Answers(torch.tensor([0, 1, 2, 9, 9]), torch.zeros(5))
    second = Answers(torch.tensor([0, 9, 9, 3, 9]), torch.zeros(5))
    count = PairedCount.of(Disagreement(actual, first, second))
    assert count == PairedCount(images=5, first_right=3, second_right=2, only_first=2, only_second=1)
    assert count.difference == pytest.approx(0.2)


def test_verdict_names_the_better_run_and_admits_chance() -> None:
    clear = PairedCount(10_000, 8_613, 8_492, 443, 322)
    assert verdict("GAP", "GMP", clear).startswith("GAP is 1.2 points ahead of GMP")
    assert verdict("GMP", "GAP", PairedCount(10_000, 8_492, 8_613, 322, 443)).startswith("GAP is 1.2 points ahead")
    assert "no difference found" in verdict("GAP", "GMP", PairedCount(10_000, 8_600, 8_590, 100, 90))


def test_what_else_differs_is_named() -> None:
    assert other_differences(ARTICLE, ARTICLE.but(pool="gmp", name="mine")) == []
    assert other_differences(ARTICLE, MODERN) == ["epochs", "learning rate", "schedule", "output", "shuffle"]
