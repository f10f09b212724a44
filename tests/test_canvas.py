"""The canvas against torchvision's resizing, plain loops, and the speed of reading files."""

import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torchvision.transforms import functional as vision

from gpcore.data import canvas
from gpcore.data.canvas import Places, canvases, clutter, draw
from gpcore.data.datasets import Dataset, load_dataset, read_folder
from gpcore.errors import DatasetError, RecipeError
from gpcore.recipe import MODERN, canvas_settings
from gpcore.runs.store import Store
from gpcore.training.fit import EpochDone, fit
from gpcore.training.state import TrainingState

BLACK = torch.zeros(40, 1, 64, 64, dtype=torch.uint8)


@pytest.fixture(scope="module")
def items(fashion: Dataset) -> torch.Tensor:
    return fashion.test.images[:40]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("percent", [2.0, 10.0, 19.14, 50.0, 100.0])
def test_an_item_is_torchvisions_resized_one_at_its_place(items, percent):
    places = Places.drawn(40, percent, generator())
    drawn = draw(items, places, BLACK)
    for item, side, top, left, found in zip(items, places.side, places.top, places.left, drawn, strict=True):
        expected = torch.zeros(1, 64, 64)
        resized = vision.resize(item.float(), [side, side], vision.InterpolationMode.BILINEAR, antialias=True)
        expected[:, top : top + side, left : left + side] = resized
        assert (found.float() - expected).abs().max() <= 0.51


def test_an_item_of_its_own_size_is_not_changed_by_a_bit(items):
    places = Places(*(torch.full((40,), value) for value in (28, 30, 5)))
    drawn = draw(items, places, BLACK)
    assert torch.equal(drawn[:, :, 30:58, 5:33], items)
    assert drawn.sum() == items.sum()


def test_an_item_stands_before_the_clutter(items):
    places = Places.drawn(40, 30.0, generator())
    alone, behind = draw(items, places, BLACK), clutter(items, 16, generator(1))
    together = draw(items, places, behind)
    assert torch.equal(together, torch.where(alone > 0, alone, behind))
    assert (together != alone).any()


@pytest.mark.parametrize("percent", [2.0, 37.0, 100.0, None])
def test_every_item_is_on_its_canvas_whole_and_takes_what_was_asked_for(percent):
    places = Places.drawn(5000, percent, generator())
    for start in (places.top, places.left):
        assert (start >= 0).all()
        assert (start + places.side <= 64).all()
        assert percent == 100 or start.float().mean().item() == pytest.approx(
            (64 - places.side.float()).mean().item() / 2, rel=0.05
        )
    if percent is None:
        assert (places.areas.min(), places.areas.max()) == (pytest.approx(0.02, rel=0.05), 1.0)
        assert places.areas.log10().mean().item() == pytest.approx(np.log10(0.02) / 2, abs=0.02)
    else:
        assert places.areas.sqrt().mean().item() == pytest.approx((percent / 100) ** 0.5, abs=0.5 / 64)


def test_a_piece_of_clutter_is_cut_from_another_item(items):
    few = items[:10]
    for own, found in enumerate(clutter(few, 1, generator())[:, 0]):
        rows, columns = found.nonzero().T
        piece = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        height, width = piece.shape
        assert max(height, width) <= canvas.PIECE
        sources = [
            number
            for number, item in enumerate(few[:, 0])
            if (item.unfold(0, height, 1).unfold(1, width, 1) == piece).all((2, 3)).any()
        ]
        assert set(sources) - {own}


def test_more_pieces_leave_the_first_ones_where_they_are(items):
    fewer, more = (clutter(items, pieces, generator()) for pieces in (8, 16))
    assert (more >= fewer).all()
    assert (more > fewer).any((1, 2, 3)).all()
    assert not clutter(items, 0, generator()).any()


def test_a_single_item_is_its_own_clutter():
    assert clutter(torch.full((1, 1, 28, 28), 9, dtype=torch.uint8), 1, generator()).sum() == 9 * 64


