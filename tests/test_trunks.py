"""Pretrained trunks, on the real one: features, heads, what is kept on disk, and photographs classified."""

import json
import os
import shutil

import numpy as np
import PIL.Image
import pytest
import torch

from gpcore.cli.main import main
from gpcore.data.pictures import as_square, pictures, squared
from gpcore.errors import DatasetError, TrunkError
from gpcore.insight.evidence import evidence_of
from gpcore.insight.placement import moved
from gpcore.nets import trunks
from gpcore.nets.frozen import build
from gpcore.nets.trunks import load_trunk
from gpcore.recipe import POOL_NAMES, Recipe
from gpcore.runs.run import open_run
from gpcore.training import features
from gpcore.training.features import feature_dataset

NAME = "efficientnet-lite0"
RECIPE = Recipe(name="photographs", trunk=NAME, output="logits")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Thirty photographs of three classes that nobody could mistake: discs, stripes and plain gradients, in noise."""
    made = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:96, 0:120]
    for name in ("disc", "stripes", "slope"):
        (made / name).mkdir()
        for number in range(10):
            shape = {
                "disc": (np.hypot(rows - 48, columns - 60) < 20 + 2 * number) * 200.0,
                "stripes": (columns // (4 + number) % 2) * 200.0,
                "slope": rows * (1.0 + number / 10),
            }[name]
            pixels = (shape[..., None] * random.uniform(0.5, 1, 3) + random.normal(20, 6, (96, 120, 3))).clip(0, 255)
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(made / name / f"{number}.png")
    return made


def test_features_are_timms_own():
    import timm

    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    packaged = trunks.TRUNKS[NAME]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), trunks._weights_of(packaged).values(), strict=True)))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    mean, deviation = (torch.tensor(theirs.pretrained_cfg[name]).view(3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        wanted = theirs.forward_features((images - mean) / deviation)
        found = load_trunk(NAME)(images)
    assert found.shape == (2, 1280, 7, 7)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pool", POOL_NAMES)
@pytest.mark.parametrize("placement", ["usual", "features"])
def test_evidence_adds_up_for_every_head(pool, placement):
    recipe = RECIPE.but(pool=pool, placement=placement)
    network = build(recipe, load_trunk(NAME).shape, 5).eval().requires_grad_(False)
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    found = evidence_of(network, image)
    assert found.largest_error < 1e-5
    torch.testing.assert_close(found.scores, network.network(image)[0], atol=1e-4, rtol=1e-4)
    assert all(name.startswith("layers.") for name in network.state_dict())
    assert torch.equal(network(network.features(image)), network(image))  # features are passed on as they are


def test_a_mean_may_be_moved_before_the_last_layer():
    network = build(RECIPE, load_trunk(NAME).shape, 5).eval().requires_grad_(False)
    image = torch.rand(1, 3, 224, 224)
    torch.testing.assert_close(moved(network)(image), network(image), atol=1e-5, rtol=1e-4)


def test_grey_images_of_any_size_are_taken():
    assert load_trunk(NAME)(torch.rand(1, 1, 28, 28)).shape == (1, 1280, 7, 7)


def test_features_go_on_after_a_kill_and_end_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "PIECE", 5)
    whole = feature_dataset(NAME, f"folder:{folder}", tmp_path / "whole").train.images
    assert whole.shape == (24, 1280, 7, 7)
    assert whole.dtype == torch.float16
    root = tmp_path / "killed"

    def killed(progress):
        if progress.done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_dataset(NAME, f"folder:{folder}", root, killed)
    [growing] = (root / "features").glob("*.part")
    with open(growing, "ab") as file:
        file.write(b"half a piece")
    told = []
    again = feature_dataset(NAME, f"folder:{folder}", root, told.append).train.images
    assert told[0].done == 10
    assert torch.equal(again, whole)
    assert not list((root / "features").glob("*.part"))


def test_damaged_features_are_computed_again(folder, tmp_path):
    wanted = feature_dataset(NAME, f"folder:{folder}", tmp_path).test.images.clone()
    [path] = (tmp_path / "features").glob("*-test-*.f16")
    with open(path, "r+b") as file:
        file.seek(1000)
        file.write(b"\xff" * 10)
    assert torch.equal(feature_dataset(NAME, f"folder:{folder}", tmp_path).test.images, wanted)


def test_a_full_disk_is_one_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(
        DatasetError, match=r"features of folder:.* take 3 MB more in .*, where there is no room: free some space"
    ):
        feature_dataset(NAME, f"folder:{folder}", tmp_path)


def test_a_changed_photograph_has_other_features(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied")
    before = pictures(f"folder:{copied}", tmp_path, train=False, side=224).fingerprint
    os.utime(copied / "disc" / "4.png")
    assert pictures(f"folder:{copied}", tmp_path, train=False, side=224).fingerprint != before


def test_a_square_is_the_middle_of_a_photograph():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 10:50] = 200
    assert (squared(pixels, 32)[:, :, 2:-2] >= 199).all()
    from gpcore.data.decoding import Photo

    prepared = as_square(Photo("a", pixels), 32)
    assert prepared.views.shape == (2, 3, 32, 32)
    assert (prepared.box.left, prepared.box.top) == pytest.approx((1 / 6, 0))


def test_weights_that_are_not_the_published_ones_are_not_opened(monkeypatch):
    damaged = trunks.Packaged(**vars(trunks.TRUNKS[NAME]) | {"sha256": "0" * 64})
    with pytest.raises(TrunkError, match="wrong checksum"):
        trunks._weights_of(damaged)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:nosuchnet", "timm has no network 'nosuchnet'"),
        ("timm:resnet18@nowhere.safetensors", "there is no file"),
    ],
)
def test_a_trunk_that_can_t_be_had_is_one_sentence(name, message):
    with pytest.raises(TrunkError, match=message):
        load_trunk(name)


def test_timms_networks_are_read_from_a_file_and_transformers_give_maps(tmp_path):
    import safetensors.torch
    import timm

    for name, shape in (("resnet18", (512, 7, 7)), ("vit_tiny_patch16_224", (192, 14, 14))):
        safetensors.torch.save_file(timm.create_model(name).state_dict(), tmp_path / f"{name}.safetensors")
        assert load_trunk(f"timm:{name}@{tmp_path / name}.safetensors").shape == shape


def test_a_folder_of_thirty_photographs_from_training_to_answers(folder, tmp_path, capsys):

    def gpcore(command, *arguments):
        assert main([command, *map(str, arguments), "--data", str(tmp_path / "data"), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    result = gpcore("train", "--trunk", NAME, "--pool", "gmp", "--dataset", f"folder:{folder}", "--store", tmp_path / "runs")
    assert result["validation_accuracy"] >= 5 / 6  # two of each class; chance is a third
    run = open_run(result["run"], tmp_path / "runs")
    assert (run.image_shape, run.recipe.trunk) == ((3, 224, 224), NAME)
    assert run.parameters == 3 * 1280 + 3
    photographs = [folder / name / "9.png" for name in ("disc", "stripes", "slope")]
    answers = gpcore("classify", *photographs, "--run", tmp_path / "runs" / run.id)
    assert [each["label"] for each in answers] == ["disc", "stripes", "slope"]
    measured = gpcore("evaluate", tmp_path / "runs" / run.id)
    assert measured["accuracy"] == result["validation_accuracy"]
    kept = gpcore("features")
    assert [(each["trunk"], each["images"]) for each in kept] == [(NAME, 6), (NAME, 24)]
    gpcore("features", "--delete")
    assert not gpcore("features")
