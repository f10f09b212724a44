"""Augmentations against loops over single images, for the draws they made."""

import pytest
import torch

from gpcore.training.augmentations import AUGMENTATIONS, CROP_PADDING, flip, flip_crop
from gpcore.training.photographic import UNTOUCHED, photographic


@pytest.fixture
def images(small_dataset) -> torch.Tensor:
    return small_dataset.train.images[:40].float() / 255


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_keep_their_shape_and_the_draw_is_the_generators(name, images):
    first, again = (AUGMENTATIONS[name](images, generator()) for _ in range(2))
    assert first.shape == images.shape
    assert torch.equal(first, again)
    assert torch.equal(first, AUGMENTATIONS[name](images, generator(1))) == (name == "none")


def test_none_changes_nothing(images):
    assert torch.equal(AUGMENTATIONS["none"](images, generator()), images)


def test_about_half_of_the_images_are_mirrored_and_the_others_stay(images):
    mirrored = 0
    for before, after in zip(images, flip(images, generator()), strict=True):
        is_mirrored = torch.equal(after, before[:, :, [27 - column for column in range(28)]])
        assert is_mirrored or torch.equal(after, before)
        mirrored += is_mirrored
    assert 10 <= mirrored <= 30


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_is_a_shift_by_up_to_a_pixel_with_zeros_coming_in(channels):
    images = torch.rand(30, channels, 9, 7, generator=generator(5)) + 0.1
    shifts = set()
    for before, after in zip(images, flip_crop(images, generator()), strict=True):
        found = [
            (down, right)
            for picture in (before, before.flip(2))
            for down in range(-CROP_PADDING, CROP_PADDING + 1)
            for right in range(-CROP_PADDING, CROP_PADDING + 1)
            if torch.equal(after, shifted(picture, down, right))
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) == 9


def shifted(picture: torch.Tensor, down: int, right: int) -> torch.Tensor:
    result = torch.zeros_like(picture)
    _, height, width = picture.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, row, column] = picture[:, row - down, column - right]
    return result


def test_photographic_images_are_light_on_black_and_some_stay_as_they_are(small_dataset):
    images = small_dataset.train.images.float() / 255
    changed = photographic(images, generator())
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.isfinite(changed).all()
    stayed = (changed == images).all((1, 2, 3)).float().mean().item()
    assert stayed == pytest.approx(UNTOUCHED, abs=0.06)
    assert (changed > 0.02).float().mean((1, 2, 3)).median() < 0.8


@pytest.mark.parametrize("shape", [(3, 3, 32, 32), (2, 1, 27, 33), (1, 1, 64, 48)])
def test_photographic_takes_images_of_any_shape(shape):
    images = torch.rand(shape, generator=generator(3))
    assert photographic(images, generator()).shape == shape


def test_photographic_keeps_black_images_finite():
    assert torch.isfinite(photographic(torch.zeros(50, 1, 28, 28), generator())).all()


def test_only_low_objects_are_turned_upright_and_paired(small_dataset):
    from gpcore.training.photographic import Draw, _is_low, _paired

    images = small_dataset.train.images.float() / 255
    low = _is_low(images)
    paired = _paired(images, low, Draw(images, generator()))
    shoes = torch.isin(small_dataset.train.labels, torch.tensor([5, 7]))
    assert low[shoes].float().mean() > 0.7
    assert low[small_dataset.train.labels == 1].float().mean() < 0.05
    for before, after in zip(images[~low.flatten()], paired[~low.flatten()], strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(2))
