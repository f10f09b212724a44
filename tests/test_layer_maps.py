"""Maps of any layer, their scaling and their figures, against plain slices of the network and literal formulas."""

import base64
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from gpcore.cli.main import main
from gpcore.data.datasets import Dataset, scaled
from gpcore.drawing import colour_scales
from gpcore.drawing.painter import draw_sheets
from gpcore.drawing.sheets import Matrix, colours, palette
from gpcore.errors import InsightError
from gpcore.figures import map_grids as figures
from gpcore.figures.twin_grids import twin_grids
from gpcore.insight import layer_maps
from gpcore.insight.analysis import Analysis
from gpcore.nets.convnet import ConvNet
from gpcore.nets.pooling import POOLS
from gpcore.runs.run import open_run

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def network() -> ConvNet:
    return ConvNet("gap", seed=3).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image(fashion: Dataset) -> torch.Tensor:
    return scaled(fashion.test.images[2:3])


@pytest.mark.parametrize("layer", range(18))
def test_a_layer_is_what_the_modules_before_it_give_bit_for_bit(network, image, layer):
    expected = image
    for module in list(network.network)[:layer]:
        expected = module(expected)
    assert torch.equal(layer_maps.layer_output(network, image, layer), expected)


def test_layers_are_named_as_in_the_network(network):
    titles = [layer.title for layer in layer_maps.layers(network, (1, 28, 28))]
    assert titles[0] == "0 · input · 1×28×28"
    assert titles[13] == "13 · Conv2d 32→32 · 32×7×7"
    assert titles[15:] == ["15 · MaxPool2d · 32×3×3", "16 · Conv2d 32→10 · 10×3×3", "17 · GAP · 10"]


@pytest.mark.parametrize("layer", [-1, 18])
def test_a_layer_that_is_not_there_is_refused_in_a_sentence(network, image, layer):
    with pytest.raises(InsightError, match=rf"layer is {layer}: choose one from 0 \(the image\) to 17"):
        layer_maps.layer_output(network, image, layer)


@pytest.mark.parametrize("scale", ["map", "layer", "both"])
def test_spans_are_the_ends_of_what_shares_a_scale(scale):
    grids = [torch.randn(4, 3, 3), 100 * torch.randn(4, 3, 3)]
    for grid, spans in zip(grids, colour_scales.spans(grids, scale), strict=True):
        for maps, (low, high) in zip(grid, spans.tolist(), strict=True):
            over = {"map": maps, "layer": grid, "both": torch.cat(grids)}[scale]
            assert (low, high) == (over.min().item(), over.max().item())


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-44, 3e38])
@pytest.mark.parametrize("scale", ["map", "layer", "both"])
def test_a_flat_map_is_dark_at_zero_and_else_of_the_middle_shade(scale, value):
    maps = torch.full((2, 3, 3), value)
    (spans,) = colour_scales.spans([maps], scale)
    low, high = spans[0].tolist()
    assert (maps[0, 0, 0].item() - low) / (high - low) == (0.0 if value == 0 else 0.5)


def test_values_at_the_end_of_float32_still_have_colours():
    maps = torch.tensor([[[-3e38, 3e38]]])
    (spans,) = colour_scales.spans([maps], "layer")
    assert colours(Matrix(maps[0], *spans[0].tolist()))[0].tolist() == palette("brightness")[[0, 255]].tolist()


def test_an_unknown_scale_is_refused():
    with pytest.raises(InsightError, match="scale is 'row': choose one of map, layer, both"):
        colour_scales.spans([torch.zeros(1, 2, 2)], "row")


def test_only_a_map_that_is_zero_everywhere_is_dead():
    maps = torch.zeros(3, 2, 2)
    maps[1, 0, 0], maps[2] = -1e-30, 1.0
    assert layer_maps.dead(maps).tolist() == [True, False, False]


