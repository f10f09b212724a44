"""Parameters and arithmetic, against sums done by hand."""

import pytest

from gpcore.nets.convnet import ConvNet
from gpcore.nets.cost import cost

TRUNK = 18_040
HEADS = {
    ("gap", "usual"): (32 * 10 + 10, 2 * 9 * 32 * 10),
    ("gmp", "usual"): (32 * 10 + 10, 2 * 9 * 32 * 10),
    ("gap", "features"): (32 * 10 + 10, 2 * 32 * 10),
    ("gem", "usual"): (1 + 32 * 10 + 10, 2 * 32 * 10),
    ("attention", "usual"): (330 + 2 * 10 * 16 + 16, 2 * 9 * (32 * 10 + 2 * 10 * 16 + 16)),
    ("mlp", "usual"): (288 * 128 + 128 + 128 * 10 + 10, 2 * (288 * 128 + 128 * 10)),
    ("mlp-dropout", "usual"): (288 * 128 + 128 + 128 * 10 + 10, 2 * (288 * 128 + 128 * 10)),
}


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_cost_is_the_sum_done_by_hand(head):
    pool, placement = head
    found = cost(ConvNet(pool, placement=placement).eval(), (1, 28, 28))
    assert (found.head_parameters, found.head_flops) == HEADS[head]
    assert found.parameters == TRUNK + found.head_parameters
    convolutions = [(1, 8, 28), (8, 8, 28), (8, 16, 14), (16, 16, 14), (16, 32, 7), (32, 32, 7)]
    assert found.flops == found.head_flops + sum(2 * 9 * before * after * side**2 for before, after, side in convolutions)


def test_a_pooling_costs_the_same_for_any_image_and_linear_layers_grow_with_it():
    pooled, linear = (cost(ConvNet(pool, size=(64, 64)).eval(), (1, 64, 64)) for pool in ("gap", "mlp"))
    assert pooled.head_parameters == 330
    assert linear.head_parameters == 64 * 32 * 128 + 128 + 1290
