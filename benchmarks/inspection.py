"""How long it takes to open somebody's network, and to settle which pooling to put behind it: python benchmarks/inspection.py.

The weights are untrained and the images are noise, since neither changes the time.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import torchvision

import gpcore

IMAGES, CLASSES, SEEDS = 1_000, 10, 10


def seconds(function):
    """How long a function takes, and what it returns."""
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def noise(folder: Path) -> None:
    """Images of 224×224 pixels in a sub-folder per class."""
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        path = folder / str(number % CLASSES) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(generator.integers(0, 255, (224, 224, 3), np.uint8)).save(path)


def main() -> None:
    """Print seconds, each beside what it is for."""
    torch.manual_seed(0)
    model = torchvision.models.resnet50().eval()
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        model(image)
        one_pass, _ = seconds(lambda: model(image))
    print(f"one pass of ResNet-50: {one_pass:.2f} s")
    print(f"inspect ResNet-50: {seconds(lambda: gpcore.inspect(model))[0]:.2f} s")
    inside = gpcore.inspect(model)
    print(f"evidence for 1,000 classes: {seconds(lambda: inside.evidence(image))[0]:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        noise(Path(folder) / "images")
        small = torchvision.models.resnet18()
        for seeds in (1, SEEDS):  # the features are there the second time
            took, result = seconds(
                lambda seeds=seeds: gpcore.which_pooling(
                    small, Path(folder) / "images", seeds=seeds, cache=folder, progress=False
                )
            )
            print(f"which_pooling, {IMAGES:,} images, {len(result.heads)} heads × {seeds} seeds: {took:.0f} s")


if __name__ == "__main__":
    main()