@pytest.mark.parametrize("pool", ["gap", "gmp", "avgmax"])
def test_shares_of_the_last_features_and_the_bias_make_the_score(pool, image):
    network = ConvNet(pool, seed=1).eval().requires_grad_(False)
    parts = layer_maps.contributions(network, image, 15, answer=4)
    torch.testing.assert_close(parts.sum() + network.network[15].bias[4], network(image)[0, 4])


def test_class_maps_and_scores_contribute_their_own_scores(network, image):
    for layer in (16, 17):
        torch.testing.assert_close(layer_maps.contributions(network, image, layer, 0), network(image)[0])


def test_contributions_leave_no_gradient_in_the_network(network, image):
    layer_maps.contributions(network, image, 3, 0)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())


def test_class_maps_of_a_whole_split_are_those_of_each_image(network, small_dataset):
    together = layer_maps.all_class_maps(network, small_dataset.test)
    assert together.shape == (200, 10, 3, 3)
    torch.testing.assert_close(together[7:8], network.maps(scaled(small_dataset.test.images[7:8])), rtol=1e-4, atol=1e-5)


def test_a_head_of_linear_layers_says_that_it_has_no_class_maps(image, small_dataset):
    network = ConvNet("mlp").eval().requires_grad_(False)
    assert layer_maps.layer_output(network, image, 17).shape == (1, 10)
    assert layer_maps.contributions(network, image, 16, 0).shape == (128,)
    with pytest.raises(InsightError, match="This network has no class maps: its last module is a linear layer"):
        layer_maps.all_class_maps(network, small_dataset.test)


def test_larger_colour_images_have_larger_maps():
    network = ConvNet("gmp", channels=3).eval().requires_grad_(False)
    titles = [layer.title for layer in layer_maps.layers(network, (3, 64, 48))]
    assert titles[0] == "0 · input · 3×64×48"
    assert titles[16] == "16 · Conv2d 32→10 · 10×8×6"
    look = Analysis(network, "logits", torch.rand(1, 3, 64, 48))
    for layer in range(18):
        (grid,) = twin_grids([look], layer, [str(label) for label in range(10)])
        assert figures.grid_sheet(grid).data()


def test_two_grids_of_32_maps_stay_under_300_kb(network, image):
    looks = [Analysis(ConvNet(pool).eval(), "logits", image) for pool in ("gap", "gmp")]
    grids = twin_grids(looks, 13, [str(label) for label in range(10)], sort=True)
    assert sum(len(json.dumps(figures.grid_sheet(grid).data())) for grid in grids) < 300_000


def test_a_sheet_of_maps_holds_every_value_once(network, image):
    look = Analysis(network, "logits", image)
    (grid,) = twin_grids([look], 13, [])
    sheet = figures.grid_sheet(grid)
    assert torch.equal(torch.stack([matrix.values for matrix in sheet.matrices]), look.maps(13))
    sent = [np.frombuffer(base64.b64decode(matrix["values"]), "<f4") for matrix in sheet.data()["matrices"]]
    assert np.array_equal(np.stack(sent), look.maps(13).flatten(1).numpy())


def test_sorted_maps_begin_with_the_one_that_adds_most(network, image):
    look = Analysis(network, "logits", image)
    (grid,) = twin_grids([look], 14, [str(label) for label in range(10)], sort=True)
    values = look.contributions(14)[grid.numbers]
    assert (values.diff() <= 0).all()
    assert sorted(grid.numbers.tolist()) == list(range(32))


def test_a_dead_map_is_marked_as_such(network):
    look = Analysis(network, "logits", torch.zeros(1, 1, 28, 28))
    network_of_zeros = ConvNet("gap").eval().requires_grad_(False)
    network_of_zeros.network[0].bias.fill_(-1.0)
    (grid,) = twin_grids([Analysis(network_of_zeros, "logits", look.image)], 2, [])
    assert grid.dead == frozenset(range(8))
    assert [text.text for text in figures.grid_sheet(grid).texts].count("dead") == 8


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (8, 4), (10, 5), (16, 4), (32, 8), (37, 7)])
def test_a_grid_is_wide_and_full_where_that_is_possible(count, columns):
    maps = torch.zeros(count, 2, 2)
    grid = figures.MapGrid(maps, torch.zeros(count, 2), torch.arange(count), [""] * count, frozenset())
    assert grid.columns == columns
    assert grid.rows * columns >= count


