"""From a photograph to 28×28: against the dataset's own images, turned into photographs, and against drawn scenes."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from gpcore.data import preparation
from gpcore.data.decoding import Photo, decode
from gpcore.data.examples import EXAMPLES, picture_of
from gpcore.data.foreground import find_foreground, plausibility
from gpcore.data.preparation import Box, Correction, Found, is_dataset_image, prepare


def as_file(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def floor(height: int = 400, width: int = 300, seed: int = 0) -> np.ndarray:
    """A wooden floor: streaks, joints, noise and a light from the left."""
    random = np.random.default_rng(seed)
    streaks = cv2.GaussianBlur(random.normal(size=(height, width)), (0, 0), sigmaX=1, sigmaY=20)
    shade = 10 * streaks / streaks.std() + random.normal(0, 3, (height, width)) + np.linspace(15, -15, width)
    return np.clip(np.array([190.0, 160.0, 120.0]) + shade[..., None], 0, 255)


def scene(outline: np.ndarray, colour: tuple[int, int, int], **options) -> tuple[Photo, np.ndarray]:
    """A garment of one colour with soft folds on a floor, and where it really lies."""
    ground = floor(**options)
    mask = cv2.fillPoly(np.zeros(ground.shape[:2], np.uint8), [outline.astype(np.int32)], 1) > 0
    folds = 12 * np.sin(np.arange(ground.shape[1]) / 7)
    cloth = np.clip(np.array(colour) + folds[:, None], 0, 255)
    return Photo("scene", np.where(mask[..., None], cloth[None], ground).round().astype(np.uint8)), mask


T_SHIRT = np.array(
    [(90, 90), (210, 90), (260, 150), (230, 175), (205, 150), (205, 320), (95, 320), (95, 150), (70, 175), (40, 150)]
)


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize("split", ["train", "test"])
def test_fashion_mnist_is_recognised_as_such(fashion, split):
    images = getattr(fashion, split).images[:, 0].numpy()[:: 60 if split == "train" else 10]
    for image in images:
        assert is_dataset_image(Photo("x", np.repeat(image[..., None], 3, axis=2)))
        assert not is_dataset_image(Photo("x", np.repeat(255 - image[..., None], 3, axis=2)))


def test_a_dataset_image_passes_bit_for_bit(fashion):
    for image in fashion.test.images[:40, 0].numpy():
        prepared = prepare(decode(as_file(image), "item.png"))
        assert prepared.kind == "dataset image"
        assert np.array_equal(prepared.image, image)
        assert np.array_equal(prepared.views, image[None])


def test_enlarged_coloured_jpegs_come_back_as_what_they_were(fashion):
    """The mean difference stays small: an edge that is dimmer than 5 % is trimmed, and shifts the rest by a pixel."""
    differences = []
    for image in fashion.test.images[:30, 0].numpy():
        part = np.asarray(PIL.Image.fromarray(image).resize((300, 300), PIL.Image.Resampling.BICUBIC), float)[..., None] / 255
        pixels = np.rint(255 * (1 - part) + np.array([40, 30, 90]) * part).astype(np.uint8)
        prepared = prepare(decode(as_file(pixels, "JPEG", quality=90), "item.jpg"))
        assert prepared.kind == "product picture"
        differences.append(np.abs(prepared.image.astype(int) - image).mean())
    assert np.median(differences) < 15


def test_a_light_product_on_black_is_not_negated(fashion):
    image = fashion.test.images[0, 0].numpy()
    large = np.kron(image, np.ones((10, 10), np.uint8))
    prepared = prepare(decode(as_file(large), "boot.png"))
    assert prepared.kind == "product picture"
    assert np.corrcoef(prepared.image.ravel(), image.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("colour", [(40, 40, 60), (200, 30, 40), (240, 240, 240)])
def test_a_garment_on_a_floor_is_found(colour):
    photo, truth = scene(T_SHIRT, colour)
    assert overlap(find_foreground(photo), truth) > 0.9


def test_the_object_fills_the_canvas_and_lies_in_its_middle():
    photo, truth = scene(T_SHIRT, (40, 40, 60))
    prepared = prepare(photo)
    assert prepared.kind == "photograph"
    rows, columns = np.nonzero(prepared.image > 0)
    assert rows.max() - rows.min() >= 26
    assert abs((columns.max() + columns.min()) / 2 - 13.5) <= 1
    height, width = np.ptp(np.nonzero(truth), axis=1) + 1
    assert np.ptp(columns) + 1 == pytest.approx(28 * width * 0.85 / height, abs=2)
    assert prepared.image.max() > 240
    assert prepared.image[:3, :3].max() == 0


def test_the_box_is_where_the_canvas_lies_in_the_photograph():
    photo, truth = scene(T_SHIRT, (40, 40, 60))
    box = prepare(photo).box
    rows, columns = np.nonzero(truth)
    assert box.top == pytest.approx(rows.min() / 400, abs=0.02)
    assert box.bottom == pytest.approx(rows.max() / 400, abs=0.02)
    assert (box.left + box.right) / 2 == pytest.approx((columns.min() + columns.max()) / 2 / 300, abs=0.02)


def test_the_same_photograph_has_the_same_answer_every_time():
    photo, _ = scene(T_SHIRT, (120, 90, 60), seed=3)
    first = prepare(photo).image
    scene(T_SHIRT, (20, 90, 160), seed=4)
    cv2.setRNGSeed(99)
    assert np.array_equal(prepare(photo).image, first)


def test_transparency_is_the_mask():
    photo, truth = scene(T_SHIRT, (190, 160, 120))  # the colour of the floor: nothing but its transparency parts it
    cut = Photo("cut", np.where(truth[..., None], photo.pixels, 255), truth)
    assert np.array_equal(find_foreground(cut), truth)


def test_corrections_do_what_they_say():
    photo, _ = scene(T_SHIRT, (40, 40, 60))
    everything = prepare(photo, Correction(foreground="everything"))
    assert (everything.image > 0).mean() > 0.6
    plain, negated, kept = (prepare(photo, Correction(polarity=name)).image for name in ("automatic", "negated", "kept"))
    assert np.array_equal(plain, negated)
    inside = plain > 40
    assert np.corrcoef(plain[inside], kept[inside])[0, 1] < -0.4
    part = prepare(photo, Correction(box=Box(0, 0, 1, 0.5)))
    assert part.box.bottom == pytest.approx(0.5, abs=0.1)
    swapped = prepare(photo, Correction(foreground="swapped"))
    assert not np.array_equal(swapped.image, plain)


def test_what_was_found_is_kept_as_long_as_the_box_stays_and_changes_nothing(monkeypatch):
    photo, _ = scene(T_SHIRT, (40, 40, 60))
    half = Box(0, 0, 1, 0.5)
    corrections = [
        *(Correction(foreground=part, polarity=light) for part in ("automatic", "swapped") for light in ("negated", "kept")),
        *(Correction(half), Correction(half, polarity="kept"), Correction(half, "everything"), Correction(half, "swapped")),
        Correction(),
    ]
    fresh = [prepare(photo, correction) for correction in corrections]
    looked: list[Photo] = []
    monkeypatch.setattr(preparation, "find_foreground", lambda part: looked.append(part) or find_foreground(part))
    found = Found()
    for correction, wanted in zip(corrections, fresh, strict=True):
        prepared = prepare(photo, correction, found)
        assert (prepared.kind, prepared.box) == (wanted.kind, wanted.box)
        assert np.array_equal(prepared.views, wanted.views)
        for step, expected in zip(prepared.steps, wanted.steps, strict=True):
            assert np.array_equal(step.picture, expected.picture)
    assert [part.size for part in looked] == [(300, 400), (300, 200), (300, 400)]  # the whole, the half, the whole again


@pytest.mark.parametrize("box", [Box(0.5, 0.5, 0.5, 0.5), Box(0.999, 0.999, 1, 1), Box(0, 0, 0.001, 1)])
def test_no_box_is_too_small(box):
    photo, _ = scene(T_SHIRT, (40, 40, 60))
    assert prepare(photo, Correction(box=box)).image.shape == (28, 28)


def test_every_picture_of_odd_size_or_content_has_an_answer():
    random = np.random.default_rng(0)
    for height, width in ((8, 8), (8, 160), (160, 8), (28, 28), (33, 200), (640, 480)):
        noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        gradient = np.broadcast_to(np.linspace(0, 255, width, dtype=np.uint8)[None, :, None], (height, width, 3)).copy()
        spot = np.zeros((height, width, 3), np.uint8)
        spot[height // 2, width // 2] = 255
        for pixels in (noise, gradient, spot):
            prepared = prepare(Photo("odd", pixels))
            assert prepared.image.shape == (28, 28)
            assert prepared.image.dtype == np.uint8
            assert prepared.steps


def test_an_empty_mask_is_the_least_plausible():
    assert plausibility(np.zeros((20, 20), bool)) < plausibility(np.ones((20, 20), bool))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.label} on {example.ground}")
def test_examples_are_made_and_found(fashion, example):
    pixels = picture_of(example, fashion.test, np.random.default_rng(0))
    prepared = prepare(decode(as_file(pixels, "JPEG", quality=80), "example.jpg"))
    assert prepared.kind == ("product picture" if example.ground == "white" else "photograph")
    assert 0.15 < (prepared.image > 0).mean() < 0.9


def test_preparing_changes_no_random_state_of_torch():
    state = torch.get_rng_state()
    prepare(scene(T_SHIRT, (40, 40, 60))[0])
    assert torch.equal(state, torch.get_rng_state())
