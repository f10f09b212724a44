"""An item moved over a canvas, against a canvas drawn by hand."""

import torch

from gpcore.data.datasets import scaled
from gpcore.insight.positions import slide
from gpcore.nets.convnet import ConvNet


def test_each_place_is_the_item_put_there_by_hand(small_dataset):
    network = ConvNet("gmp", seed=1).eval().requires_grad_(False)
    items = small_dataset.test.images
    found = slide(network, items, 7, label=3, side=28, pieces=0)
    assert found.scores.shape == (10, 10, 10)
    for row, column in ((0, 0), (2, 5), (9, 9)):
        canvas = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
        canvas[0, :, 4 * row : 4 * row + 28, 4 * column : 4 * column + 28] = items[7]
        torch.testing.assert_close(found.scores[row, column], network(scaled(canvas))[0], rtol=1e-4, atol=1e-5)


def test_the_lead_is_above_zero_where_the_answer_is_right(small_dataset):
    network = ConvNet("gap", seed=4).eval().requires_grad_(False)
    found = slide(network, small_dataset.test.images, 0, label=int(small_dataset.test.labels[0]), side=20, pieces=6)
    right = found.scores.argmax(2) == found.label
    assert torch.equal(found.lead > 0, right)
    assert found.share_right == right.float().mean().item()


def test_the_clutter_is_the_same_whatever_the_item(small_dataset):
    network = ConvNet("gmp", seed=4).eval().requires_grad_(False)
    empty = small_dataset.test.images.clone()
    empty[0] = 0
    found = slide(network, empty, 0, label=0, side=12, pieces=5)
    assert (found.scores == found.scores[0, 0]).all()