def test_the_seed_alone_decides(items):
    torch.manual_seed(1)
    first = canvases(items, None, 8, seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, canvases(items, None, 8, seed=3))
    assert not torch.equal(first, canvases(items, None, 8, seed=4))


def test_canvases_of_two_sizes_hold_the_same_items_at_the_same_relative_places_before_the_same_clutter(items):
    small, large = (Places.drawn(40, percent, generator()) for percent in (4.0, 25.0))
    for one, other in ((small.top, large.top), (small.left, large.left)):
        relative = [start / (65 - places.side) for start, places in ((one, small), (other, large))]
        torch.testing.assert_close(*relative, atol=1 / 33, rtol=0)
    pictures = [canvases(items, percent, 8, seed=0) for percent in (4.0, 25.0)]
    apart = (draw(items, small, BLACK) == 0) & (draw(items, large, BLACK) == 0)
    assert torch.equal(pictures[0][apart], pictures[1][apart])


def test_the_dataset_has_both_splits_with_their_labels(fashion: Dataset, data_folder: Path):
    made = load_dataset("canvas:12.5:4", data_folder)
    assert (made.name, made.classes) == ("canvas:12.5:4", fashion.classes)
    assert made.train.images.shape == (20_000, 1, 64, 64)
    assert made.test.images.shape == (10_000, 1, 64, 64)
    assert torch.equal(made.train.labels, fashion.train.labels[:20_000])
    assert torch.equal(made.test.labels, fashion.test.labels)
    assert torch.equal(made.test.images, canvases(fashion.test.images, 12.5, 4, seed=1))


def test_names():
    assert canvas_settings("canvas") == (None, 8)
    assert canvas_settings("canvas:5") == (5.0, 8)
    assert canvas_settings("canvas:2.5:0") == (2.5, 0)
    assert MODERN.but(dataset="canvas:5").dataset == "canvas:5"


@pytest.mark.parametrize(
    "name", ["canvas:", "canvas:1.9", "canvas:101", "canvas:nan", "canvas:5:65", "canvas:5:1.5", "canvas:5:5:5"]
)
def test_what_no_canvas_can_be_is_one_clear_sentence(name, tmp_path):
    with pytest.raises(RecipeError, match="write canvas, canvas:AREA or canvas:AREA:PIECES"):
        MODERN.but(dataset=name)
    with pytest.raises(DatasetError, match="2 to 100, and the pieces of clutter, 0 to 64"):
        load_dataset(name, tmp_path)


def test_a_run_on_it_is_named_after_it(empty_store):
    assert Store(empty_store).add(MODERN.but(dataset="canvas:5:16", pool="gmp")) == "canvas-5-16-modern-gmp-seed0"


@pytest.mark.parametrize("pool", ["gmp", "mlp"])
def test_networks_learn_on_it(pool, fashion: Dataset):
    images = canvases(fashion.train.images[:160], 60.0, 0, seed=0)
    split = type(fashion.train)(images, fashion.train.labels[:160])
    recipe = MODERN.but(pool=pool, epochs=2, batch_size=8)
    state = TrainingState.fresh(recipe, Dataset("canvas", fashion.classes, split, split), torch.device("cpu"))
    losses = [
        event.training.loss
        for event in fit(recipe, Dataset("canvas", fashion.classes, split, split), state)
        if isinstance(event, EpochDone)
    ]
    assert losses[1] < losses[0]


def test_drawing_is_faster_than_reading_files(fashion: Dataset, tmp_path):
    pictures = canvases(fashion.test.images[:1000], None, 8, seed=0)
    for number, picture in enumerate(pictures[:, 0].numpy()):
        folder = tmp_path / ("even" if number % 2 else "odd")
        folder.mkdir(exist_ok=True)
        PIL.Image.fromarray(picture).save(folder / f"{number}.png")
    started = time.process_time()
    read_folder(tmp_path)
    read = time.process_time()
    canvases(fashion.test.images[:1000], None, 8, seed=0)
    assert time.process_time() - read < read - started
