"""Every input on which the project once failed, made again; what is read of any folder and what is skipped is what is there."""

import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from gpcore.cli.main import main
from gpcore.data.datasets import Dataset, load_dataset
from gpcore.data.decoding import decode, read_photo
from gpcore.data.folders import look_into, read_pictures
from gpcore.data.locations import absolute, printable
from gpcore.data.preparation import prepare
from gpcore.data.tables import csv_text
from gpcore.errors import DatasetError, ImageError
from gpcore.nets.convnet import ConvNet
from gpcore.nets.heads import HEADS
from gpcore.nets.onnx import described, write_onnx
from gpcore.nets.pooling import POOLS
from gpcore.recipe import ARTICLE, MODERN, Recipe, needs_size
from gpcore.runs.run import open_run
from gpcore.runs.store import Store

ROOT = Path(__file__).parents[1]
MAKER = ROOT.parent / "shared" / "cases" / "make.py"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MAKER.is_file():
        pytest.skip("make.py of the cases does not ship with the project, and is not in ../shared/cases either")
    spec = importlib.util.spec_from_file_location("make", MAKER)
    assert spec
    assert spec.loader
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    out = tmp_path_factory.mktemp("cases")
    maker.folders(out / "folders")
    maker.pictures(out / "pictures")
    return out


def read(cases: Path, name: str) -> Dataset:
    return load_dataset(f"folder:{cases / 'folders' / name}", Path("unused"))


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("train-val", 24, 12), ("train-valid", 24, 12), ("Train-Test", 24, 12), ("one-folder-around", 20, 4), ("16-bit", 20, 4),
        ("float", 20, 4), ("black-on-transparent", 20, 4), ("checkpoints-of-a-notebook", 20, 4), ("mac-litter", 20, 4),
        ("some-are-gif", 30, 6), ("loop-of-links", 20, 4), ("one-size-but-one", 20, 4),
    ],
)  # fmt: skip
def test_folders_are_read_as_their_owners_mean_them(cases, name, train, test):
    found = read(cases, name)
    assert found.classes == ("circle", "square")
    assert (len(found.train), len(found.test)) == (train, test)
    levels = found.train.images.float()
    corner = 200 if name == "16-bit" else 255  # light ground, dark shapes
    assert levels.amax((1, 2, 3)).sub(corner).abs().max() <= 1
    assert (levels.amin((1, 2, 3)) <= 30).all()


def test_a_class_whose_name_is_not_utf8_is_read_and_shown(cases):
    assert read(cases, "class-name-not-utf8").classes == ("caf�", "circle", "square")


