"""The *Inside* page without a browser: what it shows, what a link restores, and what it says where something is missing."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from streamlit.testing.v1 import AppTest

from gpcore.cli.main import main
from gpcore.data.datasets import scaled
from gpcore.recipe import ARTICLE
from gpcore.runs import worker
from gpcore.runs.run import open_run
from gpcore.runs.store import Store
from gpcore.training.fit import EpochDone

ROOT = Path(__file__).parent.parent

PAGE = str(ROOT / "pages" / "inside.py")

SECTIONS = ["The evidence", "On the image", "Over the epochs", "Swap the pooling", "Move the pooling", "Where they disagree"]


def opened(**link: str) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.query_params.update(link)
    return page.run()


def text(page: AppTest) -> str:
    """All text on the page."""
    assert not page.exception
    found = [*page.markdown, *page.caption, *page.warning, *page.error, *page.info, *page.get("html")]
    words = (getattr(element, "value", None) or getattr(element.proto, "body", "") for element in found)
    return "\n".join(words).replace("\\", "")


def test_it_opens_on_the_pair_the_class_maps_and_a_trouser(app_environment):
    page = opened()
    assert "Test image 2: Trouser" in text(page)
    assert [box.value for box in page.selectbox[:2]] == ["checkpoints/article-gap-seed0", "checkpoints/article-gmp-seed0"]
    assert "16 · Conv2d 32→10 · 10×3×3" in text(page)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_shows_itself(app_environment, section):
    page = opened(show=section, image="7", layer="13", epoch="1", of="Bag")
    assert not page.error
    assert "Test image 7" in text(page)
    assert page.slider(key="epoch").value == 1


def test_a_run_of_which_only_the_last_epoch_is_kept_stays_there(app_environment, own_copy, monkeypatch):
    for path in own_copy.glob("*/epoch-001.safetensors"):
        path.unlink()
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(own_copy))
    page = opened(show="Over the epochs")
    assert not page.error
    assert "epoch 2, answers" in text(page)
    assert [slider.key for slider in page.slider if slider.key == "epoch"] == []


def test_a_search_among_the_answers_of_damaged_weights_is_one_sentence(app_environment, own_copy, monkeypatch):
    for path in own_copy.glob("*/epoch-002.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(own_copy))
    page = opened().button(key="differing").click().run()
    assert not page.exception
    assert "damaged" in page.error[0].value


def test_what_plays_stops_where_runs_are_chosen_that_have_one_epoch(app_environment, data_folder):
    for pool in ("gap", "gmp"):
        trained(app_environment, data_folder, "--pool", pool)
    page = opened()
    page.button(key="play").click().run()
    assert page.session_state.playing
    for key, pool in (("run", "gap"), ("run2", "gmp")):
        page.selectbox(key=key).set_value(f"{app_environment.name}/modern-{pool}-seed0").run()
    assert not page.exception
    assert not page.session_state.playing


def test_the_page_shows_that_the_cells_add_up(app_environment):
    words = text(opened())
    assert words.count("the network itself scores") == 2


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"image": "10000"}, "The link asks for test image '10000': choose one from 0 to 9,999."),
        ({"image": "two"}, "The link asks for test image 'two': choose one from 0 to 9,999."),
        ({"layer": "18"}, "The link asks for layer '18': choose one from 0 to 17."),
        ({"layer": "-1"}, "The link asks for layer '-1': choose one from 0 to 17."),
        ({"epoch": "3"}, "The link asks for epoch '3': choose one from 1 to 2."),
        ({"run": "runs/gone"}, "The link asks for the run 'runs/gone', which is not here"),
        ({"run2": "runs/gone"}, "The link asks for the second run 'runs/gone', which is not here"),
        ({"class": "Hat"}, "The link asks for the class 'Hat', which is not here"),
    ],
)
def test_a_link_to_what_is_not_there_is_explained_and_the_rest_is_shown(app_environment, link, sentence):
    page = opened(**link)
    assert sentence in text(page)
    assert "Test image 2: Trouser" in text(page)


def test_a_run_beside_itself_is_told(app_environment, filled_store):
    assert "Both sides show the same run" in text(opened(run=f"{filled_store.name}/article-gmp-seed0"))
    assert "Both sides show the same run" not in text(opened())


def test_a_run_deleted_in_another_tab_gives_way_to_another(app_environment, data_folder):
    options = ["--epochs", "1", "--train-images", "64", "--store", str(app_environment), "--data", str(data_folder)]
    assert main(["train", "--pool", "lse", *options]) == 0
    page = opened(run="runs/article-lse-seed0")
    assert page.selectbox(key="run").value == "runs/article-lse-seed0"
    Store(app_environment).delete("article-lse-seed0")
    page.run()
    assert "LSE" not in text(page)
    assert page.selectbox(key="run").value == "checkpoints/article-gap-seed0"


def test_weights_that_vanish_are_a_sentence(app_environment, data_folder):
    options = ["--epochs", "1", "--train-images", "64", "--store", str(app_environment), "--data", str(data_folder)]
    assert main(["train", "--pool", "avgmax", *options]) == 0
    (app_environment / "article-avgmax-seed0" / "epoch-001.safetensors").unlink()
    assert "article-avgmax-seed0 has no weights" in text(opened(run="runs/article-avgmax-seed0"))


def test_the_buttons_go_through_the_images_of_a_class(app_environment, fashion):
    page = opened(**{"class": "Bag"})
    bags = (fashion.test.labels == 8).nonzero()[:, 0].tolist()
    page.button(key="next").click().run()
    assert page.number_input(key="image").value == next(index for index in bags if index > 2)
    page.button(key="random").click().run()
    assert page.number_input(key="image").value in bags
    page.number_input(key="image").set_value(bags[0]).run()
    page.button(key="previous").click().run()
    assert page.number_input(key="image").value == bags[-1]


def test_the_button_finds_an_image_on_which_the_networks_disagree(app_environment):
    page = opened()
    page.button(key="differing").click().run()
    cards = [element.proto.body for element in page.get("html")]
    assert len(cards) == 2
    assert sum("✓" in card for card in cards) == 1


def test_what_is_done_to_the_image_reaches_scores_and_can_be_undone(app_environment):
    page = opened()
    before = [element.proto.body for element in page.get("html")]
    page.slider(key="right").set_value(9).run()
    page.slider(key="columns").set_value((0, 12)).run()
    assert "(changed)" in text(page)
    assert [element.proto.body for element in page.get("html")] != before
    next(button for button in page.button if button.label == "Undo all").click().run()
    assert [element.proto.body for element in page.get("html")] == before


def test_a_picture_sent_on_from_another_page_is_looked_at(app_environment):
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["sent_picture"] = {"name": "my <b>shirt</b>.jpg", "pixels": np.full((28, 28), 90, np.uint8)}
    page.run()
    assert "my" in text(page)
    assert "Test image" not in text(page)
    page.session_state["sent_picture"] = {"name": "large.jpg", "pixels": np.zeros((40, 40), np.uint8)}
    page.run()
    assert "large.jpg has the shape 1×40×40, and these networks were trained on 1×28×28" in text(page)


def test_swapping_needs_no_training(app_environment):
    page = opened(show="Swap the pooling")
    page.select_slider(key="strength").set_value(0.0).run()
    assert "Accuracy over all test images with this pooling" in text(page)


def test_playing_begins_at_the_first_epoch(app_environment):
    page = opened(show="Over the epochs")
    page.button(key="play").click().run()
    assert page.slider(key="epoch").value == 1
    assert "epoch 1" in text(page)


def trained(store: Path, data: Path, *changes: str) -> None:
    options = ["--epochs", "1", "--train-images", "200", "--store", str(store), "--data", str(data), "--json"]
    assert main(["train", "--recipe", "modern", *changes, *options]) == 0


def test_a_head_that_pools_nothing_says_so_plainly_and_its_layers_are_shown(app_environment, data_folder):
    trained(app_environment, data_folder, "--pool", "mlp")
    page = opened(run=f"{app_environment.name}/modern-mlp-seed0")
    assert not page.exception
    assert "does not pool: choose a run with a pooling" in text(page)
    assert "where the score of" in text(page)  # the other side is explained all the same
    assert "It has no class maps: its head is MLP." in text(page)


def test_moved_before_the_last_layer_a_mean_is_the_same_function_and_a_maximum_is_not(app_environment):
    shown = text(opened(show="Move the pooling"))
    assert "GAP: the same function, except for rounding." in shown
    assert "GMP: another function." in shown


@pytest.mark.parametrize("section", SECTIONS)
def test_a_pooling_on_the_features_is_taken_apart_or_says_what_it_lacks(app_environment, data_folder, section):
    trained(app_environment, data_folder, "--pool", "gmp", "--set", "placement=features")
    page = opened(run=f"{app_environment.name}/modern-gmp-features-seed0", show=section)
    assert not page.exception
    if section in ("The evidence", "Over the epochs"):
        assert not page.error
    assert "GMP on features" in text(page)


def test_runs_on_larger_colour_images_are_shown_as_they_are(app_environment, data_folder, tmp_path):
    generator = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (tmp_path / "insects" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 256, (44, 52, 3), np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / "insects" / name / f"{number}.png")
    options = ["--dataset", f"folder:{tmp_path / 'insects'}", "--epochs", "1", "--store", str(app_environment)]
    assert main(["train", "--pool", "gap", *options]) == 0
    key = "runs/" + Store(app_environment).runs()[0].id
    page = opened(run=key)
    assert page.selectbox(key="run2").value == key
    assert len(page.selectbox(key="run2").options) == 1  # nothing else saw such images
    assert "16 · Conv2d 32→2 · 2×5×6" in text(page)
    for section in SECTIONS:
        assert not opened(run=key, show=section).error


@pytest.fixture
def of_many_lengths(app_environment, data_folder, monkeypatch) -> dict[int, str]:
    """Runs of 1 and 2 epochs of one's own beside the shipped ones of 5 and 60, by their number of epochs."""
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(ROOT / "checkpoints"))
    for epochs in ("1", "2"):
        options = ["--epochs", epochs, "--train-images", "64", "--seed", epochs]
        assert main(["train", *options, "--store", str(app_environment), "--data", str(data_folder), "--json"]) == 0
    own = {epochs: f"{app_environment.name}/article-gap-seed{epochs}" for epochs in (1, 2)}
    return own | {5: "checkpoints/modern-gap-seed1", 60: "checkpoints/article-gmp-seed0"}


