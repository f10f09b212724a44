"""Augmentations against loops over single images, for the draws they made."""

import pytest
import torch

from gpcore.training.augment import AUGMENTATIONS, CROP_PADDING, flip, flip_crop


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
def test_a_crop_is_a_shift_by_up_to_two_pixels_with_zeros_coming_in(channels):
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
    assert len(shifts) > 10


def shifted(picture: torch.Tensor, down: int, right: int) -> torch.Tensor:
    result = torch.zeros_like(picture)
    _, height, width = picture.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, row, column] = picture[:, row - down, column - right]
    return result
