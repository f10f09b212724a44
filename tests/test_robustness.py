"""Disturbances against other implementations, and accuracies against a plain loop."""

import math

import pytest
import scipy.ndimage
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine

from gpcore.data.datasets import scaled
from gpcore.errors import InsightError
from gpcore.insight import robustness
from gpcore.insight.robustness import DISTURBANCES
from gpcore.nets.convnet import ConvNet


@pytest.fixture
def images(small_dataset):
    return scaled(small_dataset.test.images[:16])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_the_first_severity_leaves_the_images_as_they_are_and_others_do_not(name, images):
    chosen = DISTURBANCES[name]
    first, *others = (chosen.disturb(images, severity, generator()) for severity in chosen.severities)
    torch.testing.assert_close(first, images, atol=1e-5, rtol=0)
    changes = [(other - images).abs().mean().item() for other in others]
    assert all(later > earlier for earlier, later in zip([0, *changes], changes, strict=False))
    assert all(other.shape == images.shape and other.isfinite().all() for other in others)


def test_turning_and_scaling_are_torchvisions(images):
    turned = robustness.turned(images, 30, generator())
    for own, image in zip(turned, images, strict=True):
        both = [affine(image[None], angle, [0, 0], 1, [0.0], InterpolationMode.BILINEAR)[0] for angle in (30, -30)]
        assert min((own - other).abs().max() for other in both) < 1e-3
    small = affine(images, 0, [0, 0], 0.4, [0.0], InterpolationMode.BILINEAR)
    torch.testing.assert_close(robustness.scaled_to(images, 0.4, generator()), small, atol=1e-3, rtol=0)


def test_a_shift_moves_every_image_by_that_distance(images):
    drop = torch.zeros(200, 1, 29, 29)
    drop[:, :, 14, 14] = 1.0
    shifted = robustness.shifted(drop, 5, generator())
    distances = []
    for image in shifted[:, 0]:
        row, column = scipy.ndimage.center_of_mass(image.numpy())
        distances.append(math.hypot(row - 14, column - 14))
        assert image.sum() == pytest.approx(1, abs=1e-4)
    assert distances == pytest.approx([5] * 200, abs=1e-3)


def test_blur_is_scipys(images):
    expected = scipy.ndimage.gaussian_filter(images[0, 0].double().numpy(), 1.5, mode="mirror", truncate=4.5 / 1.5)
    assert robustness.blurred(images, 1.5, generator())[0, 0].numpy() == pytest.approx(expected, abs=2e-3)


def test_noise_has_the_deviation_and_contrast_the_spread_that_they_say():
    grey = torch.full((40, 1, 28, 28), 0.5)
    assert robustness.noisy(grey, 0.1, generator()).std().item() == pytest.approx(0.1, rel=0.02)
    images = torch.rand(8, 1, 28, 28)
    torch.testing.assert_close(robustness.faded(images, 0.3, generator()).std((1, 2, 3)), 0.3 * images.std((1, 2, 3)))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_occlusion_covers_that_share_of_each_image(share):
    white = robustness.occluded(torch.ones(50, 1, 28, 28), share, generator())
    assert (white == 0).float().mean((1, 2, 3)) == pytest.approx(torch.full((50,), share), abs=0.03)


def test_the_accuracy_is_that_of_a_plain_loop(small_dataset):
    network = ConvNet("gmp", seed=2).eval().requires_grad_(False)
    test = small_dataset.test
    right = 0
    for image, label in zip(test.images, test.labels, strict=True):
        faded = robustness.faded(scaled(image[None]), 0.4, generator())
        right += int(network(faded).sigmoid().argmax()) == int(label)
    assert robustness.accuracy(network, test, "sigmoid", "contrast", 0.4) == pytest.approx(right / len(test))


def test_the_same_disturbance_is_drawn_every_time(small_dataset):
    network = ConvNet("gap", seed=2).eval().requires_grad_(False)
    for name in DISTURBANCES:
        values = [
            robustness.accuracy(network, small_dataset.test, "logits", name, DISTURBANCES[name].severities[3]) for _ in "ab"
        ]
        assert values[0] == values[1]


def test_an_unknown_disturbance_is_refused(small_dataset):
    with pytest.raises(InsightError, match="disturbance is 'rain': choose one of shift, rotation"):
        robustness.accuracy(ConvNet("gap"), small_dataset.test, "logits", "rain", 1)
