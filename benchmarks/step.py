"""How fast the article's training step is, and an evaluation: this project's beside the same in plain PyTorch.

    PYTHONPATH=.:tests .venv/bin/python benchmarks/step.py [--json]

Every variant trains on the first images of FashionMNIST, batches of 64, on one thread of the CPU. The variants take turns, and
the median of the rounds counts, so that other load on the machine affects all of them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import article
import torch

from gpcore.data.datasets import Dataset, load_dataset, scaled
from gpcore.nets.convnet import FEATURES, ConvNet
from gpcore.recipe import ARTICLE, Precision
from gpcore.training.allocator import keep_freed_memory
from gpcore.training.evaluate import tallies
from gpcore.training.fit import BatchesDone, fit
from gpcore.training.state import TrainingState

DATA = Path("data")
IMAGES = 64 * 60
ROUNDS = 7

dataset: Dataset = load_dataset("fashion-mnist", DATA)


def ours(change: Callable[[ConvNet], object] = lambda network: None, **changes: str) -> float:
    """Seconds that `fit` takes for one pass, with something of the network or of the recipe changed."""
    recipe = ARTICLE.but(train_images=IMAGES, **changes)
    state = TrainingState.fresh(recipe, dataset, torch.device("cpu"))
    change(state.network)
    started = time.perf_counter()
    for event in fit(recipe, dataset, state):
        assert isinstance(event, BatchesDone)
        if state.step == IMAGES // 64:
            return time.perf_counter() - started
    raise AssertionError("an epoch ends with its last batch")


def module_by_module(network: ConvNet) -> None:
    """As `nn.Sequential` goes through the trunk: the rectifiers before the maxima, and into new memory."""
    network.features = network.network[:FEATURES].forward  # type: ignore[method-assign]


def channels_first(network: ConvNet) -> None:
    """As PyTorch lays an image out by itself."""
    network.to(memory_format=torch.contiguous_format)


OTHERWISE = ("two as one", "AVX512") if torch.backends.cpu.get_cpu_capability() != "AVX512" else ("image by image", "AVX2")
"""How the narrow layers are not computed on this processor, and where they would be."""


def otherwise(way: Callable[[], float]) -> float:
    """With the narrow layers computed for one image at a time, or for two as one, whichever is not chosen here."""
    with mock.patch.object(torch.backends.cpu, "get_cpu_capability", return_value=OTHERWISE[1]):
        return way()


def plain(batches: Callable[[], Iterator]) -> float:
    """Seconds that the same pass takes with a plain `nn.Sequential` over those batches."""
    model = article.network()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    started = time.perf_counter()
    list(article.training_steps(model, batches(), optimizer))
    return time.perf_counter() - started


def prepared() -> Iterator:
    """Batches cut from one float tensor."""
    split = dataset.train.first(IMAGES)
    return zip((split.images / 255).split(64), split.labels.split(64), strict=True)


def looking(change: Callable[[ConvNet], object] = lambda network: None, precision: Precision = "float32") -> float:
    """Seconds that an evaluation of as many images takes."""
    network = ConvNet("gap").eval()
    change(network)
    started = time.perf_counter()
    list(tallies(network, dataset.train.first(IMAGES), "sigmoid", precision))
    return time.perf_counter() - started


def plain_look() -> float:
    """Seconds that a plain `nn.Sequential` takes for the answers to the same images, in batches of 64 cut from one tensor."""
    model, split = article.network(), dataset.train.first(IMAGES)
    images = scaled(split.images)
    started = time.perf_counter()
    with torch.inference_mode():
        for part in images.split(64):
            model(part).argmax(1)
    return time.perf_counter() - started


WAYS: dict[str, Callable[[], float]] = {
    "gpcore.fit, as it is": ours,
    "gpcore.fit, in bfloat16": lambda: ours(precision="bfloat16"),
    f"gpcore.fit, {OTHERWISE[0]}": lambda: otherwise(ours),
    f"gpcore.fit, in bfloat16, {OTHERWISE[0]}": lambda: otherwise(lambda: ours(precision="bfloat16")),
    "gpcore.fit, module by module": lambda: ours(module_by_module),
    "gpcore.fit, channels first": lambda: ours(channels_first),
    "plain PyTorch, one tensor": lambda: plain(prepared),
    "plain PyTorch, DataLoader and ToTensor": lambda: plain(lambda: iter(article.loader(DATA, True, IMAGES))),
    "evaluation, as it is": looking,
    "evaluation, in bfloat16": lambda: looking(precision="bfloat16"),
    f"evaluation, {OTHERWISE[0]}": lambda: otherwise(looking),
    f"evaluation, in bfloat16, {OTHERWISE[0]}": lambda: otherwise(lambda: looking(precision="bfloat16")),
    "evaluation, module by module": lambda: looking(module_by_module),
    "evaluation, plain PyTorch, one tensor": plain_look,
}


def main() -> None:
    """Measure every way and print images per second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    torch.set_num_threads(1)
    keep_freed_memory()
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            seconds[name].append(way())
    speeds = {name: IMAGES / statistics.median(times) for name, times in seconds.items()}
    if as_json:
        print(json.dumps(speeds))
        return
    for name, speed in speeds.items():
        ours_is = speeds["evaluation, as it is" if name.startswith("evaluation") else "gpcore.fit, as it is"]
        print(f"{name:<40} {speed:>8,.0f} images/s, {1e6 / speed:>4.0f} µs each, {speed / ours_is:.0%}")


if __name__ == "__main__":
    main()