def test_all_broken_files_are_named_at_once_and_the_others_are_read_if_asked_for(cases, capsys):
    with pytest.raises(DatasetError, match=r"square/000\.png.*square/001\.png.*square/002\.png") as caught:
        read(cases, "three-are-broken")
    assert "\n" not in str(caught.value)
    others = read(cases, "three-are-broken?broken=skip")
    assert len(others.train) + len(others.test) == 27
    assert main(["check", f"folder:{cases / 'folders' / 'three-are-broken'}", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in report["broken"]] == [f"square/00{number}.png" for number in range(3)]
    assert report["classes"] == {"circle": {"train": 12, "test": 3}, "square": {"train": 9, "test": 3}}


def test_a_set_of_one_colour_is_refused(cases):
    with pytest.raises(DatasetError, match="are all of one colour: there is nothing to learn"):
        read(cases, "nothing-but-white")


def test_a_changed_size_is_said_and_can_be_asked_for(cases):
    assert read(cases, "one-size-but-one").notes == (
        "23 pictures have 400×400 pixels, 1 another size: all were fitted into 64×64, the rest black.",
    )
    assert read(cases, "one-size-but-one?size=96").test.images.shape[2:] == (96, 96)


def test_names_of_splits_that_hold_pictures_are_refused(tmp_path):
    for name in ("Training", "testing"):
        (tmp_path / name).mkdir()
        Image.new("L", (9, 9)).save(tmp_path / name / "a.png")
    with pytest.raises(DatasetError, match=r"Training, testing in .* look like splits, not like classes"):
        read_pictures(tmp_path)


SAME = ["thin-black-line.png", "black-bars.png", "white-frame.png"]


@pytest.mark.parametrize("name", [*SAME, "cmyk.jpg", "tiff"])
def test_frames_and_formats_change_nothing(cases, name):
    plain = prepare(read_photo(cases / "pictures" / "dark-on-white.png")).image.astype(int)
    path = cases / "pictures" / ("dark-on-white.tiff" if name == "tiff" else f"dark-on-white-{name}")
    assert np.abs(prepare(read_photo(path)).image - plain).mean() < 6


@pytest.mark.parametrize("name", ["white-on-teal", "white-with-print-on-light-grey", "black-icon-on-transparent"])
def test_a_garment_of_any_brightness_can_be_seen(cases, name):
    image = prepare(read_photo(cases / "pictures" / f"{name}.png")).image
    assert 0.4 < (image > 128).mean() < 0.6  # the T-shirt's share of its canvas


def test_a_blank_is_refused_and_the_first_of_two_pictures_is_said(cases):
    with pytest.raises(ImageError, match="nothing to see in it"):
        read_photo(cases / "pictures" / "blank.png")
    assert read_photo(cases / "pictures" / "two-pictures.gif").notes == (
        "two-pictures.gif holds several pictures: the first one is used.",
    )


def test_a_turned_photograph_is_numpys_quarter_turn(cases):
    photo = read_photo(cases / "pictures" / "dark-on-white.png")
    assert np.array_equal(photo.turned().pixels, np.rot90(photo.pixels, -1))


NAMES = some.sampled_from(
    ["a.png", "b.PNG", ".hidden.png", "note.txt", "Thumbs.db", "broken.jpg", "c", "sub/d.png", "__MACOSX/e.png"]
)


@settings(max_examples=25, deadline=None)
@given(some.dictionaries(some.sampled_from(["x", "y", "train", "val"]), some.sets(NAMES, min_size=1), min_size=1, max_size=3))
def test_what_is_read_and_what_is_skipped_is_what_is_there(folders):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (parent, files) in enumerate(folders.items()):
            for path in (folder / parent / each for each in files):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix in (".txt", ".db", ".jpg"):
                    path.write_bytes(b"not a picture")
                else:
                    Image.new("L", (8, 8), 20 * number).save(path, "PNG")
        try:
            found = look_into(folder)
        except DatasetError:
            return
        there = sorted(printable(str(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file())
        named = [found.layout.inside(path) for path, _ in found.layout.items]
        assert sorted([*named, *(each.file for each in [*found.layout.skipped, *found.broken])]) == there
        assert len(found.images) == len(found.labels) == len(named)


def test_a_path_has_one_spelling_whatever_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spellings = [str(ROOT / "data"), f"{ROOT / 'data'}/", "data", "tests/../data", "./data/"]
    assert {Recipe(dataset=f"folder:{each}").dataset for each in spellings} == {f"folder:{ROOT / 'data'}"}
    assert absolute("~/x") == Path.home() / "x"
    monkeypatch.setenv("POOLSCOPE_STORE", str(tmp_path / "elsewhere"))
    Store(tmp_path / "elsewhere")
    assert main(["runs", "--json"]) == 0


def test_an_id_is_never_used_again(tmp_path):
    store = Store(tmp_path)
    first = store.add(ARTICLE)
    store.delete(first)
    assert store.add(ARTICLE) != first


def test_classes_are_compared_by_name(filled_store, fashion):
    run = open_run(filled_store / "article-gap-seed0")
    run.check_fits(fashion)
    renamed = Dataset("mine", ("Cat", *fashion.classes[1:]), fashion.train, fashion.test)
    with pytest.raises(DatasetError, match=r"T-shirt there, Cat here"):
        run.check_fits(renamed)


def test_a_formula_in_a_table_is_text():
    assert csv_text([{"name": "=1+1", "n": -1.5}]) == "name,n\n'=1+1,-1.5\n"


@pytest.mark.parametrize("pool", POOLS)
def test_poolings_do_not_overflow_in_half_precision(pool):
    maps = torch.full((1, 4, 3, 3), 6e4, dtype=torch.float16)
    maps[:, 1] = 0
    pooling = POOLS[pool](4).half()
    assert pooling(maps).isfinite().all()


@pytest.mark.parametrize("pool", HEADS)
def test_every_head_in_onnx_for_any_number_and_size_of_images(pool, tmp_path):
    network, recipe = ConvNet(pool).eval(), MODERN.but(pool=pool)
    path = tmp_path / "net.onnx"
    write_onnx(
        network, (1, 28, 28), path, described(recipe, ("a\tb", *"bcdefghij"), (1, 28, 28)), any_size=not needs_size(pool)
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = [(1, 1, 28, 28), (7, 1, 28, 28), *([] if needs_size(pool) else [(3, 1, 45, 61)])]
    for shape in shapes:
        images = torch.rand(shape)
        assert np.allclose(session.run(None, {"images": images.numpy()})[0], network(images).detach(), atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map["classes"].split("\n") == ["a\tb", *"bcdefghij"]


def test_heic_and_jpeg_2000_are_read():
    import io

    import pillow_heif

    pillow_heif.register_heif_opener()
    pixels = np.linspace(0, 255, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
    for kind in ("HEIF", "JPEG2000"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, quality=95) if kind == "HEIF" else Image.fromarray(pixels).save(file, kind)
        assert np.abs(decode(file.getvalue(), "a").pixels.astype(int) - pixels).mean() < 4
