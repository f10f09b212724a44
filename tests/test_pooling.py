"""Every pooling against its formula, written with plain numbers in plain loops."""

import math

import pytest
import torch
from article import KERNELS

from gpcore.nets import pooling
from gpcore.nets.pooling import POOLS


def mean_of(cells: list[float]) -> float:
    return sum(cells) / len(cells)


def log_sum_exp_of(cells: list[float], r: float = 4.0) -> float:
    return math.log(sum(math.exp(r * cell) for cell in cells) / len(cells)) / r


FORMULAS = {
    "gap": mean_of,
    "gmp": max,
    "lse": log_sum_exp_of,
    "avgmax": lambda cells: 0.5 * mean_of(cells) + 0.5 * max(cells),
}


@pytest.fixture(params=[(3, 3), (1, 1), (4, 2)], ids=str)
def maps(request: pytest.FixtureRequest) -> torch.Tensor:
    return torch.randn(5, 10, *request.param, generator=torch.Generator().manual_seed(1)) * 3


def test_every_pooling_has_a_formula_here():
    assert FORMULAS.keys() == POOLS.keys()


@pytest.mark.parametrize("pool", POOLS)
def test_scores_are_the_formula(pool, maps):
    scores = POOLS[pool]()(maps)
    assert scores.shape == (5, 10)
    for image in range(5):
        for channel in range(10):
            expected = FORMULAS[pool](maps[image, channel].flatten().tolist())
            assert scores[image, channel].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("pool", KERNELS)
def test_a_kernel_as_large_as_the_map_pools_the_same(pool):
    maps = torch.randn(64, 10, 3, 3, generator=torch.Generator().manual_seed(2)) * 10
    torch.testing.assert_close(POOLS[pool]()(maps), KERNELS[pool](maps).flatten(1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("pool", POOLS)
def test_weights_and_remainder_add_up_to_the_score(pool, maps):
    module = POOLS[pool]()
    parts = (module.weights(maps) * maps).sum((2, 3)) + module.remainder(maps)
    torch.testing.assert_close(parts, module(maps), atol=1e-5, rtol=0)
    assert (module.remainder(maps) <= 0).all()
    assert module.remainder_name or not module.remainder(maps).any()


def test_the_remainder_of_log_sum_exp_is_what_its_name_says(maps):
    module = POOLS["lse"]()
    assert module.remainder_name == "(entropy − log cells) / r"
    remainder = module.remainder(maps)
    for image in range(5):
        for channel in range(10):
            shares = [math.exp(module.r * cell) for cell in maps[image, channel].double().flatten().tolist()]
            shares = [share / sum(shares) for share in shares]
            entropy = -sum(share * math.log(share) for share in shares if share > 0)
            expected = (entropy - math.log(len(shares))) / module.r
            assert remainder[image, channel].item() == pytest.approx(expected, abs=1e-5)


def test_the_remainder_of_log_sum_exp_vanishes_on_a_flat_map():
    maps = torch.full((1, 1, 3, 3), 2.5)
    assert POOLS["lse"]()(maps).item() == pytest.approx(2.5, abs=1e-6)


@pytest.mark.parametrize("pool", POOLS)
def test_weights_are_shares_of_one(pool, maps):
    weights = POOLS[pool]().weights(maps)
    assert weights.shape == maps.shape
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum((2, 3)), torch.ones(5, 10))


@pytest.mark.parametrize("pool", POOLS)
def test_weights_are_the_gradient_of_the_score(pool, maps):
    maps = maps.clone().requires_grad_()
    POOLS[pool]()(maps).sum().backward()
    torch.testing.assert_close(maps.grad, POOLS[pool]().weights(maps.detach()), atol=1e-5, rtol=0)


def test_of_equal_maxima_the_first_one_counts_and_gets_the_gradient():
    maps = torch.tensor([[[[1.0, 7.0, 2.0], [7.0, 0.0, 7.0], [3.0, 4.0, 5.0]]]], requires_grad=True)
    first = torch.zeros(1, 1, 3, 3)
    first[0, 0, 0, 1] = 1.0
    POOLS["gmp"]()(maps).sum().backward()
    assert torch.equal(maps.grad, first)
    assert torch.equal(POOLS["gmp"]().weights(maps.detach()), first)


def test_log_sum_exp_lies_between_its_limits_the_mean_and_the_maximum():
    maps = torch.randn(3, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mean, highest = maps.mean((2, 3)), maps.amax((2, 3))
    torch.testing.assert_close(pooling.log_sum_exp_pool(maps, 1e-7), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(pooling.log_sum_exp_pool(maps, 1e7), highest, atol=1e-6, rtol=0)
    steps = torch.stack([pooling.log_sum_exp_pool(maps, r) for r in (0.01, 0.1, 1.0, 4.0, 10.0, 100.0)])
    assert (steps.diff(dim=0) > 0).all()
    assert ((mean <= steps) & (steps <= highest)).all()


@pytest.mark.parametrize("pool", POOLS)
def test_huge_values_do_not_overflow(pool):
    maps = torch.full((1, 1, 3, 3), -1e4)
    maps[0, 0, 1, 1] = 1e4
    module = POOLS[pool]()
    assert module(maps).isfinite().all()
    assert module.weights(maps).isfinite().all()


def test_labels_tell_the_poolings_apart():
    assert len({module.label for module in POOLS.values()}) == len(POOLS)


@pytest.mark.parametrize("pool", POOLS)
def test_no_pooling_has_parameters(pool):
    assert not list(POOLS[pool]().parameters())
