"""gpcore/insight/hand_example.py against arithmetic written out."""

import math

import pytest

from gpcore.errors import InsightError
from gpcore.figures.gradient_sheets import gradient_sheet
from gpcore.insight.hand_example import BY_HAND, EXAMPLES, pool_by_hand
from gpcore.nets.pooling import POOLS

GRID = [[1.0, 2.0], [3.0, 6.0]]


def test_pooled_values_and_gradients() -> None:
    gap, gmp, mixed = (pool_by_hand(GRID, pool) for pool in ("gap", "gmp", "avgmax"))
    assert (gap.score, gmp.score, mixed.score) == (3.0, 6.0, 4.5)
    assert gap.gradient.tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert gmp.gradient.tolist() == [[0, 0], [0, 1]]
    assert mixed.gradient.tolist() == [[0.125, 0.125], [0.125, 0.625]]


def test_log_sum_exp() -> None:
    result = pool_by_hand(GRID, "lse")
    exponentials = [math.exp(4 * x) for row in GRID for x in row]
    assert result.score == pytest.approx(math.log(sum(exponentials) / 4) / 4, rel=1e-6)
    assert result.gradient.flatten().tolist() == pytest.approx([e / sum(exponentials) for e in exponentials], abs=1e-6)


def test_gem_and_what_it_is_not_defined_for() -> None:
    result = pool_by_hand(GRID, "gem")
    assert result.score == pytest.approx(((1 + 8 + 27 + 216) / 4) ** (1 / 3), rel=1e-6)
    expected = [(x / result.score) ** 2 / 4 for row in GRID for x in row]
    assert result.gradient.flatten().tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(InsightError, match="0 and more"):
        pool_by_hand([[1.0, -0.5]], "gem")


def test_by_hand_are_all_poolings_that_learn_nothing_or_one_number() -> None:
    assert set(POOLS) - set(BY_HAND) == {"attention"}


def test_the_first_example_shows_poolings_that_disagree() -> None:
    spot, broad = next(iter(EXAMPLES.values()))
    assert pool_by_hand(spot, "gap").score < pool_by_hand(broad, "gap").score
    assert pool_by_hand(spot, "gmp").score > pool_by_hand(broad, "gmp").score


def test_every_number_is_drawn() -> None:
    [matrix] = gradient_sheet(pool_by_hand(GRID, "gmp").gradient, "gmp").matrices
    assert matrix.written == [["0.00", "0.00"], ["0.00", "1.00"]]
    assert (matrix.low, matrix.high) == (0, 1)
    assert matrix.values.tolist() == [[0, 0], [0, 1]]
