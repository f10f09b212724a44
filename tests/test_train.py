"""The Train page without a browser: over an empty and a filled store, its form, and its buttons."""

import contextlib
import dataclasses
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from gpcore.recipe import ARTICLE, MODERN, Recipe
from gpcore.runs import launcher, worker
from gpcore.runs.store import Store
from gpcore.runs.time_estimate import STEP_COST, estimate, seconds_left
from ui import started_workers
from ui.train.live_feed import feed
from ui.train.recipe_form import as_dataset
from ui.train.run_actions import as_onnx

SLOTS = 4


@pytest.fixture
def store(empty_environment) -> Iterator[Store]:
    """The store that the page trains into; other workers hold all its slots, so that the page starts none."""
    opened = Store(empty_environment)
    opened.set_parallel(SLOTS)
    with contextlib.ExitStack() as held:
        for slot in range(SLOTS):
            held.enter_context(launcher.holding_slot(opened.folder, slot))
        yield opened


@pytest.fixture(scope="session")
def images(fashion, tmp_path_factory) -> Path:
    return tiny.make_folder(fashion, tmp_path_factory.mktemp("images") / "three")


def trained(store: Store, recipe: Recipe) -> str:
    claim = store.start(recipe)
    list(worker.train(store, claim, Path("nowhere"), "cpu"))
    return claim.run


def page() -> AppTest:
    return AppTest.from_file(tiny.ROOT / "pages/train.py", default_timeout=60).run()


def said(app: AppTest) -> str:
    kinds = (app.error, app.warning, app.info, app.caption, app.markdown)
    return "\n".join(element.value for kind in kinds for element in kind)


def button(app: AppTest, label: str):
    return next(element for element in app.button if element.label == label)


def test_an_empty_store_invites_to_train(store):
    app = page()
    assert not app.exception
    assert "Nothing has been trained here yet." in said(app)
    assert "there is no estimate" in said(app)


def test_the_form_explains_every_field_and_its_range(store):
    app = page()
    helps = {element.label: element.help for kind in (app.number_input, app.selectbox, app.toggle) for element in kind}
    for spec in dataclasses.fields(Recipe):
        if spec.name not in ("name", "pool"):
            explanation = helps[spec.name.replace("_", " ").capitalize()]
            assert spec.metadata["help"][1:] in explanation
            if "low" in spec.metadata:
                assert f"{spec.metadata['high']:,}" in explanation


def test_a_pair_is_queued_with_all_that_was_chosen(store):
    app = page()
    app.number_input(key="new-modern-epochs").set_value(3)
    app.number_input(key="new-modern-train_images").set_value(500)
    app.toggle(key="new-modern-shuffle").set_value(False).run()
    button(app, "Train the pair").click().run()
    assert not app.exception
    first, second = store.runs()
    assert first.recipe == MODERN.but(epochs=3, train_images=500, shuffle=False, pool="gap")
    assert second.recipe == first.recipe.but(pool="gmp")
    assert first.pair == second.pair is not None
    assert [run["doing"] for run in told()["runs"]] == ["number 1 in the queue", "number 2 in the queue"]


def told(*runs: str, seen: str = "") -> dict | None:
    """The answer to the page's live part; None if nothing has happened since the given version."""
    query = urllib.parse.urlencode({"runs": runs, "seen": seen}, doseq=True)
    answer = feed(Request({"type": "http", "query_string": query.encode()}))
    return json.loads(answer.body) if answer.status_code == 200 else None


def page_on(dataset: str) -> AppTest:
    """The page with a dataset typed in, which AppTest can't do to a select box."""
    app = AppTest.from_file(tiny.ROOT / "pages/train.py", default_timeout=60)
    app.session_state["new-modern-dataset"] = dataset
    return app.run()


def test_a_folder_needs_no_prefix_and_a_missing_one_is_said_before_anything_is_queued(store, images):
    app = page_on(str(images))
    assert not button(app, "Train the pair").disabled
    assert button(app, "180 files only: take the recipe small")
    assert as_dataset(str(images)) == f"folder:{images}"
    app = page_on(f"folder:{images}/nowhere")
    assert f"There is no folder {images}/nowhere" in said(app)
    assert button(app, "Train").disabled


def test_chance_is_called_chance(store, images):
    trained(store, tiny.recipe(images, epochs=1, learning_rate=1e-8))
    assert "has learnt nothing yet: 33.3% of its answers are right" in said(page())


