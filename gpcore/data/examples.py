"""Large example pictures from FashionMNIST test items: `python -m gpcore.data.examples FOLDER`.

The dataset is MIT-licensed, so these can ship; photographs of other people's clothes can't.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from jaxtyping import Float, UInt8

from gpcore.data.datasets import FASHION_CLASSES, Split, test_split_only

Colours = Float[np.ndarray, "height width 3"]

WIDTH, HEIGHT = 600, 760
ITEM = 500
"""Pixels along the longest edge of the item."""


@dataclass(frozen=True)
class Example:
    """One example: a class, whose first test image is used, its colour, its angle in degrees, its background."""

    label: str
    colour: tuple[int, int, int]
    angle: float
    ground: str


def white(random: np.random.Generator) -> Colours:
    """An artificial background, exactly white."""
    return np.full((HEIGHT, WIDTH, 3), 255.0)


def wood(random: np.random.Generator) -> Colours:
    """Planks: a grain drawn out along the picture, each plank of its own brightness, with dark joints."""
    grain = cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH)), (0, 0), sigmaX=1.2, sigmaY=24)
    planks = np.repeat(random.normal(size=WIDTH // 100 + 1), 100)[:WIDTH]
    joints = np.where(np.arange(WIDTH) % 100 < 2, -40.0, 0.0)
    shade = 12 * grain / grain.std() + 8 * planks + joints
    return np.array([196.0, 160.0, 118.0]) + shade[..., None]


def carpet(random: np.random.Generator) -> Colours:
    """Short grey-green loops under a light that falls off to one corner."""
    loops = cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH)), (0, 0), 1.6)
    light = np.linspace(18, -18, HEIGHT)[:, None] + np.linspace(10, -10, WIDTH)
    return np.array([172.0, 180.0, 168.0]) + (14 * loops / loops.std() + light)[..., None]


GROUNDS: dict[str, Callable[[np.random.Generator], Colours]] = {"white": white, "wood": wood, "carpet": carpet}

EXAMPLES = (
    Example("Sneaker", (40, 40, 40), 0, "white"),
    Example("Dress", (150, 20, 60), 0, "white"),
    Example("Bag", (120, 70, 20), 8, "white"),
    Example("Trouser", (30, 50, 110), -12, "wood"),
    Example("Ankle boot", (60, 30, 20), 6, "carpet"),
    Example("Pullover", (20, 70, 60), 10, "wood"),
)


def picture_of(example: Example, test: Split, random: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
    """A large picture of one test item: dark where the dataset is light, in one colour, tilted, on its ground."""
    label = FASHION_CLASSES.index(example.label)
    index = int((test.labels == label).nonzero()[0, 0])
    small = test.images[index, 0].numpy()
    item, cover = _laid_out(small, example.angle), _laid_out(_silhouette(small), example.angle) / 255
    light = (255 - item)[..., None] / 255
    coloured = np.array(example.colour) * (1 - light) + 255.0 * light
    ground = GROUNDS[example.ground](random)
    if example.ground != "white":
        shadow = cv2.GaussianBlur(np.roll(cover, (10, 8), (0, 1)), (0, 0), 12)[..., None]
        ground = ground * (1 - 0.35 * shadow) + random.normal(0, 3, ground.shape)
    alpha = cover[..., None]
    return np.rint(np.clip(coloured * alpha + ground * (1 - alpha), 0, 255)).astype(np.uint8)


def _silhouette(image: UInt8[np.ndarray, "28 28"]) -> UInt8[np.ndarray, "28 28"]:
    """255 inside the item's outline, also where the item itself is dark."""
    contours, _ = cv2.findContours((image > 12).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(image), contours, -1, 255, cv2.FILLED)


def _laid_out(image: UInt8[np.ndarray, "28 28"], angle: float) -> Float[np.ndarray, "height width"]:
    """A small image enlarged, turned, and in the middle of a large black one."""
    scale = ITEM / 28
    turn = cv2.getRotationMatrix2D((13.5, 13.5), angle, scale)
    turn[:, 2] += np.array([WIDTH / 2 - 13.5, HEIGHT / 2 - 13.5])
    return cv2.warpAffine(image.astype(np.float32), turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC).clip(0, 255)


def make_examples(folder: Path, data: Path) -> list[Path]:
    """Write all examples as JPEG files named after what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    test, random = test_split_only("fashion-mnist", data).test, np.random.default_rng(0)
    paths = []
    for example in EXAMPLES:
        path = folder / f"{example.label.lower().replace(' ', '-')}-on-{example.ground}.jpg"
        PIL.Image.fromarray(picture_of(example, test, random)).save(path, quality=80)
        paths.append(path)
    return paths


if __name__ == "__main__":
    for made in make_examples(Path(sys.argv[1] if len(sys.argv) > 1 else "examples"), Path("data")):
        print(made)
