"""Datasets against torchvision's own reading of them, and everything that can be wrong with one."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.datasets import FashionMNIST, ImageFolder
from torchvision.transforms import ToTensor

from gpcore.data.datasets import DATASETS, FASHION_CLASSES, load_dataset, scaled, test_split_only
from gpcore.errors import DatasetError

test_split_only.__test__ = False  # a function of the project, though its name is a test's

PROJECT = Path(__file__).parents[1]

MORE_DATA = PROJECT.parent / "shared" / "data"
"""Beside a developer's checkout there may be datasets that do not ship with the project."""


def sentence(error: pytest.ExceptionInfo[DatasetError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_images_and_labels_are_torchvisions(fashion, data_folder):
    for split, train in ((fashion.train, True), (fashion.test, False)):
        theirs = FashionMNIST(data_folder, train=train, transform=ToTensor())
        assert len(split) == len(theirs) == (60_000 if train else 10_000)
        assert split.images.dtype == torch.uint8
        assert torch.equal(split.labels, theirs.targets)
        for index in range(0, len(theirs), 997):
            image, label = theirs[index]
            assert torch.equal(scaled(split.images[index : index + 1])[0], image)
            assert split.labels[index] == label


def test_scaled_is_totensor_to_the_bit_for_every_value():
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(scaled(every)[0], ToTensor()(every[0, 0].numpy()))
    assert torch.equal(every.flatten(), torch.arange(256, dtype=torch.uint8))  # and left as they were


def test_fashion_mnist_has_a_thousand_test_images_of_each_of_its_ten_classes(fashion):
    assert fashion.classes == FASHION_CLASSES
    assert fashion.channels == 1
    assert torch.bincount(fashion.train.labels).tolist() == [6000] * 10
    assert torch.bincount(fashion.test.labels).tolist() == [1000] * 10


def test_the_files_that_ship_are_the_published_ones(data_folder):
    published = dict(FashionMNIST.resources)
    folder = data_folder / "FashionMNIST"
    for name, md5 in published.items():
        assert hashlib.md5((folder / "raw" / name).read_bytes()).hexdigest() == md5
    listed = re.findall(r"^([0-9a-f]{64})  (raw/\S+)$", (folder / "SHA256SUMS").read_text(), re.M)
    assert sorted(path for _, path in listed) == sorted(f"raw/{name}" for name in published)
    for digest, path in listed:
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest


@pytest.fixture
def original_files(data_folder, tmp_path) -> Path:
    """A data folder with the four original files and nothing else, as they are cloned."""
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (data_folder / "FashionMNIST" / "raw").glob("*.gz"):
        shutil.copy(path, raw)
    return tmp_path / "data"


NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
"""What makes every way out of a process lead to a port where nobody listens."""


def without_network(*arguments: str) -> subprocess.CompletedProcess:
    """Python in a process that has no network."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | NO_NETWORK, cwd=PROJECT, timeout=120)


LOAD = """
import sys
from pathlib import Path
from gpcore.data.datasets import load_dataset
from gpcore.errors import GpcoreError
folder, *names = sys.argv[1:]
for name in names:
    try:
        print(len(load_dataset(name, Path(folder)).test))
    except GpcoreError as error:
        print(error)
"""


def test_the_original_files_are_unpacked_without_network_also_by_two_processes_at_once(original_files):
    command = [sys.executable, "-c", LOAD, str(original_files), "fashion-mnist"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | NO_NETWORK, cwd=PROJECT) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in processes] == [b"10000\n"] * 2


SPOILT_LABELS = {
    "cut off in its first bytes": b"\0\0\x08",
    "half unpacked": b"\0\0\x08\x01\0\0\x27\x10" + bytes(5000),
    "of another kind": b"<html>" * 2000,
    "images": b"\0\0\x08\x03\0\0\x27\x10\0\0\0\x1c\0\0\0\x1c" + bytes(7_840_000),
}


@pytest.mark.parametrize("spoilt", SPOILT_LABELS)
def test_a_half_unpacked_or_damaged_file_is_unpacked_anew(spoilt, original_files):
    raw = original_files / "FashionMNIST" / "raw"
    for path in list(raw.glob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    labels = raw / "t10k-labels-idx1-ubyte"
    whole = labels.read_bytes()
    labels.write_bytes(SPOILT_LABELS[spoilt])
    assert torch.bincount(load_dataset("fashion-mnist", original_files).test.labels).tolist() == [1000] * 10
    assert labels.read_bytes() == whole


def test_a_missing_dataset_without_network_is_one_clear_sentence(tmp_path):
    done = without_network("-c", LOAD, str(tmp_path / "nowhere"), *DATASETS)
    *lines, clothes = done.stdout.splitlines()
    assert clothes.startswith(
        f"The dataset clothes is not in {tmp_path / 'nowhere'}: it ships with the project, in data/clothes"
    )
    for name, line in zip(list(DATASETS)[:-1], lines, strict=True):
        needed = "fashion-mnist" if name == "canvas" else name
        assert line.startswith(f"The dataset {needed} is not in {tmp_path / 'nowhere'} and could not be fetched (")
        assert line.endswith("connect to the internet and try again, or name another folder with --data.")
    assert "Traceback" not in done.stderr


def test_a_damaged_original_file_without_network_is_one_clear_sentence(original_files):
    path = original_files / "FashionMNIST" / "raw" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1000])
    done = without_network("-c", LOAD, str(original_files), "fashion-mnist")
    assert done.stdout.startswith(f"The dataset fashion-mnist is not in {original_files} and could not be fetched (")
    assert done.stdout.count("\n") == 1


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DatasetError) as caught:
        load_dataset("imagenet", tmp_path)
    assert sentence(caught) == (
        "There is no dataset 'imagenet': choose one of fashion-mnist, mnist, kmnist, cifar10, canvas, clothes, or folder:PATH."
    )


def test_mnist_in_its_original_format(tmp_path):
    if not (MORE_DATA / "MNIST").is_dir():
        pytest.skip("MNIST does not ship with the project, and is not in ../shared/data either")
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (MORE_DATA / "MNIST" / "raw").glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    mnist = load_dataset("mnist", tmp_path)
    assert mnist.classes == tuple("0123456789")
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]  # as everybody knows them


def test_the_test_images_alone(data_folder, fashion):
    alone = test_split_only("fashion-mnist", data_folder)
    assert len(alone.train) == 0
    assert torch.equal(alone.test.images, fashion.test.images)
    held = alone.train.images.untyped_storage().nbytes()
    assert held == 0  # not 47 MB that nobody sees


def test_first_images_of_a_split(fashion):
    assert len(fashion.train.first(5)) == 5
    assert fashion.train.first(None) is fashion.train
    assert torch.equal(fashion.train.first(5).images, fashion.train.images[:5])


# -- folders of images -------------------------------------------------------------------------------------------------


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


@pytest.fixture
def pixels() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def split_folder(tmp_path: Path, pixels) -> Path:
    """Grey pictures of one size, with train/ and test/."""
    for split, count in (("train", 6), ("test", 3)):
        for name in ("bag", "coat"):
            for index in range(count):
                save(tmp_path / "pictures" / split / name, f"{index}.png", pixels.integers(0, 256, (20, 24), np.uint8))
    return tmp_path / "pictures"


def test_a_folder_is_read_as_torchvision_reads_it(split_folder):
    dataset = load_dataset(f"folder:{split_folder}", Path("unused"))
    assert dataset.classes == ("bag", "coat")
    assert dataset.name == f"folder:{split_folder}"
    assert dataset.channels == 1
    for split, name in ((dataset.train, "train"), (dataset.test, "test")):
        theirs = ImageFolder(split_folder / name, transform=ToTensor())
        assert split.labels.tolist() == theirs.targets
        for index, (image, _) in enumerate(theirs):
            assert torch.equal(scaled(split.images)[index], image[:1])


def test_without_splits_every_fifth_image_of_each_class_is_a_test_image(tmp_path, pixels):
    for name in ("a", "b"):
        for index in range(11):
            save(tmp_path / name, f"{index:02d}.png", np.full((8, 8), 10 * index + (name == "b"), np.uint8))
    dataset = load_dataset(f"folder:{tmp_path}", Path("unused"))
    assert dataset.test.images[:, 0, 0, 0].tolist() == [40, 90, 41, 91]
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]
    everything = dataset.train.images[:, 0, 0, 0].tolist() + dataset.test.images[:, 0, 0, 0].tolist()
    assert sorted(everything) == sorted(10 * index + b for index in range(11) for b in (0, 1))
    assert (dataset.train.images[:, 0, 0, 0] % 10 == dataset.train.labels).all()


def test_one_colour_image_makes_all_of_them_colour(split_folder, pixels):
    save(split_folder / "train" / "bag", "9.png", pixels.integers(0, 256, (20, 24, 3), np.uint8))
    dataset = load_dataset(f"folder:{split_folder}", Path("unused"))
    assert dataset.channels == 3
    theirs = ImageFolder(split_folder / "train", transform=ToTensor())
    for ours, (image, _) in zip(scaled(dataset.train.images), theirs, strict=True):
        assert torch.equal(ours, image)


def test_images_of_several_sizes_are_fitted_into_64_by_64_the_rest_black(split_folder, pixels):
    save(split_folder / "test" / "coat", "9.png", np.full((10, 40), 200, np.uint8))
    dataset = load_dataset(f"folder:{split_folder}", Path("unused"))
    assert dataset.test.images.shape[1:] == (1, 64, 64)
    wide = dataset.test.images[-1, 0]
    assert (wide[24:40] == 200).all()
    assert not wide[:24].any()
    assert not wide[40:].any()


def test_a_photograph_lying_on_its_side_is_turned_upright(tmp_path):
    for name in ("a", "b"):
        for index in range(5):
            picture = Image.fromarray(np.full((10, 20, 3), 20 * index, np.uint8))
            exif = picture.getexif()
            exif[0x0112] = 6  # the camera was turned
            (tmp_path / name).mkdir(exist_ok=True)
            picture.save(tmp_path / name / f"{index}.jpg", exif=exif)
    dataset = load_dataset(f"folder:{tmp_path}", Path("unused"))
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a" / "0.jpg"))
    assert dataset.test.images.shape[2:] == (upright.height, upright.width) == (20, 10)


def damaged_file(folder: Path) -> str:
    (folder / "train" / "bag" / "2.png").write_bytes(b"no image")
    return rf"{folder}/train/bag/2\.png is not an image that can be read .*: remove or replace it\.$"


def missing_class(folder: Path) -> str:
    shutil.rmtree(folder / "test" / "coat")
    return rf"{folder}: train/ has the classes bag, coat, test/ has bag\.$"


def empty_class(folder: Path) -> str:
    for path in (folder / "train" / "bag").iterdir():
        path.unlink()
    return rf"{folder}/train is not a folder of images with one sub-folder per class: .*bag"


def one_class(folder: Path) -> str:
    for split in ("train", "test"):
        shutil.rmtree(folder / split / "coat")
    return rf"{folder} has the one class bag: give at least two"


def no_folder(folder: Path) -> str:
    shutil.rmtree(folder)
    return rf"There is no folder {folder}: give the path of a folder with one sub-folder per class\.$"


def too_few_to_split(folder: Path) -> str:
    shutil.rmtree(folder / "test")
    (folder / "train").rename(folder / "clothes")
    shutil.rmtree(folder / "clothes" / "coat")
    shutil.copytree(folder / "clothes" / "bag", folder / "bag")
    for path in list(folder.rglob("*.png"))[3:]:
        path.unlink()
    return str(folder)


def only_files(folder: Path) -> str:
    shutil.rmtree(folder / "train")
    shutil.rmtree(folder / "test")
    return rf"{folder} is not a folder of images with one sub-folder per class: "


@pytest.mark.parametrize(
    "spoil", [damaged_file, missing_class, empty_class, one_class, no_folder, too_few_to_split, only_files]
)
def test_a_spoilt_folder_is_one_clear_sentence(spoil, split_folder):
    expected = spoil(split_folder)
    with pytest.raises(DatasetError) as caught:
        load_dataset(f"folder:{split_folder}", Path("unused"))
    assert re.match(expected, sentence(caught))
