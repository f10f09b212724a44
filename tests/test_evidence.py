"""Scores taken apart, against the poolings' literal formulas, finite differences and SciPy."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch import nn

from gpcore.data.datasets import Dataset, scaled
from gpcore.errors import InsightError
from gpcore.figures import evidence_sheets as figures
from gpcore.insight import disagreement, evidence, history, perturbation, swap
from gpcore.insight.analysis import Analysis
from gpcore.nets.convnet import ConvNet
from gpcore.nets.pooling import POOLS
from gpcore.training.evaluate import evaluate

LITERAL = {
    "gap": lambda cells: sum(cells) / len(cells),
    "gmp": max,
    "lse": lambda cells: math.log(sum(math.exp(4 * cell) for cell in cells) / len(cells)) / 4,
    "avgmax": lambda cells: (sum(cells) / len(cells) + max(cells)) / 2,
}

ON_CLASS_MAPS = [pool for pool in POOLS if pool != "gem"]


@pytest.fixture(scope="module")
def image(fashion: Dataset) -> torch.Tensor:
    return scaled(fashion.test.images[2:3])


def frozen(pool: str, **options) -> ConvNet:
    return ConvNet(pool, **options).eval().requires_grad_(False)


@pytest.mark.parametrize("pool", LITERAL)
def test_cells_and_remainder_add_up_to_the_literal_score(pool):
    maps = 5 * torch.randn(10, 4, 3, generator=torch.Generator().manual_seed(0))
    found = evidence.evidence(POOLS[pool](), maps)
    for label, cells in enumerate(maps.flatten(1).tolist()):
        total = found.shares[label].sum().item() + found.remainders[label].item()
        assert total == pytest.approx(LITERAL[pool](cells), rel=1e-5, abs=1e-5)
    assert found.largest_error < 1e-5


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_they_add_up_to_what_the_network_answers(pool, fashion):
    network = frozen(pool, seed=5)
    for index in range(20):
        x = scaled(fashion.test.images[index : index + 1])
        found = Analysis(network, "logits", x).evidence
        torch.testing.assert_close(found.totals.float(), network(x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("placement", ["usual", "features"])
@pytest.mark.parametrize("pool", POOLS)
def test_they_add_up_wherever_the_pooling_stands(pool, placement, fashion):
    network = frozen(pool, seed=5, placement=placement)
    for index in range(20):
        x = scaled(fashion.test.images[index : index + 1])
        found = evidence.evidence_of(network, x)
        assert found.shares.shape == (10, 3, 3)
        assert found.largest_error < 1e-5
        assert torch.equal(found.scores, network(x)[0])
        assert (found.remainder_name is None) == (not found.remainders.any())


def test_on_features_a_cell_adds_what_each_feature_there_does(image):
    """GMP: each feature's largest cell gets that feature's whole share of the score, by a plain loop."""
    network = frozen("gmp", seed=3, placement="features")
    features, weight = network.features(image)[0], network.network[16].weight
    expected = torch.zeros(10, 3, 3)
    for number, feature in enumerate(features):
        row, column = divmod(int(feature.argmax()), 3)
        expected[:, row, column] += weight[:, number] * feature[row, column]
    found = evidence.evidence_of(network, image)
    torch.testing.assert_close(found.shares, expected)
    assert torch.equal(found.remainders, network.network[16].bias)
    assert found.remainder_name == "bias"


def test_average_pooling_has_the_same_cells_wherever_it_stands_but_for_the_bias(image):
    on_maps, on_features = (
        evidence.evidence_of(frozen("gap", seed=3, placement=where), image) for where in ("usual", "features")
    )
    torch.testing.assert_close(on_maps.shares - 0.01 / 9, on_features.shares)


def test_linear_layers_say_that_they_have_no_cells(image):
    with pytest.raises(InsightError, match="ends in linear layers and does not pool"):
        evidence.evidence_of(frozen("mlp"), image)


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_weights_are_no_less_than_zero_and_add_up_to_one(pool):
    found = evidence.evidence(POOLS[pool](10), torch.randn(10, 3, 3))
    assert (found.weights >= 0).all()
    torch.testing.assert_close(found.weights.sum((1, 2)), torch.ones(10))


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_only_a_pooling_that_is_no_weighted_sum_has_a_remainder_with_a_name(pool):
    found = evidence.evidence(POOLS[pool](10), torch.randn(10, 3, 3))
    assert (found.remainder_name is not None) == bool(found.remainders.any()) == (pool == "lse")


def test_gmp_has_one_deciding_cell_also_among_equals_and_below_zero():
    maps = torch.full((1, 3, 3), -7.0)
    maps[0, 1, 2] = maps[0, 2, 0] = -2.0
    found = evidence.evidence(POOLS["gmp"](), maps)
    assert found.weights.sum() == 1
    assert found.strongest_cell(0) == (1, 2)
    assert found.totals.item() == -2.0


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_a_contest_adds_up_to_the_lead_over_the_closest_class(pool, image):
    network = frozen(pool, seed=2)
    look = Analysis(network, "logits", image)
    ranked = network(image)[0].sort(descending=True)
    assert [look.contest.winner, look.contest.rival] == ranked.indices[:2].tolist()
    assert look.contest.cells.sum().item() + look.contest.remainder == pytest.approx(look.contest.margin, abs=1e-5)
    assert look.contest.margin == pytest.approx((ranked.values[0] - ranked.values[1]).item(), abs=1e-5)


def test_sigmoids_that_tie_are_answered_by_the_lower_class_and_the_look_says_so(image):
    network = frozen("gap")
    network.network[15].bias[:] = torch.tensor([-90.0, -90, 40, -90, 60, -90, -90, -90, -90, -90])
    look = Analysis(network, "sigmoid", image)
    assert look.answer == 2
    assert look.tied
    assert look.contest.rival == 4
    assert look.contest.margin < 0
    assert not Analysis(network, "logits", image).tied


@pytest.mark.parametrize("pool", LITERAL)
def test_gradients_are_those_of_finite_differences(pool, image):
    network = frozen(pool, seed=4).double()
    x = image.double()
    found = evidence.gradients(network, x, label=3)
    for row, column in [(5, 13), (14, 9), (20, 17)]:
        step = torch.zeros_like(x)
        step[0, 0, row, column] = 1e-6
        expected = ((network(x + step) - network(x - step))[0, 3] / 2e-6).item()
        assert found.pixels[0, row, column].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    torch.testing.assert_close(found.cells, network.pool.weights(network.maps(x))[0, 3])


@pytest.mark.parametrize("layer", [3, 8, 15, 16])
def test_a_receptive_field_holds_all_pixels_that_matter_and_no_others(layer):
    """Averages in place of maxima and rectifiers, and weights of 1: then every pixel of the field has a gradient."""
    network = frozen("gap")
    for place, module in enumerate(network.network):
        if isinstance(module, nn.Conv2d):
            module.weight.fill_(1.0)
        elif isinstance(module, nn.MaxPool2d):
            network.network[place] = nn.AvgPool2d(2)
    x = torch.ones(1, 1, 96, 96, requires_grad=True)
    output = network.network[:layer](x)
    row, column = output.shape[2] // 2, output.shape[3] // 2 - 1
    (gradient,) = torch.autograd.grad(output[0, 0, row, column], x)
    rows, columns = gradient[0, 0].nonzero().T
    box = evidence.receptive_field(frozen("gap"), row, column, layer)
    assert (box.top, box.left) == (rows.min(), columns.min())
    assert (box.height, box.width) == (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1)


def test_a_cell_s_own_pixels_lie_at_the_centre_of_its_field():
    network = frozen("gmp")
    own, field = evidence.own_pixels(network, 1, 2), evidence.receptive_field(network, 1, 2)
    assert (own.top, own.left, own.height, own.width) == (8, 16, 8, 8)
    assert own.top + own.height / 2 == field.top + field.height / 2
    assert own.left + 4 == field.left + field.width / 2


def test_a_map_over_the_image_is_bilinear_between_the_centres_of_its_cells():
    cells = torch.randn(3, 3)
    centres = (np.arange(28) + 0.5) / 8 - 0.5
    expected = scipy.ndimage.map_coordinates(
        cells.numpy(), np.meshgrid(centres, centres, indexing="ij"), order=1, mode="nearest"
    )
    np.testing.assert_allclose(evidence.on_the_image(cells, 8, 28, 28), expected, atol=1e-5)


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_the_figures_show_what_was_found(pool, image, fashion):
    look = Analysis(frozen(pool), "logits", image)
    values = [matrix.values.numpy() for matrix in figures.explained(look, 1, fashion.classes).matrices]
    assert len(values) == 6
    assert np.allclose(values[0] * values[1], values[2])
    assert np.allclose(values[3] - values[4], values[5], atol=1e-6)
    assert len(figures.over_the_image(look, "Trouser").matrices) == 5
    rows = figures.cell_rows(look, fashion.classes)
    of_class = [row for row in rows if row["class"] == "Bag"]
    assert sum(row["share"] for row in of_class[:-1]) == pytest.approx(of_class[-1]["share"], abs=1e-5)


def test_the_way_leads_from_the_mean_through_log_sum_exp_to_the_maximum():
    maps = torch.randn(5, 10, 3, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(swap.swapped(maps, 0.0), maps.mean((2, 3)))
    assert torch.equal(swap.swapped(maps, math.inf), maps.amax((2, 3)))
    torch.testing.assert_close(swap.swapped(maps, 4.0), ((4 * maps).exp().mean((2, 3))).log() / 4)
    way = torch.stack([swap.swapped(maps, strength) for strength in swap.STRENGTHS])
    assert (way.diff(dim=0) >= -3e-4).all()  # a division by 1/1024 leaves float32 with an error of about that size


@pytest.mark.parametrize(("pool", "place"), [("gap", 0), ("gmp", -1)])
def test_the_curve_meets_the_trained_accuracy_at_the_trained_pooling(pool, place, small_dataset):
    network = frozen(pool, seed=7)
    maps = torch.cat([network.maps(scaled(part)) for part in small_dataset.test.images.split(50)])
    curve = swap.accuracy_curve(maps, small_dataset.test.labels, "sigmoid")
    assert curve[place] == pytest.approx(evaluate(network, small_dataset.test, "sigmoid").accuracy)
    assert swap.STRENGTHS[place] == swap.place_of(network.pool)


def test_only_poolings_on_the_way_have_a_place_on_it():
    assert [swap.place_of(POOLS[name]()) for name in ("lse", "avgmax")] == [4.0, None]


def test_disagreements_are_those_of_a_plain_loop():
    generator = torch.Generator().manual_seed(1)
    actual = torch.randint(4, (300,), generator=generator)
    first, second = (torch.randn(300, 4, generator=generator) for _ in range(2))
    found = disagreement.Disagreement(
        actual, disagreement.answers_of(first, actual, "logits"), disagreement.answers_of(second, actual, "logits")
    )
    kinds: dict[str, list[int]] = {"first": [], "second": [], "both": [], "sure": []}
    for index, label in enumerate(actual.tolist()):
        right = [int(scores[index].argmax()) == label for scores in (first, second)]
        name = {(True, False): "first", (False, True): "second", (False, False): "both"}.get(tuple(right))
        if name:
            kinds[name].append(index)
            kinds["sure"].append(index)
    for kind, expected in kinds.items():
        assert sorted(found.found(kind).tolist()) == expected
        assert sum(found.count(kind, label) for label in range(4)) == len(expected)
    lags = torch.maximum(
        first.amax(1) - first.gather(1, actual[:, None])[:, 0], second.amax(1) - second.gather(1, actual[:, None])[:, 0]
    )
    assert (lags[found.found("sure")].diff() <= 0).all()
    assert sorted(found.differing().tolist()) == sorted(kinds["first"] + kinds["second"])


def test_all_epochs_at_once_score_as_each_epoch_does(image):
    networks = [frozen("lse", seed=seed) for seed in range(4)]
    scores = history.history(networks).scores(image)
    torch.testing.assert_close(scores, torch.cat([network(image) for network in networks]), rtol=1e-4, atol=1e-5)
    assert history.lead(torch.tensor([[1.0, 3.0, 2.5], [4.0, 0.0, 1.0]]), 1).tolist() == [0.5, -4.0]


def test_an_unchanged_image_stays_as_it_is_bit_for_bit(image):
    assert torch.equal(perturbation.changed(image, perturbation.UNCHANGED), image)


def test_a_shift_moves_pixels_and_lets_black_in(image):
    expected = torch.zeros_like(image)
    expected[:, :, 2:, :-3] = image[:, :, :-2, 3:]
    torch.testing.assert_close(perturbation.changed(image, perturbation.Change(right=-3, down=2)), expected)


def test_a_half_turn_turns_both_ways_round(image):
    torch.testing.assert_close(
        perturbation.changed(image, perturbation.Change(angle=180.0)), image.flip(2, 3), atol=1e-4, rtol=0
    )


def test_noise_is_the_same_every_time_and_stays_between_black_and_white(image):
    noisy = perturbation.changed(image, perturbation.Change(noise=0.3))
    assert torch.equal(noisy, perturbation.changed(image, perturbation.Change(noise=0.3)))
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert not torch.equal(noisy, image)


def test_a_box_is_erased_and_nothing_else(image):
    erased = perturbation.changed(image, perturbation.Change(rows=(4, 9), columns=(10, 28)))
    outside = torch.ones(28, 28, dtype=torch.bool)
    outside[4:9, 10:28] = False
    assert not erased[0, 0, 4:9, 10:28].any()
    assert torch.equal(erased[0, 0][outside], image[0, 0][outside])
    assert torch.equal(perturbation.changed(image, perturbation.Change(rows=(4, 4), columns=(10, 28))), image)
