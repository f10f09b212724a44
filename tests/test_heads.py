"""Every head against plain PyTorch, and both placements of the pooling: for GAP the same function, for GMP another."""

from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch
from tiny import ROOT
from torch import nn

from gpcore.data.datasets import Dataset
from gpcore.data.decoding import read_photo
from gpcore.data.preparation import prepare
from gpcore.errors import DatasetError, InsightError
from gpcore.figures.answer_sheets import answer_sheet, tile_source
from gpcore.insight.answers import answer
from gpcore.insight.history import history
from gpcore.insight.placement import moved
from gpcore.insight.uncertainty import Calibration
from gpcore.nets.convnet import CLASS_MAPS, FEATURES, ConvNet
from gpcore.nets.heads import HEADS, HIDDEN
from gpcore.nets.onnx import write_onnx
from gpcore.nets.pooling import POOLS
from gpcore.recipe import ARTICLE, MODERN, Placement, Recipe
from gpcore.runs.run import open_run
from gpcore.runs.store import Store
from gpcore.runs.worker import train
from gpcore.training.evaluate import evaluate
from gpcore.training.fit import fit
from gpcore.training.state import TrainingState

EVERY = [(pool, placement) for pool in HEADS for placement in get_args(Placement)]
LINEAR = ["mlp", "mlp-dropout"]


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_every_head_has_every_placement():
    assert all(tuple(placements) == get_args(Placement) for placements in HEADS.values())


