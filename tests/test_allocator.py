"""Memory is reused from batch to batch: counted as the system's page faults, in a separate process."""

import platform
import subprocess
import sys

import pytest
from conftest import ROOT

COUNT = """
import resource, torch
from gpcore.nets.convnet import ConvNet
from gpcore.training.allocator import keep_freed_memory
torch.set_num_threads(1)
keep_freed_memory()
network, images = ConvNet("gap"), torch.rand(250, 1, 28, 28)
def faults(passes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with torch.inference_mode():
        for _ in range(passes):
            network(images)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(5)
print(faults(20) / 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_a_pass_takes_its_memory_from_the_one_before() -> None:
    command = [sys.executable, "-c", COUNT]
    faults = float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert faults < 100  # pages of 4 KiB; a single layer's maps are 1,500 of them
