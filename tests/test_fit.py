"""The training loop against plain PyTorch, and against itself: the same weights to the bit, twice and after any stop."""

import math
import re
from dataclasses import replace
from pathlib import Path

import article
import pytest
import tiny
import torch

from gpcore.data.datasets import Dataset, Split
from gpcore.errors import DatasetError, TrainingError
from gpcore.nets.checkpoints import load_weights, read_tensors
from gpcore.recipe import ARTICLE, MODERN, Recipe
from gpcore.training import fit as fitting
from gpcore.training.evaluate import evaluate
from gpcore.training.fit import (
    SCHEDULES,
    BatchesDone,
    EpochDone,
    Evaluating,
    fit,
    image_order,
    learning_rate,
    one_cycle,
    steps_per_epoch,
)
from gpcore.training.state import TrainingState, find_device

CPU = torch.device("cpu")

SHORT_ARTICLE = ARTICLE.but(epochs=2)
SHORT_MODERN = MODERN.but(epochs=2, augmentation="flip-crop")


@pytest.fixture
def every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report every batch and every slice that is evaluated as soon as it is done."""
    monkeypatch.setattr(fitting, "REPORT_SECONDS", 0.0)


def trained(recipe: Recipe, dataset: Dataset) -> tuple[TrainingState, list[fitting.Event]]:
    state = TrainingState.fresh(recipe, dataset, CPU)
    return state, list(fit(recipe, dataset, state))


def losses_of(events: list[fitting.Event]) -> list[float]:
    return [loss for event in events if isinstance(event, BatchesDone) for loss in event.losses]


def epochs_of(events: list[fitting.Event]) -> list[EpochDone]:
    return [event for event in events if isinstance(event, EpochDone)]


def same_weights(one: TrainingState, other: TrainingState) -> bool:
    first, second = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("pool", article.KERNELS)
def test_two_epochs_are_those_of_plain_pytorch(pool, small_dataset, data_folder):
    images = 300  # so that the last batch is smaller than the others
    recipe = ARTICLE.but(pool=pool, epochs=2, train_images=images, seed=7)
    state = TrainingState.fresh(recipe, small_dataset, CPU)
    plain = article.network(article.KERNELS[pool])
    plain.load_state_dict({name.removeprefix("network."): value for name, value in state.network.state_dict().items()})
    optimizer = torch.optim.Adam(plain.parameters(), lr=3e-4)
    train, test = (article.loader(data_folder, *choice) for choice in ((True, images), (False, 200)))
    events = list(fit(recipe, small_dataset, state))
    expected_losses = []
    for epoch in epochs_of(events):
        expected_losses += list(article.training_steps(plain, train, optimizer))
        training_losses, training_accuracy = article.measured(plain, train)
        validation_losses, validation_accuracy = article.measured(plain, test)
        assert epoch.training.accuracy == pytest.approx(training_accuracy, abs=1 / images)
        assert epoch.validation.accuracy == pytest.approx(validation_accuracy, abs=1 / 200)
        assert epoch.training.batch_losses(64) == pytest.approx(training_losses, abs=1e-5)
        assert epoch.validation.batch_losses(64) == pytest.approx(validation_losses, abs=1e-5)
    assert len(expected_losses) == 2 * math.ceil(images / 64)
    assert losses_of(events) == pytest.approx(expected_losses, abs=1e-5)
    for name, value in plain.state_dict().items():
        # A third of one of Adam's steps: of a gradient that is next to nothing, its size included, rounding decides the sign.
        torch.testing.assert_close(state.network.state_dict()[f"network.{name}"], value, atol=1e-4, rtol=0)


def test_one_modern_epoch_is_that_of_plain_pytorch(small_dataset):
    recipe = MODERN.but(epochs=1)
    state = TrainingState.fresh(recipe, small_dataset, CPU)
    plain = article.network(article.KERNELS["gap"])
    plain.load_state_dict({name.removeprefix("network."): value for name, value in state.network.state_dict().items()})
    optimizer = torch.optim.Adam(plain.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=5, cycle_momentum=False)
    expected = []
    for chosen in image_order(recipe, 1, 320).split(64):
        loss = torch.nn.functional.cross_entropy(
            plain(small_dataset.train.images[chosen] / 255), small_dataset.train.labels[chosen]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        expected.append(loss.item())
    assert losses_of(list(fit(recipe, small_dataset, state))) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 10, 100, 1000])
def test_one_cycle_is_pytorchs(steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        assert learning_rate(MODERN, step, steps) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        if step + 1 < steps:
            schedule.step()


def test_a_constant_schedule_stays_where_it_is():
    assert {learning_rate(ARTICLE, step, 100) for step in range(100)} == {3e-4}
    assert SCHEDULES["one-cycle"] is one_cycle


def test_events_tell_every_batch_once_and_close_every_epoch(small_dataset, every_event):
    _, events = trained(SHORT_ARTICLE, small_dataset)
    batches = [event for event in events if isinstance(event, BatchesDone)]
    assert [event.first_step for event in batches] == list(range(10))
    assert [event.epoch for event in batches] == [1] * 5 + [2] * 5
    assert [event.epoch for event in epochs_of(events)] == [1, 2]
    looks = [event for event in events if isinstance(event, Evaluating)]
    assert {event.images for event in looks} == {520}
    assert looks[-1].done == 520
    for epoch in epochs_of(events):
        assert (epoch.training.images, epoch.validation.images) == (320, 200)
        assert epoch.learning_rate == 3e-4
        assert epoch.seconds > 0


def test_collected_batches_are_the_same_batches(small_dataset, monkeypatch):
    _, collected = trained(SHORT_ARTICLE, small_dataset)
    monkeypatch.setattr(fitting, "REPORT_SECONDS", 0.0)
    _, single = trained(SHORT_ARTICLE, small_dataset)
    assert len(collected) < len(single)
    assert losses_of(collected) == losses_of(single)


@pytest.mark.parametrize("recipe", [SHORT_ARTICLE, SHORT_MODERN], ids=lambda recipe: recipe.name)
def test_the_same_recipe_gives_the_same_weights_to_the_bit(recipe, small_dataset):
    (one, first), (other, second) = (trained(recipe, small_dataset) for _ in range(2))
    assert same_weights(one, other)
    assert losses_of(first) == losses_of(second)


def test_another_seed_gives_other_weights(small_dataset):
    assert not same_weights(trained(SHORT_ARTICLE, small_dataset)[0], trained(SHORT_ARTICLE.but(seed=1), small_dataset)[0])


def saved(state: TrainingState, path: Path) -> dict[str, int]:
    """The state as a file of plain tensors."""
    tensors = {f"weights.{name}": value for name, value in state.network.state_dict().items()}
    for number, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in moments.items()}
    tiny.write_tensors(path, tensors, {})
    return {"step": state.step, "epoch": state.epoch}


def restored(path: Path, position: dict[str, int], recipe: Recipe, dataset: Dataset) -> TrainingState:
    tensors, _ = read_tensors(path)
    fresh = TrainingState.fresh(recipe.but(seed=99), dataset, CPU)  # whose weights must all be replaced
    state = replace(fresh, **position)
    weights = {name.removeprefix("weights."): value for name, value in tensors.items() if name.startswith("weights.")}
    load_weights(state.network, weights, path)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = value
    state.load_moments(moments)
    return state


@pytest.mark.parametrize("recipe", [SHORT_ARTICLE, SHORT_MODERN.but(pool="gmp")], ids=lambda recipe: recipe.name)
def test_training_stopped_at_any_event_goes_on_to_the_same_weights(recipe, small_dataset, every_event, tmp_path):
    small_dataset = replace(small_dataset, train=small_dataset.train.first(150), test=small_dataset.test.first(100))
    state = TrainingState.fresh(recipe, small_dataset, CPU)
    stops = []
    events: list[fitting.Event] = []
    for event in fit(recipe, small_dataset, state):
        events.append(event)
        path = tmp_path / f"{len(stops)}.safetensors"
        stops.append((len(losses_of(events)), path, saved(state, path)))
    assert {position["step"] for _, _, position in stops} == set(range(1, 7))
    for done, path, position in stops:
        again = restored(path, position, recipe, small_dataset)
        rest = list(fit(recipe, small_dataset, again))
        assert same_weights(again, state), position
        assert losses_of(rest) == losses_of(events)[done:]
        if position["epoch"] < recipe.epochs:
            last, expected = epochs_of(rest)[-1], epochs_of(events)[-1]
            assert torch.equal(last.validation.losses, expected.validation.losses)
            assert torch.equal(last.training.confusion, expected.training.confusion)


def test_a_finished_state_trains_no_further(small_dataset):
    state, _ = trained(SHORT_ARTICLE, small_dataset)
    assert list(fit(SHORT_ARTICLE, small_dataset, state)) == []


def test_images_come_in_file_order_or_in_an_order_drawn_from_seed_and_epoch():
    assert torch.equal(image_order(ARTICLE, 1, 100), torch.arange(100))
    orders = [image_order(recipe, epoch, 100) for recipe in (MODERN, MODERN.but(seed=1)) for epoch in (1, 2)]
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert all(torch.equal(order.sort().values, torch.arange(100)) for order in orders)
    assert torch.equal(image_order(MODERN.but(pool="gmp"), 2, 100), image_order(MODERN, 2, 100))


@pytest.mark.parametrize(("images", "batch_size", "steps"), [(60_000, 64, 938), (64, 64, 1), (65, 64, 2), (1, 64, 1)])
def test_steps_per_epoch_count_the_smaller_last_batch(images, batch_size, steps):
    assert steps_per_epoch(ARTICLE.but(batch_size=batch_size), images) == steps


def test_more_images_than_there_are_is_one_clear_sentence(small_dataset):
    with pytest.raises(DatasetError, match=r"^train_images is 321: fashion-mnist has 320 training images\.$"):
        trained(ARTICLE.but(train_images=321), small_dataset)


def test_training_images_that_are_held_out_take_the_place_of_the_test_images(small_dataset):
    recipe = SHORT_ARTICLE.but(held_out=100)
    train, test = small_dataset.train, small_dataset.test
    by_hand = Dataset("by hand", small_dataset.classes, Split(train.images[:220], train.labels[:220]),
                      Split(train.images[220:], train.labels[220:]))  # fmt: skip
    found, wanted = (epochs_of(trained(*one)[1])[-1] for one in ((recipe, small_dataset), (SHORT_ARTICLE, by_hand)))
    assert found.validation.images == 100
    assert len(test) != 100
    for one, other in ((found.training, wanted.training), (found.validation, wanted.validation)):
        assert torch.equal(one.losses, other.losses)
    part = epochs_of(trained(recipe.but(train_images=220), small_dataset)[1])[-1]
    assert torch.equal(part.training.losses, wanted.training.losses)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"held_out": 320}, "held_out is 320: fashion-mnist has 320 training images, and needs some."),
        (
            {"held_out": 100, "train_images": 221},
            "train_images is 221: fashion-mnist has 320 training images, 220 without those held out.",
        ),
    ],
)
def test_holding_out_too_much_is_one_clear_sentence(small_dataset, changes, sentence):
    with pytest.raises(DatasetError, match=f"^{re.escape(sentence)}$"):
        trained(ARTICLE.but(**changes), small_dataset)


def test_a_loss_that_is_no_number_ends_the_run_and_says_where(small_dataset):
    state = TrainingState.fresh(SHORT_ARTICLE, small_dataset, CPU)
    with torch.no_grad():
        state.network.network[0].weight[0] = math.nan
    with pytest.raises(TrainingError, match=r"loss became nan in epoch 1, at step 0, .* lower the learning rate"):
        list(fit(SHORT_ARTICLE, small_dataset, state))


def test_bfloat16_learns_too_and_keeps_its_weights_in_float32(small_dataset):
    recipe = MODERN.but(epochs=1, precision="bfloat16")
    state, events = trained(recipe, small_dataset)
    exact = losses_of(trained(recipe.but(precision="float32"), small_dataset)[1])
    assert losses_of(events) == pytest.approx(exact, abs=0.05)
    assert losses_of(events) != exact
    assert {value.dtype for value in state.network.state_dict().values()} == {torch.float32}
    again = evaluate(state.network.eval(), small_dataset.test, recipe.output)
    assert torch.equal(epochs_of(events)[-1].validation.losses, again.losses)  # in float32, as whoever loads it would find
    assert not torch.equal(epochs_of(events)[-1].training.losses, evaluate(state.network, small_dataset.train, "logits").losses)


def test_the_number_of_threads_is_given_back(small_dataset):
    torch.set_num_threads(2)
    try:
        trained(ARTICLE.but(epochs=1), small_dataset)
        assert torch.get_num_threads() == 2
        events = fit(ARTICLE, small_dataset, TrainingState.fresh(ARTICLE, small_dataset, CPU))
        next(events)
        events.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_training_learns(small_dataset):
    _, events = trained(MODERN.but(epochs=4), small_dataset)
    first, last = epochs_of(events)[0], epochs_of(events)[-1]
    assert last.training.loss < first.training.loss
    assert last.validation.accuracy > 0.3  # one in ten would be chance


def test_devices_have_names():
    assert find_device("cpu") == CPU
    assert find_device().type in ("cuda", "mps", "cpu")
    with pytest.raises(TrainingError, match=r"^device is 'tpu': this machine has .*cpu; or choose auto\.$"):
        find_device("tpu")