def test_a_trained_run_leads_on_to_every_page_and_is_exported(store, images):
    run = trained(store, tiny.recipe(images, epochs=1))
    app = page()
    assert {f"{name}-{run}" for name in ("inside", "compare", "classify")} <= {element.key for element in app.button}
    assert as_onnx(store.run(run)).startswith(b"\x08")


def test_another_recipe_brings_its_own_values(store):
    app = page()
    app.segmented_control(key="new-recipe").set_value("article").run()
    app.pills(key="new-pools").set_value(["gmp"]).run()
    button(app, "Train").click().run()
    assert [run.recipe for run in store.runs()] == [ARTICLE.but(pool="gmp")]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("new-modern-epochs", 0, "epochs is 0: it must lie between 1 and 10,000."),
        ("new-modern-learning_rate", 50.0, "learning_rate is 50.0: it must lie between 1e-08 and 10.0."),
        ("new-modern-seed", -1, "seed is -1: it must lie between 0 and 2,147,483,647."),
    ],
)
def test_a_bad_value_is_one_sentence_and_nothing_is_queued(store, key, value, sentence):
    app = page()
    app.number_input(key=key).set_value(value).run()
    assert sentence in said(app)
    assert button(app, "Train").disabled
    assert store.idle()


@pytest.mark.parametrize(("pools", "sentence"), [([], ""), (["gap", "gmp", "lse"], "Choose one pooling, or two")])
def test_one_or_two_poolings_can_be_trained(store, pools, sentence):
    app = page()
    app.pills(key="new-pools").set_value(pools).run()
    assert sentence in said(app)
    assert button(app, "Train the pair" if pools else "Train").disabled


def test_a_trained_run_is_drawn_and_can_be_extended_repeated_renamed_and_deleted(store, images):
    run = trained(store, tiny.recipe(images, epochs=2))
    app = page()
    assert not app.exception
    assert "finished" in said(app)
    losses, accuracies, rates, seconds = told(run)["charts"]
    steps = store.steps_done(run)
    assert losses["lines"][0]["x"] == list(range(1, steps + 1))
    assert losses["lines"][0]["y"] == pytest.approx([loss for _, loss in store.batch_losses(run)], rel=1e-4)
    training, validation = (line["y"] for line in accuracies["lines"])
    epochs = store.epochs(run)
    assert validation == pytest.approx([epoch.validation_accuracy for epoch in epochs], rel=1e-4)
    assert training == pytest.approx([epoch.training_accuracy for epoch in epochs], rel=1e-4)
    assert rates["lines"][0]["y"] == pytest.approx([epoch.learning_rate for epoch in epochs], rel=1e-4)
    assert seconds["lines"][0]["y"] == pytest.approx([epoch.seconds for epoch in epochs], rel=1e-4)
    app.number_input(key=f"epochs-{run}").set_value(5).run()
    button(app, "Go on").click().run()
    assert (store.run(run).status, store.run(run).recipe.epochs) == ("queued", 5)
    button(app, "Stop").click().run()
    assert store.run(run).status == "stopped"
    button(app, "Resume").click().run()
    assert store.run(run).status == "queued"
    app.text_input(key=f"title-{run}").set_value("**Mine** <b>").run()
    button(app, "Rename").click().run()
    assert store.run(run).title == "**Mine** <b>"
    button(app, "Train it").click().run()
    twin = store.runs()[-1]
    assert (twin.recipe.pool, twin.pair) == ("gmp", store.run(run).pair)
    assert not app.exception
    next(element for element in app.button if element.key == f"delete-{run}").click().run()
    assert not app.exception
    assert [record.id for record in store.runs()] == [twin.id]


def test_nothing_is_told_twice(store, images):
    run = trained(store, tiny.recipe(images, epochs=1))
    first = told(run)
    assert first["active"] is False
    assert told(run, seen=first["version"]) is None
    queued = store.add(tiny.recipe(images, seed=1))
    again = told(run, seen=first["version"])
    assert again["active"] is True
    assert again["situation"] != first["situation"]
    assert [(each["id"], each["done"], each["active"]) for each in again["runs"]] == [(run, 1, False), (queued, 0, True)]


