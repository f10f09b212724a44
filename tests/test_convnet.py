"""The network against the article's table, and against a copy of it in plain PyTorch."""

import math

import article
import pytest
import scipy.stats
import torch
from torch import nn

from gpcore.nets.convnet import CLASS_MAPS, FEATURES, ConvNet, stacked_features
from gpcore.nets.pooling import POOLS

ON_CLASS_MAPS = [pool for pool in POOLS if pool != "gem"]

TABLE = [
    (1, nn.Conv2d, (8, 28, 28)),
    (2, nn.ReLU, (8, 28, 28)),
    (3, nn.Conv2d, (8, 28, 28)),
    (4, nn.ReLU, (8, 28, 28)),
    (5, nn.MaxPool2d, (8, 14, 14)),
    (6, nn.Conv2d, (16, 14, 14)),
    (7, nn.ReLU, (16, 14, 14)),
    (8, nn.Conv2d, (16, 14, 14)),
    (9, nn.ReLU, (16, 14, 14)),
    (10, nn.MaxPool2d, (16, 7, 7)),
    (11, nn.Conv2d, (32, 7, 7)),
    (12, nn.ReLU, (32, 7, 7)),
    (13, nn.Conv2d, (32, 7, 7)),
    (14, nn.ReLU, (32, 7, 7)),
    (15, nn.MaxPool2d, (32, 3, 3)),
    (16, nn.Conv2d, (10, 3, 3)),
]
"""k, the last module of `network[:k]`, and the shape of what it puts out."""


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("k", "module", "shape"), TABLE, ids=lambda value: str(value) if type(value) is int else "")
def test_layers_are_those_of_the_table(k, module, shape, images):
    network = ConvNet("gap").network
    assert isinstance(network[k - 1], module)
    assert network[:k](images).shape == (4, *shape)


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_the_last_module_is_the_pooling(pool, images):
    network = ConvNet(pool)
    assert len(network.network) == CLASS_MAPS + 1 == 17
    assert type(network.network[16]) is type(network.pool) is POOLS[pool]
    assert network(images).shape == (4, 10)


@pytest.mark.parametrize("pool", ["gap", "gmp", "lse", "avgmax"])
@pytest.mark.parametrize("placement", ["usual", "features"])
def test_18370_parameters_and_no_buffers(pool, placement):
    network = ConvNet(pool, placement=placement)
    assert sum(parameter.numel() for parameter in network.parameters()) == 18_370
    assert not list(network.buffers())


@pytest.mark.parametrize("pool", ON_CLASS_MAPS)
def test_scores_are_the_pooled_maps_before_any_sigmoid(pool, images):
    network = ConvNet(pool)
    torch.testing.assert_close(network.maps(images), network.network[:16](images), atol=1e-6, rtol=0)
    assert torch.equal(network(images), network.pool(network.maps(images)))


@pytest.mark.parametrize("pool", article.KERNELS)
def test_a_plain_copy_of_the_network_takes_the_weights_as_they_are(pool, images):
    ours, plain = ConvNet(pool, seed=5), article.network(article.KERNELS[pool])
    plain.load_state_dict({name.removeprefix("network."): value for name, value in ours.state_dict().items()})
    torch.testing.assert_close(ours(images), plain(images), atol=1e-6, rtol=0)
    torch.testing.assert_close(ours.maps(images), plain[:16](images), atol=1e-6, rtol=0)


