"""The article's comparison in plain PyTorch, written from its description alone: the tests' independent reference."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor


def network(pool: nn.Module | None = None) -> nn.Sequential:
    """The table of the article, in the order of its indices; pooled over the whole 3×3 map by a kernel of that size."""
    return nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(32, 10, kernel_size=1),
        nn.Sequential(pool or nn.AvgPool2d(3), nn.Flatten()),
    )


KERNELS = {"gap": nn.AvgPool2d(3), "gmp": nn.MaxPool2d(3)}


def loader(data: Path, train: bool, images: int) -> DataLoader:
    """Batches of 64 in file order, read one image at a time as everybody does."""
    dataset = FashionMNIST(data, train=train, transform=ToTensor(), download=False)
    return DataLoader(Subset(dataset, range(images)), batch_size=64, shuffle=False)


def training_steps(model: nn.Module, batches: DataLoader, optimizer: torch.optim.Optimizer) -> Iterator[float]:
    """One epoch: the loss of every batch."""
    criterion = nn.CrossEntropyLoss()
    for images, labels in batches:
        loss = criterion(torch.sigmoid(model(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def measured(model: nn.Module, batches: DataLoader) -> tuple[list[float], float]:
    """The loss of every batch, and the accuracy over all of them, on the sigmoids."""
    criterion, losses, right, count = nn.CrossEntropyLoss(), [], 0, 0
    with torch.no_grad():
        for images, labels in batches:
            outputs: Tensor = torch.sigmoid(model(images))
            losses.append(criterion(outputs, labels).item())
            right += int((outputs.argmax(1) == labels).sum())
            count += len(labels)
    return losses, right / count