@pytest.mark.parametrize(("pool", "placement"), EVERY)
def test_every_network_is_seventeen_modules_with_the_same_trunk(pool, placement, images):
    network, article = ConvNet(pool, placement=placement, seed=3).eval(), ConvNet("gap", seed=3)
    assert len(network.network) == CLASS_MAPS + 1
    assert network(images).shape == (4, 10)
    torch.testing.assert_close(network(images), network.network(images))
    for ours, theirs in zip(network.network[:FEATURES].parameters(), article.network[:FEATURES].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_average_pooling_is_the_same_function_wherever_it_stands(images):
    on_maps = ConvNet("gap", seed=1)
    on_features = moved(on_maps)
    torch.testing.assert_close(on_features(images), on_maps(images), atol=1e-6, rtol=1e-5)


def test_average_pooling_starts_as_the_same_function_too(images):
    on_maps, on_features = ConvNet("gap", seed=4), ConvNet("gap", placement="features", seed=4)
    torch.testing.assert_close(on_features(images), on_maps(images), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("pool", ["gmp", "lse", "avgmax"])
def test_any_other_pooling_is_another_function_there(pool, images):
    on_maps = ConvNet(pool, seed=1)
    on_features, weight = moved(on_maps), on_maps.network[FEATURES].weight[:, :, 0, 0]
    expected = POOLS[pool]()(on_maps.features(images)) @ weight.T + on_maps.network[FEATURES].bias
    torch.testing.assert_close(on_features(images), expected)
    assert (on_features(images) - on_maps(images)).abs().max() > 1e-3


def test_a_maximum_of_features_is_put_together_from_cells_that_no_single_cell_of_a_class_map_sees():
    """Two features, each awake in a cell of its own: pooled first, a class that needs both finds both."""
    features = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    weight = torch.tensor([[1.0, 1.0]])
    maps = torch.einsum("cf,nfij->ncij", weight, features)
    assert POOLS["gmp"]()(maps).item() == 1.0
    assert (POOLS["gmp"]()(features) @ weight.T).item() == 2.0
    assert POOLS["gap"]()(maps).item() == (POOLS["gap"]()(features) @ weight.T).item() == 1.0


def test_a_pooling_that_stands_elsewhere_or_learned_something_can_not_be_moved():
    with pytest.raises(InsightError, match="it can't be moved"):
        moved(ConvNet("gem"))
    with pytest.raises(InsightError, match="Attention has learned weights for class maps"):
        moved(ConvNet("attention"))


def test_gem_always_stands_on_features_which_are_never_negative(images):
    for placement in get_args(Placement):
        network = ConvNet("gem", placement=placement, seed=1)
        features = network.features(images)
        assert features.min() >= 0
        expected = (features.double() ** 3).mean((2, 3)) ** (1 / 3) @ network.network[16].weight.double().T
        torch.testing.assert_close(network(images).double(), expected + 0.01, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("pool", LINEAR)
def test_linear_heads_are_plain_linear_layers_of_all_cells(pool, images):
    network = ConvNet(pool, seed=1).eval()
    plain = nn.Sequential(nn.Flatten(), nn.Linear(32 * 3 * 3, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
    hidden, last = network.network[15].linear, network.network[16]
    plain[1].load_state_dict(hidden.state_dict())
    plain[3].load_state_dict(last.state_dict())
    torch.testing.assert_close(network(images), plain(network.features(images)))


def test_dropout_is_on_in_training_alone(images):
    plain, dropping = ConvNet("mlp", seed=1), ConvNet("mlp-dropout", seed=1)
    assert torch.equal(plain.eval()(images), dropping.eval()(images))
    assert torch.equal(plain.train()(images), plain(images))
    assert not torch.equal(dropping.train()(images), dropping(images))


def test_a_network_without_class_maps_says_so(images):
    for network in (ConvNet("mlp"), ConvNet("gem"), ConvNet("gmp", placement="features")):
        with pytest.raises(InsightError, match="no class maps: its last module is a linear layer"):
            network.maps(images)
    with pytest.raises(InsightError, match="does not pool"):
        ConvNet("mlp").pool  # noqa: B018  # the property raises
    assert type(ConvNet("gmp", placement="features").pool) is POOLS["gmp"]


@pytest.mark.parametrize("pool", HEADS)
def test_other_sizes_colours_and_classes(pool):
    network = ConvNet(pool, channels=3, classes=7, size=(64, 48)).eval()
    assert network(torch.rand(2, 3, 64, 48)).shape == (2, 7)


def test_images_too_small_for_three_halvings_are_refused():
    with pytest.raises(DatasetError, match="6×30 pixels: the network needs at least 8×8"):
        ConvNet("gap", size=(6, 30))


@pytest.mark.parametrize(("pool", "placement"), [*((pool, "usual") for pool in HEADS), ("attention", "features")])
def test_every_head_as_onnx_answers_alike(pool, placement, images, tmp_path):
    network = ConvNet(pool, placement=placement, seed=2).eval()
    write_onnx(network, (1, 28, 28), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"images": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(scores), network(images).detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pool", HEADS)
def test_all_epochs_of_every_head_at_once_score_as_each_does(pool, images):
    networks = [ConvNet(pool, seed=seed).eval().requires_grad_(False) for seed in range(3)]
    expected = torch.cat([network(images[:1]) for network in networks])
    torch.testing.assert_close(history(networks).scores(images[:1]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", ["gem", "attention", "mlp-dropout"])
def test_a_run_with_what_it_learns_is_stored_and_opened_again(pool, small_dataset: Dataset, tmp_path, data_folder):
    store = Store(tmp_path / "store")
    claim = store.start(MODERN.but(pool=pool, placement="features", epochs=1, train_images=64))
    list(
        train(
            store,
            claim,
            data_folder,
            "cpu",
        )
    )
    opened = open_run(claim.run, store.folder)
    assert opened.id == f"modern-{pool}-features-seed0"
    network = opened.network()
    assert opened.parameters == sum(parameter.numel() for parameter in network.parameters())
    first, again = (evaluate(opened.network(), small_dataset.test, "logits").loss for _ in range(2))
    assert first == again


def test_a_run_written_before_there_were_placements_is_read_as_usual():
    old = ARTICLE.to_json()
    del old["placement"]
    assert Recipe.from_json(old) == ARTICLE


@pytest.mark.parametrize("pool", ["gem", "attention", "mlp-dropout"])
def test_training_that_is_interrupted_goes_on_bit_for_bit(pool, small_dataset: Dataset):
    recipe = MODERN.but(pool=pool, epochs=1, batch_size=32, train_images=128)
    whole = TrainingState.fresh(recipe, small_dataset, torch.device("cpu"))
    before = torch.random.get_rng_state()
    list(fit(recipe, small_dataset, whole))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(12345)
    again = TrainingState.fresh(recipe, small_dataset, torch.device("cpu"))
    list(fit(recipe, small_dataset, again))
    for one, other in zip(whole.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not whole.network.training


def test_a_photograph_is_answered_without_class_maps_too(small_dataset: Dataset):
    network = ConvNet("mlp", seed=1).eval().requires_grad_(False)
    picture = prepare(read_photo(ROOT / "examples" / "ankle-boot-on-carpet.jpg"))
    found = answer(network, Calibration(1, 200, 1.0, 0.0), small_dataset.classes, picture)
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.class_maps is None
    sheet = answer_sheet(tile_source(np.zeros((20, 10, 3), np.uint8)), (10, 20), picture.box, found, "#2a86d8")
    assert not sheet.matrices
    assert len(sheet.photographs[0].places) == len(sheet.texts) == 3
