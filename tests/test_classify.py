"""Answers to pictures: the command line, the Classify page, calibration and the warning, over really trained runs."""

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torchmetrics.functional.classification import multiclass_calibration_error

from gpcore.cli.main import main
from gpcore.data.datasets import FASHION_CLASSES
from gpcore.data.decoding import decode
from gpcore.data.preparation import Correction, prepare
from gpcore.insight.answers import calibration_of, calibration_path
from gpcore.insight.layer_maps import all_scores
from gpcore.insight.uncertainty import calibrate, doubt, fit_temperature, read_calibration
from gpcore.runs.run import open_run
from ui.classify.pictures import Picture

RUN = "article-gap-seed0"
PAGE = Path(__file__).parent.parent / "pages" / "classify.py"


class Upload:
    """A file as Streamlit's widgets return it."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    def getvalue(self) -> bytes:
        return self.data


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def items(tmp_path, small_dataset) -> list[Path]:
    """Three test images as files."""
    paths = [tmp_path / f"item-{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(png(small_dataset.test.images[number, 0].numpy()))
    return paths


@pytest.fixture
def store(own_copy) -> Path:
    """A store whose run has a calibration already, so that it is not measured again in every test."""
    calibrated = {"epoch": 2, "images": 10_000, "temperature": 2.0, "threshold": -0.5}
    calibration_path(open_run(RUN, own_copy), 2).write_text(json.dumps(calibrated))
    return own_copy


def classify(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main(["classify", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_picture_has_an_entry_with_what_the_network_says(capsys, items, store, small_dataset):
    code, out, _ = classify(capsys, *items, "--run", RUN, "--store", store, "--json")
    assert code == 0
    entries = json.loads(out)
    logits = open_run(RUN, store).network()(small_dataset.test.images[:3].float() / 255)
    for entry, path, wanted in zip(entries, items, (logits / 2).softmax(1), strict=True):
        assert entry["image"] == str(path)
        assert entry["run"] == RUN
        assert list(entry["probabilities"]) == list(FASHION_CLASSES)
        assert list(entry["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=1e-5)
        assert entry["prediction"] == int(wanted.argmax())
        assert entry["label"] == FASHION_CLASSES[entry["prediction"]]


def test_a_bad_picture_is_named_and_the_others_are_answered(capsys, items, store, tmp_path):
    text, missing = tmp_path / "text.png", tmp_path / "missing.png"
    text.write_text("no picture")
    code, out, _ = classify(capsys, items[0], text, missing, items[1], "--run", RUN, "--store", store, "--json")
    assert code == 1
    first, bad, gone, last = json.loads(out)
    assert "label" in first
    assert "label" in last
    assert set(bad) == set(gone) == {"image", "error"}
    assert "is not a picture that can be read" in bad["error"]
    assert "can't be read" in gone["error"]


def test_without_json_every_picture_has_a_line(capsys, items, store):
    code, out, _ = classify(capsys, *items, "--run", store / RUN)
    assert code == 0
    assert [line.split(": ")[0] for line in out.splitlines()] == [str(path) for path in items]


def test_steps_are_written_as_strips_that_never_leave_their_folder(capsys, items, store, tmp_path):
    steps, twin = tmp_path / "steps", tmp_path / "other" / "item-0.png"
    twin.parent.mkdir()
    twin.write_bytes(items[0].read_bytes())
    code, _, _ = classify(capsys, items[0], twin, "--run", RUN, "--store", store, "--steps", steps, "--json")
    assert code == 0
    assert sorted(path.name for path in steps.iterdir()) == ["item-0-2-steps.png", "item-0-steps.png"]
    assert np.asarray(PIL.Image.open(steps / "item-0-steps.png")).shape == (168, 168, 3)


def test_steps_that_cannot_be_written_are_one_sentence(capsys, items, store, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = classify(capsys, items[0], "--run", RUN, "--store", store, "--steps", tmp_path / "file", "--json")
    assert code == 1 or "Could not write" in err


def test_an_unknown_run_is_a_mistake(capsys, items, store):
    code, _, err = classify(capsys, items[0], "--run", "nobody", "--store", store)
    assert code == 2
    assert err.startswith("Error: There is no run 'nobody'")


def test_calibrate_keeps_what_it_measured_beside_the_weights(capsys, own_copy, data_folder):
    assert main(["calibrate", RUN, "--store", str(own_copy), "--data", str(data_folder), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    run = open_run(RUN, own_copy)
    kept = calibration_of(run, Path("nowhere"))
    assert printed == {name: getattr(kept, name) for name in printed}
    assert kept == read_calibration(calibration_path(run, 2))
    assert kept.images == 10_000
    assert kept.epoch == 2


def test_the_warning_comes_up_for_five_percent(filled_store, small_dataset):
    network = open_run(RUN, filled_store).network()
    measured = calibrate(network, small_dataset.test, 2)
    alarms = (doubt(all_scores(network, small_dataset.test)) > measured.threshold).float().mean().item()
    assert alarms == pytest.approx(0.05, abs=0.006)


def test_the_fitted_temperature_is_the_one_that_was_used(small_dataset):
    """Labels drawn from softmax(logits / 3) must give 3 back, and a smaller calibration error (torchmetrics)."""
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(20_000, 10, generator=generator)
    labels = torch.multinomial((logits / 3).softmax(1), 1, generator=generator)[:, 0]
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3, rel=0.03)
    before, after = (
        multiclass_calibration_error((logits / divisor).softmax(1), labels, 10, n_bins=15).item()
        for divisor in (1, temperature)
    )
    assert after < before / 5


def test_the_fitted_temperature_is_scipys_minimum():
    from scipy.optimize import minimize_scalar

    generator = torch.Generator().manual_seed(1)
    logits, labels = 4 * torch.randn(500, 10, generator=generator), torch.randint(10, (500,), generator=generator)
    logits[torch.arange(500), labels] += 5
    loss = lambda value: torch.nn.functional.cross_entropy(logits / value, labels).item()  # noqa: E731
    best = minimize_scalar(loss, bounds=(0.1, 20), method="bounded").x
    assert fit_temperature(logits, labels) == pytest.approx(best, rel=0.01)


def page_with(*pictures: Picture) -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.session_state["pictures"] = list(pictures)
    return page.run()


@pytest.fixture
def environment(app_environment, filled_store):
    return app_environment


def test_the_page_opens_and_asks_for_a_picture(environment):
    page = page_with()
    assert not page.exception
    assert "Drop a picture above" in page.info[0].value


def test_a_picture_is_answered_by_both_models_and_sent_on(environment, small_dataset):
    picture = Picture.of(Upload("<b>../boot.png", png(small_dataset.test.images[0, 0].numpy())))
    page = page_with(picture)
    assert not page.exception
    titles = [markdown.value.split("**")[1].replace("\\", "") for markdown in page.markdown[:2]]
    assert titles == ["article-gap-seed0", "article-gmp-seed0"]
    assert len(picture.answers) == 2
    answer = next(iter(picture.answers.values()))
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert any("0.23" in markdown.value for markdown in page.markdown)


def test_a_model_without_class_maps_still_answers(monkeypatch, environment, small_dataset):
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", "checkpoints")
    page = page_with(Picture.of(Upload("boot.png", png(small_dataset.test.images[0, 0].numpy()))))
    page.segmented_control(key="way").set_value("cut out and shrunk to 28×28, by the article's network").run()
    page.selectbox(key="first").set_value("checkpoints/modern-mlp-seed0").run()
    assert not page.exception
    assert not page.error
    assert "has no class maps" in page.info[0].value
    assert any("0.23" in markdown.value for markdown in page.markdown)  # the page goes on below


def test_many_pictures_stand_in_one_table_with_what_is_wrong_with_the_bad_ones(environment, small_dataset):
    good = [Picture.of(Upload(f"{n}.png", png(small_dataset.test.images[n, 0].numpy()))) for n in range(12)]
    page = page_with(*good, Picture.of(Upload("text.png", b"no picture")))
    assert not page.exception
    table = page.dataframe[0].value
    assert len(table) == 13
    assert "is not a picture" in table["problem"].iloc[-1]
    assert set(table["article-gap-seed0"].iloc[:12]) <= set(FASHION_CLASSES)


def test_a_bad_picture_alone_is_one_sentence(environment):
    page = page_with(Picture.of(Upload("empty.jpg", b"")))
    assert not page.exception
    assert page.error[0].value == "empty.jpg is empty: choose a file with a picture in it."


def test_a_correction_prepares_and_answers_anew(small_dataset):
    large = np.kron(255 - small_dataset.test.images[0, 0].numpy(), np.ones((8, 8), np.uint8))
    picture = Picture.of(Upload("large.png", png(large)))
    before = picture.prepared
    picture.correct(Correction())
    assert picture.prepared is before
    picture.correct(Correction(polarity="kept"))
    assert picture.prepared is not None
    assert not np.array_equal(picture.prepared.image, before.image)


def test_light_and_dark_are_swapped_without_cutting_out_anew(monkeypatch):
    picture = Picture.of(Upload("boot.jpg", (PAGE.parent.parent / "examples" / "ankle-boot-on-carpet.jpg").read_bytes()))
    corrections = Correction(polarity="kept"), Correction(foreground="swapped"), Correction()
    wanted = [prepare(picture.photo, correction).image for correction in corrections]
    assert picture.prepared.kind == "photograph"
    monkeypatch.setattr("gpcore.data.preparation.find_foreground", lambda photo: pytest.fail("it was cut out before"))
    for correction, image in zip(corrections, wanted, strict=True):
        picture.correct(correction)
        assert np.array_equal(picture.prepared.image, image)


def test_what_is_sent_to_inside_is_what_the_network_saw(small_dataset):
    from ui.classify.pictures import sent_on

    image = small_dataset.test.images[0, 0].numpy()
    sent = sent_on(Picture.of(Upload("boot.png", png(image))), open_run("checkpoints/article-gap-seed0"))
    assert sent["name"] == "boot.png"
    assert np.array_equal(sent["pixels"], image)


def test_a_visitor_can_bring_only_so_many(environment):
    script = """
import streamlit as st
from ui.classify import pictures as picture
class File:
    name = "text.png"
    def getvalue(self): return b"no picture"
picture.bring([File()] * (207))
st.write(st.session_state.too_many)
"""
    page = AppTest.from_string(script, default_timeout=60).run()
    assert not page.exception
    assert len(page.session_state["pictures"]) == 200
    assert "7 were left out" in page.markdown[0].value


def test_decoding_a_name_with_markup_shows_none():
    picture = decode(png(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)), "../<img src=x onerror=alert(1)>.png")
    assert "<" not in picture.name
    assert "/" not in picture.name