def test_runs_of_any_length_can_be_chosen_in_any_order(of_many_lengths):
    page = opened()
    order = [60, 1, 60, 2, 60, 5, 60, 5, 2, 5, 1, 5, 1, 2, 1, 60]  # every one after every other
    for key in ("run", "run2"):
        for epochs in order:
            page.selectbox(key=key).set_value(of_many_lengths[epochs]).run()
            assert not page.exception
            assert not page.warning
    page.selectbox(key="run").set_value(of_many_lengths[1]).run()
    page.selectbox(key="run2").set_value(of_many_lengths[2]).run()
    assert page.slider(key="epoch").value == 2


def test_an_epoch_within_longer_runs_is_brought_into_shorter_ones(of_many_lengths):
    page = opened(run=of_many_lengths[60], run2=of_many_lengths[60], epoch="40")
    for key in ("run", "run2"):
        page.selectbox(key=key).set_value("checkpoints/modern-gap-seed0").run()
    assert not page.exception
    assert not page.warning
    assert page.slider(key="epoch").value == 20


def test_answers_are_hidden_until_they_are_revealed_and_a_tally_is_in_the_link(app_environment):
    page = opened(image="7", predict="true", tally="3-2-1-0")
    shown = text(page)
    assert "Test image 7" in shown
    for word in ("Test image 7:", "✓", "✗", "ahead"):
        assert word not in shown
    page.session_state.guess = "Shirt"  # which it is
    page.run()
    page.button(key="Reveal").click().run()
    assert "Test image 7: Shirt" in text(page)
    assert "the network itself scores" in text(page)
    right = sum("✓" in element.proto.body for element in page.get("html"))
    asked, guessed, first, second = map(int, page.query_params["tally"].split("-"))
    assert (asked, guessed, first + second) == (4, 3, 1 + right)
    page.button(key="Next image").click().run()
    assert "Test image 8:" not in text(page)
    assert "press the space bar" in text(page)
    page.query_params["tally"] = "no-numbers"
    assert "Guessed" not in text(page.run())


