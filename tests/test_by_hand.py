"""gpcore/insight/by_hand.py against arithmetic written out."""

import math

import pytest

from gpcore.figures.by_hand import gradient_grid
from gpcore.insight.by_hand import EXAMPLES, pool_by_hand

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


def test_the_first_example_shows_poolings_that_disagree() -> None:
    spot, broad = next(iter(EXAMPLES.values()))
    assert pool_by_hand(spot, "gap").score < pool_by_hand(broad, "gap").score
    assert pool_by_hand(spot, "gmp").score > pool_by_hand(broad, "gmp").score


def test_every_number_is_drawn() -> None:
    figure = gradient_grid(pool_by_hand(GRID, "gmp").gradient, "gmp")
    texts = [text for trace in figure.data if trace.type == "scatter" for text in trace.text]
    assert sorted(texts) == ["0.00", "0.00", "0.00", "1.00"]
