"""Times a step and an evaluation in a process that keeps freed memory, or in one that leaves it to glibc.

    PYTHONPATH=.:tests python benchmarks/memory.py kept
    PYTHONPATH=.:tests python benchmarks/memory.py left

Prints the processor's microseconds per image of both, on one thread; `speed.py memory` runs the two in turns.
"""

import sys
import time
from pathlib import Path

import torch
from torch.nn import functional

from gpcore.data.datasets import load_dataset, scaled
from gpcore.nets.convnet import ConvNet
from gpcore.training.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
torch.set_num_threads(1)
dataset, network = load_dataset("fashion-mnist", Path("data")), ConvNet("gap")
optimizer = torch.optim.Adam(network.parameters(), fused=True)


def steps(count: int = 64, size: int = 64) -> int:
    """Train on the first images; how many."""
    train = dataset.train.first(count * size)
    for images, labels in zip(train.images.split(size), train.labels.split(size), strict=True):
        loss = functional.cross_entropy(network(scaled(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return count * size


@torch.inference_mode()
def looks(count: int = 16, size: int = 250) -> int:
    """Evaluates the first test images; returns how many."""
    for images in dataset.test.first(count * size).images.split(size):
        network(scaled(images))
    return count * size


for work in (steps, looks):
    work()  # done only once
    started = time.process_time()
    images = sum(work() for _ in range(5))
    print(1e6 * (time.process_time() - started) / images)