def test_long_queues_are_counted_and_long_curves_thinned(store, images):
    claim = store.start(tiny.recipe(images))
    store.append_losses(claim, 0, [1.0, 2.0] * 5000, {"step": 10_000, "steps": 20_000, "doing": "training", "epoch": 1})
    for seed in range(1, 15):
        store.add(tiny.recipe(images, seed=seed))
    answer = told(claim.run)
    assert (len(answer["runs"]), answer["more"]) == (12, 3)
    assert answer["runs"][0]["done"] == 0.5
    line = answer["charts"][0]["lines"][0]
    assert len(line["x"]) <= 400
    assert {*line["y"]} == {1.5}
    assert ({*line["low"]}, {*line["high"]}) == ({1.0}, {2.0})


def test_a_run_or_store_that_is_gone_is_one_sentence_to_the_live_part_too(store, empty_environment):
    assert "There is no run 'gone'" in told("gone")["trouble"]
    (empty_environment / "runs.db").write_bytes(b"damaged" * 1000)
    assert "is damaged or not a store" in told()["trouble"]


def test_what_can_not_be_done_is_said(store, images):
    run = trained(store, tiny.recipe(images, epochs=2))
    app = page()
    app.number_input(key=f"epochs-{run}").set_value(1).run()
    button(app, "Go on").click().run()
    assert f"{run} has 2 epochs already" in said(app)
    assert not app.exception


def test_a_run_that_failed_says_why(store, tmp_path):
    claim = store.start(tiny.recipe(tmp_path / "gone"))
    with contextlib.suppress(Exception):
        list(worker.train(store, claim, Path("nowhere"), "cpu"))
    app = page()
    assert "There is no folder" in said(app)
    assert button(app, "Resume")


def test_runs_that_a_link_names_are_shown_and_missing_ones_are_explained(store, images):
    first, *_ = (store.add(tiny.recipe(images, seed=seed)) for seed in range(3))
    app = AppTest.from_file(tiny.ROOT / "pages/train.py", default_timeout=60)
    app.query_params["runs"] = first
    assert app.run().multiselect(key="runs").value == [first]
    app = AppTest.from_file(tiny.ROOT / "pages/train.py", default_timeout=60)
    app.query_params["runs"] = "gone"
    assert "'gone'" in said(app.run())
    assert not app.exception


def test_the_number_of_runs_at_once_can_be_set(store, images):
    store.add(tiny.recipe(images))
    app = page()
    next(element for element in app.number_input if element.label == "Runs at once").set_value(3).run()
    assert store.parallel() == 3


def test_a_damaged_store_is_one_sentence(empty_environment):
    empty_environment.mkdir()
    (empty_environment / "runs.db").write_bytes(b"damaged" * 1000)
    app = page()
    assert not app.exception
    assert "is damaged or not a store" in said(app)


def test_runs_left_in_the_queue_go_on_when_a_server_starts(empty_environment, images):
    left = Store(empty_environment)
    left.set_parallel(1)
    run = left.add(tiny.recipe(images, epochs=1))
    claim = left.claim()
    claim.lock.release()  # the machine went down while it was being trained
    started_workers.go_on()
    tiny.wait_until(lambda: left.run(run).status == "finished")
    for process in started_workers.of(left).processes.values():
        process.kill()
        process.wait()


def test_an_estimate_follows_from_what_earlier_runs_took(store, images):
    run = trained(store, tiny.recipe(images, epochs=2))
    record = store.run(run)
    same = estimate(record.recipe, [record], "cpu")
    assert same.seconds == pytest.approx(record.seconds)
    assert estimate(record.recipe.but(epochs=6), [record], "cpu").seconds == pytest.approx(3 * record.seconds)
    assert estimate(record.recipe, [record], "cuda") is None
    seen, test = record.progress["training_images"], sum(map(sum, record.last.confusion))
    without_50 = ((seen - 50) * (STEP_COST + 1) + test) / (seen * (STEP_COST + 1) + test)
    held_out = estimate(record.recipe.but(held_out=50), [record], "cpu")
    assert held_out.seconds == pytest.approx(without_50 * record.seconds)
    assert estimate(MODERN, [record], "cpu") is None
    under_way = dataclasses.replace(record, progress={"step": 30, "steps": 40}, recipe=record.recipe.but(epochs=4))
    assert seconds_left(under_way) == pytest.approx(record.seconds / 2)