def assert_equal_but_for_rounding(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("pool", POOLS)
def test_scores_and_gradients_are_those_of_the_modules_one_by_one(pool, images):
    images[0] = 0  # so that all the cells of a map are equal
    network, images = ConvNet(pool, initialisation="kaiming").double(), images.double().requires_grad_()
    for count in (4, 3, 0):
        found, wanted = (
            [scores, *torch.autograd.grad(scores.square().sum(), [images, *network.parameters()])]
            for scores in (network(images[:count]), network.network(images[:count]))
        )
        assert_equal_but_for_rounding(found, wanted)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("count", [5, 6])
@pytest.mark.parametrize("size", [(28, 28), (32, 30), (9, 13)], ids=str)
def test_without_gradients_the_features_are_those_of_the_modules(size, count):
    images = torch.rand(count, 3, *size, dtype=torch.double)
    images[0] = 0
    network = ConvNet("gap", channels=3, size=size, initialisation="kaiming").double()
    with torch.no_grad():
        wanted = network.network[:15](images)
        assert_equal_but_for_rounding(network.features(images), wanted)
        images[1, 0, 4, 4] = math.nan
        found = network.features(images)
    assert found[1].isnan().any()
    assert_equal_but_for_rounding(found[2:], wanted[2:])


@pytest.mark.parametrize(("vectors", "at_once"), [("AVX2", 6), ("AVX512", 3)], indirect=["vectors"])
def test_where_vectors_are_wide_two_images_are_computed_as_one(vectors, at_once):
    with torch.profiler.profile(record_shapes=True) as profile:
        ConvNet("gap")(torch.rand(6, 1, 28, 28))
    batches = [event.input_shapes[0][0] for event in profile.events() if event.name == "aten::conv2d"]
    assert batches == [at_once] * 4 + [6] * 3


def test_the_seed_alone_decides_the_first_weights():
    torch.manual_seed(1)
    first = ConvNet("gap", seed=3).state_dict()
    torch.manual_seed(2)
    for pool in ON_CLASS_MAPS:
        again = ConvNet(pool, seed=3).state_dict()
        assert {name for name in again.keys() ^ first.keys() if not name.startswith("network.16.")} == set()
        assert all(torch.equal(again[name], first[name]) for name in first)
    other = ConvNet("gap", seed=4).state_dict()
    assert not any(torch.equal(other[name], first[name]) for name in first if name.endswith("weight"))


def test_weights_start_xavier_uniform_and_biases_at_one_hundredth():
    for module in ConvNet("gap").network:
        if isinstance(module, nn.Conv2d):
            area = module.kernel_size[0] * module.kernel_size[1]
            bound = (6 / (area * module.in_channels + area * module.out_channels)) ** 0.5
            assert 0.9 * bound < module.weight.abs().max().item() <= bound
            assert module.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
            assert (module.bias == 0.01).all()


def test_weights_may_start_kaiming_normal_and_biases_at_nothing():
    weights = torch.cat([network.network[12].weight.flatten() for network in kaiming_networks()])
    assert weights.std().item() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.02)
    assert scipy.stats.kstest(weights.detach().numpy() / (2 / (9 * 32)) ** 0.5, "norm").pvalue > 0.01
    assert all((network.network[index].bias == 0).all() for network in kaiming_networks() for index in (0, 12, 15))


def kaiming_networks() -> list[ConvNet]:
    return [ConvNet("gap", seed=seed, initialisation="kaiming") for seed in range(4)]


def test_colour_images_and_another_number_of_classes():
    network = ConvNet("gmp", channels=3, classes=7)
    images = torch.rand(2, 3, 32, 32)
    assert network.maps(images).shape == (2, 7, 4, 4)
    assert network(images).shape == (2, 7)


def test_shapes_in_annotations_are_checked_in_the_tests():
    with pytest.raises(Exception, match="maps"):
        ConvNet("gap").pool(torch.zeros(3, 3))


def test_networks_side_by_side_give_what_each_gives_with_its_gradients(vectors):
    networks = [ConvNet("gap", channels=3, seed=seed, size=(17, 20)).double() for seed in (0, 1, 2)]
    images = torch.rand(3, 4, 3, 17, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    own = [list(network.network[:FEATURES].parameters()) for network in networks]
    stacked = [torch.stack([each.detach() for each in column]).requires_grad_() for column in zip(*own, strict=True)]
    found = stacked_features(stacked, images)
    found.square().sum().backward()
    for place, network in enumerate(networks):
        expected = network.network[:FEATURES](images[place])
        torch.testing.assert_close(found[place], expected)
        for weights, gradient in zip(stacked, torch.autograd.grad(expected.square().sum(), own[place]), strict=True):
            torch.testing.assert_close(weights.grad[place], gradient)
