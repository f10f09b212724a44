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


def generalised_mean_of(cells: list[float], p: float = 3.0) -> float:
    return mean_of([cell**p for cell in cells]) ** (1 / p)


FORMULAS = {
    "gap": mean_of,
    "gmp": max,
    "lse": log_sum_exp_of,
    "avgmax": lambda cells: 0.5 * mean_of(cells) + 0.5 * max(cells),
    "gem": generalised_mean_of,
}
"""Of one map alone; attention looks at all together and has a test of its own."""

SHARES_OF_ONE = [pool for pool in POOLS if pool != "gem"]
WITHOUT_PARAMETERS = [pool for pool in POOLS if pool not in ("gem", "attention")]


@pytest.fixture(params=[(3, 3), (1, 1), (4, 2)], ids=str)
def signed(request: pytest.FixtureRequest) -> torch.Tensor:
    return torch.randn(5, 10, *request.param, generator=torch.Generator().manual_seed(1)) * 3


@pytest.fixture
def maps(request: pytest.FixtureRequest, signed: torch.Tensor) -> torch.Tensor:
    """The input of the tested pooling: rectified features for GeM, maps of any sign for the others."""
    return signed.relu() if "gem" in request.node.callspec.params.values() else signed


def made(pool: str) -> pooling.GlobalPool:
    torch.manual_seed(0)
    return POOLS[pool](10)


def test_every_pooling_of_single_maps_has_a_formula_here():
    assert FORMULAS.keys() == POOLS.keys() - {"attention"}


@pytest.mark.parametrize("pool", FORMULAS)
def test_scores_are_the_formula(pool, maps):
    scores = made(pool)(maps)
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
    module = made(pool)
    parts = (module.weights(maps) * maps).sum((2, 3)) + module.remainder(maps)
    torch.testing.assert_close(parts, module(maps), atol=1e-5, rtol=0)
    assert (module.remainder(maps) <= 0).all()
    assert module.remainder_name or not module.remainder(maps).any()


def test_the_remainder_of_log_sum_exp_is_what_its_name_says(signed):
    maps = signed
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


@pytest.mark.parametrize("pool", SHARES_OF_ONE)
def test_weights_are_shares_of_one(pool, maps):
    weights = made(pool).weights(maps)
    assert weights.shape == maps.shape
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum((2, 3)), torch.ones(5, 10))


@pytest.mark.parametrize("pool", FORMULAS)
def test_weights_are_the_gradient_of_the_score(pool, maps):
    maps = maps.clone().requires_grad_()
    made(pool)(maps).sum().backward()
    torch.testing.assert_close(maps.grad, made(pool).weights(maps.detach()), atol=1e-5, rtol=0)


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
    maps = torch.full((1, 10, 3, 3), 0.0 if pool == "gem" else -1e4)
    maps[0, 0, 1, 1] = 1e4
    module = made(pool)
    assert module(maps).isfinite().all()
    assert module.weights(maps).isfinite().all()


def test_labels_tell_the_poolings_apart():
    assert len({module.label for module in POOLS.values()}) == len(POOLS)


@pytest.mark.parametrize("pool", WITHOUT_PARAMETERS)
def test_only_gem_and_attention_learn_anything(pool):
    assert not list(made(pool).parameters())


def test_gem_lies_between_its_limits_the_mean_and_the_maximum():
    maps = torch.rand(3, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mean, highest = maps.mean((2, 3)), maps.amax((2, 3))
    torch.testing.assert_close(pooling.generalised_mean_pool(maps, 1.0), mean)
    torch.testing.assert_close(pooling.generalised_mean_pool(maps, 1e7), highest, atol=1e-6, rtol=0)
    steps = torch.stack([pooling.generalised_mean_pool(maps, p) for p in (1.0, 1.5, 3.0, 10.0, 100.0)])
    assert (steps.diff(dim=0) > 0).all()
    assert ((mean <= steps + 1e-12) & (steps <= highest)).all()


def test_gem_of_exponentials_is_log_sum_exp(signed):
    for p in (1.5, 4.0):
        twin = pooling.generalised_mean_pool(signed.double().exp(), p).log()
        torch.testing.assert_close(twin, pooling.log_sum_exp_pool(signed.double(), p))


def test_gem_starts_at_its_authors_exponent_and_can_never_fall_below_the_mean():
    module = pooling.GeneralisedMeanPool()
    assert module.p.item() == pytest.approx(3.0)
    module.log_excess.data.fill_(-50.0)
    maps = torch.rand(2, 3, 3, 3)
    torch.testing.assert_close(module(maps), maps.mean((2, 3)))


def test_the_gradient_of_gem_is_that_of_finite_differences_for_the_maps_and_for_the_exponent():
    maps = torch.rand(2, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    p = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pooling.generalised_mean_pool, (maps, p))


def test_gem_of_a_map_that_no_image_wakes_is_zero_with_a_gradient_of_zero():
    maps = torch.zeros(1, 2, 3, 3, requires_grad=True)
    module = pooling.GeneralisedMeanPool()
    module(maps).sum().backward()
    assert not maps.grad.any()
    assert module.log_excess.grad == 0
    assert not module(maps).any()
    assert not module.weights(maps).any()


def test_attention_is_the_formula_of_its_paper(signed):
    module = made("attention")
    for maps, found, scores in zip(signed, module.attention(signed), module(signed), strict=True):
        cells = maps.flatten(1).T.double()
        value, gate, rating = (linear.weight.double() for linear in (module.value, module.gate, module.rating))
        exponents = [math.exp((rating[0] @ ((value @ h).tanh() * (gate @ h).sigmoid())).item()) for h in cells]
        shares = [exponent / sum(exponents) for exponent in exponents]
        assert found.flatten().tolist() == pytest.approx(shares, abs=1e-5)
        expected = sum(share * h for share, h in zip(shares, cells, strict=True))
        torch.testing.assert_close(scores.double(), expected, atol=1e-4, rtol=0)


def test_attention_between_its_limits_the_mean_and_a_single_cell(signed):
    module = made("attention")
    module.rating.weight.data.zero_()
    torch.testing.assert_close(module(signed), signed.mean((2, 3)))
    module = made("attention")
    module.rating.weight.data.mul_(1e8)
    chosen = module.attention(signed).flatten(1).argmax(1)
    torch.testing.assert_close(module(signed), signed.flatten(2)[torch.arange(5), :, chosen])


def test_all_channels_attend_to_the_same_cells(signed):
    weights = made("attention").weights(signed)
    assert torch.equal(weights, weights[:, :1].expand_as(weights))