def test_a_picture_has_the_colours_of_its_maps():
    maps = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    grid = figures.MapGrid(maps, torch.tensor([[0.0, 1.0]]), torch.arange(1), ["0"], frozenset())
    found = {colour for _, colour in draw_sheets([figures.grid_sheet(grid)], ["one"], ["black"]).getcolors(100_000)}
    assert {(68, 1, 84), (253, 231, 37)} <= found  # the two ends of Viridis


def test_the_command_writes_the_numbers_of_a_layer(filled_store, data_folder, tmp_path, fashion, capsys):
    out = tmp_path / "maps.npz"
    run, twin = (str(filled_store / f"article-{pool}-seed0") for pool in ("gap", "gmp"))
    options = ["--image", "2", "--layer", "12", "--out", str(out), "--data", str(data_folder), "--json"]
    assert main(["maps", run, "--run", twin, *options]) == 0
    written, told = np.load(out), json.loads(capsys.readouterr().out)
    network = open_run(run).network()
    x = scaled(fashion.test.images[2:3])
    assert written["maps"].dtype == np.float32
    assert written["maps"].shape == (32, 7, 7)
    assert np.array_equal(written["maps"], network.network[:12](x)[0].numpy())
    assert written["maps_2"].shape == (32, 7, 7)
    assert int(written["actual"]) == 1 == told["actual"]
    assert [int(written["predicted"]), int(written["predicted_2"])] == told["predicted"]
    assert int(written["predicted"]) == int(network(x).sigmoid().argmax())


@pytest.mark.parametrize("layer", ["0", "16", "17"])
def test_the_command_draws_a_picture(filled_store, data_folder, tmp_path, layer):
    out = tmp_path / "maps.png"
    run = str(filled_store / "article-gmp-seed0")
    assert main(["maps", run, "--image", "2", "--layer", layer, "--out", str(out), "--data", str(data_folder)]) == 0
    with PIL.Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > 700


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"--layer": "18"}, "layer is 18: choose one from 0 (the image) to 17 (the scores)."),
        ({"--image": "10000"}, "--image is 10000: fashion-mnist has test images 0 to 9,999."),
        ({"--out": "maps.jpg"}, "--out is maps.jpg: end the name in .png for a picture or in .npz for the numbers."),
        ({"--out": "/nowhere/maps.png"}, "Could not write /nowhere/maps.png: No such file or directory."),
        ({"--scale": "row"}, "scale is 'row': choose one of map, layer, both."),
        ({"--epoch": "9"}, "article-gap-seed0 has no weights of epoch 9: it has 1 to 2."),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(filled_store, data_folder, tmp_path, capsys, change, sentence):
    options = {"--image": "2", "--layer": "3", "--out": str(tmp_path / "maps.npz"), "--data": str(data_folder)} | change
    arguments = [part for option in options.items() for part in option]
    assert main(["maps", str(filled_store / "article-gap-seed0"), *arguments]) == 2
    assert capsys.readouterr().err == f"Error: {sentence}\n"


@pytest.mark.parametrize("pool", ["gap", "gmp"])
def test_the_shipped_runs_see_the_article_s_trouser(pool, image):
    """The article's own finding: map 1 is brightest on average under GAP, and holds the brightest pixel under GMP."""
    folder = ROOT / "checkpoints" / f"article-{pool}-seed0"
    if not (folder.parent / "runs.db").is_file():
        pytest.skip("checkpoints/ is not here: the shipped runs can't be looked at.")
    run = open_run(folder)
    look = Analysis(run.network(), run.recipe.output, image)
    assert look.answer == 1
    maps = look.maps(16)
    assert int({"gap": maps.mean((1, 2)), "gmp": maps.amax((1, 2))}[pool].argmax()) == 1


def test_every_pooling_has_a_label_for_the_page():
    assert all(isinstance(pool.label, str) for pool in POOLS.values())
