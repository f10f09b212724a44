"""How a photograph should reach a pretrained network: GAP's accuracy with each preparation, by five-fold cross-validation.

PYTHONPATH=. .venv/bin/python benchmarks/preparations.py FOLDER [lite0:crop:224 lite1:squash:288 …]

Of every class every fifth photograph is left out, as in `clothes`; the folds are drawn from the others. GAP before a linear
layer is all that is trained, as the recipe `photographs` does, on features averaged over the cells, with three seeds.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor
from torch.nn import functional

from gpcore.data.datasets import scaled
from gpcore.data.decoding import read_photo
from gpcore.data.folder_layout import list_folder
from gpcore.nets import trunks
from gpcore.recipe import PHOTOGRAPHS

FOLDS, SEEDS = 5, 3
CHOICES = ["lite0:crop:224", "lite0:crop:256", "lite0:crop:288", "lite1:crop:240", "lite1:crop:288"]
PREPARATIONS = {
    "crop": PIL.ImageOps.fit,
    "pad": lambda picture, size, how: PIL.ImageOps.pad(picture, size, how, color=(124, 116, 104)),
    "squash": lambda picture, size, how: picture.resize(size, how),
}


@torch.inference_mode()
def features(choice: str, paths: list[Path]) -> tuple[Tensor, Tensor]:
    """Features averaged over the cells, (n, features), of photographs and of their mirror images."""
    variant, preparation, side = choice.split(":")
    name = f"efficientnet-{variant}"
    trunks.TRUNKS[name] = dataclasses.replace(trunks.TRUNKS[name], side=int(side))
    trunk = trunks.load_trunk.__wrapped__(name)
    found: tuple[list[Tensor], list[Tensor]] = [], []
    for start in range(0, len(paths), 32):
        pictures = [PIL.Image.fromarray(read_photo(path).pixels) for path in paths[start : start + 32]]
        fitted = [PREPARATIONS[preparation](each, (trunk.side,) * 2, PIL.Image.Resampling.BICUBIC) for each in pictures]
        images = scaled(torch.from_numpy(np.stack(fitted)).permute(0, 3, 1, 2))
        for own, seen in zip(found, (images, images.flip(3)), strict=True):
            own.append(trunk(seen).mean((2, 3)))
    return torch.cat(found[0]), torch.cat(found[1])


def head(x: Tensor, labels: Tensor, seed: int) -> torch.nn.Linear:
    """A linear layer trained as `photographs` trains it."""
    recipe, random = PHOTOGRAPHS, torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    layer = torch.nn.Linear(x.shape[1], int(labels.max()) + 1)
    steps = recipe.epochs * -(-len(x) // recipe.batch_size)
    optimizer = torch.optim.Adam(layer.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, steps)
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(x), generator=random).split(recipe.batch_size):
            loss = functional.cross_entropy(layer(x[chosen]), labels[chosen], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return layer.requires_grad_(False)


def rates(scores: Tensor, labels: Tensor) -> list[float]:
    """Share of all that is right, and the mean of the classes' shares."""
    right = (scores.argmax(1) == labels).float()
    return [right.mean().item(), torch.stack([right[labels == label].mean() for label in labels.unique()]).mean().item()]


def main(folder: Path, choices: list[str]) -> None:
    """Prints a line for every preparation."""
    items = list_folder(folder).train
    labels = torch.tensor([label for _, label in items])
    fold = torch.arange(len(items)) % FOLDS
    print("preparation, right, mean of classes; the same with the mirror image's answer added")
    for choice in choices:
        plain, mirrored = features(choice, [Path(path) for path, _ in items])
        found = []
        for seed in range(SEEDS):
            heads = [head(plain[fold != one], labels[fold != one], seed) for one in range(FOLDS)]
            own, other = (torch.stack([heads[one](x) for x, one in zip(y, fold, strict=True)]) for y in (plain, mirrored))
            found.append(rates(own, labels) + rates(own + other, labels))
        print(choice, *(f"{value:.2%}" for value in torch.tensor(found).mean(0).tolist()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or CHOICES)