def test_with_the_first_network_comes_the_one_that_it_pairs_with(app_environment, monkeypatch):
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(ROOT / "checkpoints"))
    page = opened()
    page.selectbox(key="run").set_value("checkpoints/modern-gap-seed0").run()
    assert page.selectbox(key="run2").value == "checkpoints/modern-gmp-seed0"
    assert page.query_params["run2"] == "checkpoints/modern-gmp-seed0"
    assert "Photographs · GAP · photo · 16 epochs · seed 0" in page.selectbox(key="run").options


def test_an_answer_that_a_tie_of_sigmoids_decided_is_called_one(app_environment, monkeypatch, fashion):
    monkeypatch.setenv("POOLSCOPE_CHECKPOINTS", str(ROOT / "checkpoints"))
    with torch.inference_mode():
        scores = open_run("checkpoints/article-gap-seed0").network()(scaled(fashion.test.images[:2000]))
    outputs = scores.sigmoid()
    tied = (outputs.argmax(1) != scores.argmax(1)).nonzero()[:, 0]
    shown = text(opened(image=str(int(tied[0]))))
    rival = fashion.classes[int(scores[tied[0]].argmax())]
    assert f"a tie: the sigmoid of {rival}" in shown
    assert "−" not in shown.partition("a tie")[2].partition("\n")[0]


def test_a_run_that_gains_epochs_while_it_is_watched_stays_where_it_is_seen_and_offers_the_newest(app_environment, data_folder):
    store = Store(app_environment)
    claim = store.start(ARTICLE.but(epochs=3, train_images=64))
    training = worker.train(store, claim, data_folder, "cpu")
    next(event for event in training if isinstance(event, EpochDone))
    page = opened(run="runs/article-gap-seed0", run2="runs/article-gap-seed0")
    assert [slider.key for slider in page.slider if slider.key == "epoch"] == []
    next(event for event in training if isinstance(event, EpochDone))
    page.run()
    assert not page.exception
    assert page.slider(key="epoch").value == 1
    page.button(key="newer").click().run()
    assert page.slider(key="epoch").value == 2
    training.close()
