"""Weights on disk: complete or absent, readable by other programs, and refused with a sentence if damaged."""

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import article
import pytest
import safetensors
import safetensors.torch
import tiny
import torch

from gpcore import open_run
from gpcore.atomic_files import publish
from gpcore.errors import CheckpointError
from gpcore.nets.checkpoints import load_weights, read_tensors, staged
from gpcore.nets.convnet import ConvNet
from gpcore.nets.weights_header import read_metadata
from gpcore.recipe import Recipe


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "epoch-001.safetensors"
    tiny.write_tensors(path, ConvNet("gap", seed=1).state_dict(), {"recipe": "{}"})
    return path


def sentence(error: pytest.ExceptionInfo[CheckpointError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_what_is_written_is_what_is_read(weights):
    tensors, metadata = read_tensors(weights)
    expected = ConvNet("gap", seed=1).state_dict()
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert all(tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in tensors.values())
    assert metadata == read_metadata(weights)
    assert metadata["recipe"] == "{}"
    assert [path.name for path in weights.parent.iterdir()] == ["epoch-001.safetensors"]


def test_a_runs_weights_load_into_anybodys_copy_of_the_network(filled_store, small_dataset):
    images = small_dataset.test.images[:20].float() / 255
    for pool, kernel in article.KERNELS.items():
        run = open_run(f"article-{pool}-seed0", filled_store)
        tensors = safetensors.torch.load_file(filled_store / run.id / "epoch-002.safetensors")
        plain = article.network(kernel)
        plain.load_state_dict({name.removeprefix("network."): tensor for name, tensor in tensors.items()})
        torch.testing.assert_close(plain(images), run.network(2)(images), atol=1e-5, rtol=0)


def test_every_epoch_says_which_recipe_it_comes_from(filled_store):
    for epoch in (1, 2):
        metadata = read_metadata(filled_store / "article-gmp-seed0" / f"epoch-{epoch:03d}.safetensors")
        assert Recipe.from_json(json.loads(metadata["recipe"])) == open_run("article-gmp-seed0", filled_store).recipe


@pytest.mark.parametrize("size", [0, 4, 100, 20_000, 74_000])
def test_a_file_that_was_cut_short_is_refused(weights, size):
    weights.write_bytes(weights.read_bytes()[:size])
    for read in (read_tensors, read_metadata):
        with pytest.raises(CheckpointError) as caught:
            read(weights)
        assert str(weights) in sentence(caught)
        assert "damaged" in sentence(caught)


@pytest.mark.parametrize("content", [b"\x80\x04" + b"x" * 200, b"PK\x03\x04" + b"0" * 500, b"\xff" * 64, b"hello\n" * 99])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(path)
    assert "not a safetensors file" in sentence(caught)


def test_nothing_in_a_pickle_is_ever_run(tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "was run",)

    path = tmp_path / "epoch-001.safetensors"
    path.write_bytes(pickle.dumps(Touch()))
    with pytest.raises(CheckpointError):
        read_tensors(path)
    assert not (tmp_path / "was run").exists()


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        read_tensors(tmp_path)
    sentence(caught)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        read_tensors(tmp_path / "epoch-009.safetensors")
    assert sentence(caught) == f"There are no weights at {tmp_path / 'epoch-009.safetensors'}."


@pytest.mark.parametrize(
    ("channels", "classes", "wrong"),
    [
        (3, 10, "network.0.weight is (8, 3, 3, 3) there, (8, 1, 3, 3) here"),
        (1, 7, "network.15.bias is (7,) there, (10,) here"),
    ],
)
def test_weights_of_another_network_are_refused(channels, classes, wrong):
    other = ConvNet("gap", channels, classes).state_dict()
    with pytest.raises(CheckpointError) as caught:
        load_weights(ConvNet("gap"), other, Path("other.safetensors"))
    assert sentence(caught) == f"other.safetensors belongs to another network: {wrong}."


def test_missing_and_unexpected_tensors_are_named():
    tensors = ConvNet("gap").state_dict()
    without = {name: tensor for name, tensor in tensors.items() if name != "network.7.bias"}
    with pytest.raises(CheckpointError, match=r"network.7.bias is missing there, \(16,\) here\.$"):
        load_weights(ConvNet("gap"), without, Path("w"))
    with pytest.raises(CheckpointError, match=r"extra is \(3,\) there, not a part here\.$"):
        load_weights(ConvNet("gap"), tensors | {"extra": torch.zeros(3)}, Path("w"))


@pytest.mark.parametrize("place", [-1, -40_000, -73_000])
def test_a_single_flipped_bit_is_noticed(weights, place):
    content = bytearray(weights.read_bytes())
    content[place] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(weights)
    assert sentence(caught).startswith(f"{weights} is damaged (wrong checksum)")


def test_weights_that_another_program_wrote_are_read(tmp_path):
    safetensors.torch.save_file(article.network().state_dict(), tmp_path / "plain.safetensors")
    tensors, metadata = read_tensors(tmp_path / "plain.safetensors")
    load_weights(ConvNet("gmp").network, tensors, tmp_path)
    assert metadata == {}


def test_a_damaged_run_is_refused_and_its_other_epochs_are_not(own_copy):
    path = own_copy / "article-gap-seed0" / "epoch-002.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    run = open_run("article-gap-seed0", own_copy)
    with pytest.raises(CheckpointError) as caught:
        run.network()
    assert str(path) in sentence(caught)
    assert run.network(1)


def test_an_epoch_that_is_not_there_is_refused(filled_store):
    with pytest.raises(CheckpointError, match=r"^article-gap-seed0 has no weights of epoch 3: it has 1 to 2\.$"):
        open_run("article-gap-seed0", filled_store).network(3)


def test_a_file_appears_only_when_it_is_published(tmp_path):
    path = tmp_path / "new" / "weights.safetensors"
    tensors = {"value": torch.arange(3.0)}
    with staged(path, tensors, {}) as temporary:
        assert not path.exists()
        assert temporary.parent == path.parent
        assert torch.equal(read_tensors(temporary)[0]["value"], tensors["value"])
        file = temporary.stat().st_ino
        publish(temporary, path)
    assert path.stat().st_ino == file  # renamed, not copied: nobody ever sees half of it
    assert [found.name for found in path.parent.iterdir()] == ["weights.safetensors"]
    with staged(path, {"value": torch.zeros(3)}, {}):
        pass  # never published
    assert torch.equal(read_tensors(path)[0]["value"], tensors["value"])
    assert [found.name for found in path.parent.iterdir()] == ["weights.safetensors"]


def limited_to(size: int):
    """Returns a function that limits the size of every file that a new process writes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


WRITE = """
import signal, sys, torch
from pathlib import Path
from gpcore.errors import CheckpointError
from gpcore.atomic_files import publish
from gpcore.nets.checkpoints import staged
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with staged(Path(sys.argv[1]), {"value": torch.ones(5000)}, {}) as temporary:
        publish(temporary, Path(sys.argv[1]))
except CheckpointError as error:
    print(error)
"""


def test_a_write_that_fails_half_way_leaves_what_was_there(weights):
    before = weights.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(weights)], preexec_fn=limited_to(10_000), capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout == f"Could not write {weights}: File too large. Free some space or choose another folder, then resume.\n"
    assert weights.read_bytes() == before
    assert [path.name for path in weights.parent.iterdir()] == ["epoch-001.safetensors"]


@pytest.fixture
def full_disk(tmp_path: Path):
    """A disk of its own, 40 kB large."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk here; the limit on a file's size is tested everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clear_sentence(full_disk):
    path = full_disk / "weights.safetensors"
    tiny.write_tensors(path, {"value": torch.ones(1000)}, {})
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        tiny.write_tensors(path, ConvNet("gap").state_dict(), {})
    assert sentence(caught).startswith(f"Could not write {path}: No space left on device. Free some space")
    assert path.read_bytes() == before
    assert [found.name for found in full_disk.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError) as caught:
        tiny.write_tensors(tmp_path / "file" / "weights.safetensors", {"value": torch.ones(1)}, {})
    assert "Could not write" in sentence(caught)
