"""Several runs as one: the same numbers as each alone, but for the rounding of another order of sums."""

from typing import get_args

import pytest
import torch
from torch.nn import functional

from gpcore.data.datasets import Dataset
from gpcore.errors import TrainingError
from gpcore.recipe import ARTICLE, MODERN, Output, Pool, Precision, Recipe
from gpcore.training import fit as fitting
from gpcore.training.fit import BatchesDone, EpochDone, fit, fit_together
from gpcore.training.stack import Stack, stepper
from gpcore.training.state import TrainingState
from gpcore.training.step import loss_of

CPU = torch.device("cpu")
ROUNDING = 5e-3
"""How far losses of eight steps may drift apart: where a gradient is nearly 0, Adam's first steps follow its last bits."""

SHORT = MODERN.but(epochs=2, train_images=200, batch_size=64)


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU would be given, here on the CPU."""
    monkeypatch.setattr(fitting, "stepper", Stack)


def alone(recipe: Recipe, dataset: Dataset) -> tuple[TrainingState, list[fitting.Event]]:
    state = TrainingState.fresh(recipe, dataset, CPU)
    return state, list(fit(recipe, dataset, state))


def told(events: list[fitting.Happened], place: int) -> tuple[list[float], list[float]]:
    """A run's losses and accuracies."""
    own = [event for run, event in events if run == place]
    losses = [loss for event in own if isinstance(event, BatchesDone) for loss in event.losses]
    return losses, [event.validation.accuracy for event in own if isinstance(event, EpochDone)]


@pytest.mark.parametrize("precision", get_args(Precision))
@pytest.mark.parametrize("pool", [pool for pool in get_args(Pool) if pool != "mlp-dropout"])
def test_a_run_takes_its_steps_as_plain_pytorch_would(pool: Pool, precision: Precision, small_dataset: Dataset) -> None:
    recipe = ARTICLE.but(pool=pool, precision=precision, seed=5, train_images=200)
    state, plain = (TrainingState.fresh(recipe, small_dataset, CPU) for _ in range(2))
    step, optimizer = stepper([recipe], small_dataset.train, [state]), torch.optim.Adam(plain.network.parameters(), fused=True)
    for place in range(4):
        chosen = torch.arange(50 * place, 50 * place + 50)
        [found] = step(chosen[None], 3e-3)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            scores = plain.network(small_dataset.train.images[chosen] / 255)
        loss = functional.cross_entropy(scores.float().sigmoid(), small_dataset.train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 3e-3
        optimizer.step()
        assert torch.equal(found, loss)
    for own, other in zip(state.network.parameters(), plain.network.parameters(), strict=True):
        assert torch.equal(own, other)
        for name, moment in optimizer.state[other].items():
            assert torch.equal(state.optimizer.state[own][name], moment)


@pytest.mark.parametrize("output", ["logits", "sigmoid"])
def test_a_smoothed_label_is_mostly_its_class_and_a_little_of_every_class(output: Output) -> None:
    scores, labels = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    outputs = scores.sigmoid() if output == "sigmoid" else scores
    truth = 0.9 * torch.eye(4)[labels] + 0.1 / 4
    expected = -(truth * (outputs - outputs.exp().sum(1, keepdim=True).log())).sum(1).mean()
    assert loss_of(scores, labels, ARTICLE.but(output=output, label_smoothing=0.1)).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("pool", [pool for pool in get_args(Pool) if pool != "mlp-dropout"])
@pytest.mark.usefixtures("stacked")
def test_a_stack_of_seeds_trains_as_each_alone(pool: Pool, small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [SHORT.but(pool=pool, seed=seed, augmentation="flip") for seed in (3, 4)]
    states = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    events = list(fit_together(recipes, small_dataset, states))
    monkeypatch.undo()
    for place, recipe in enumerate(recipes):
        expected, separately = alone(recipe, small_dataset)
        losses, accuracies = told([(0, event) for event in separately], 0)
        found, reached = told(events, place)
        assert found == pytest.approx(losses, abs=ROUNDING)
        assert reached == pytest.approx(accuracies, abs=0.02)
        for ours, theirs in zip(states[place].network.parameters(), expected.network.parameters(), strict=True):
            # Where rounding decides between two equal cells, one step's gradient differs: with seed 4 the fifth, by 0.09 %.
            assert (ours - theirs).abs().mean() < 0.2 * SHORT.learning_rate


@pytest.mark.usefixtures("stacked")
def test_several_heads_are_trained_side_by_side(small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [SHORT.but(pool=pool, seed=seed) for seed in (0, 1) for pool in ("gap", "gmp", "mlp")]
    states = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    events = list(fit_together(recipes, small_dataset, states))
    monkeypatch.undo()
    for place, recipe in enumerate(recipes):
        _, separately = alone(recipe, small_dataset)
        assert told(events, place)[0] == pytest.approx(told([(0, event) for event in separately], 0)[0], abs=ROUNDING)
    assert [state.epoch for state in states] == [2] * 6


def test_on_a_cpu_runs_side_by_side_are_those_alone_to_the_bit(small_dataset: Dataset) -> None:
    recipes = [SHORT.but(pool=pool) for pool in ("gap", "mlp-dropout")]
    states = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    list(fit_together(recipes, small_dataset, states))
    for recipe, state in zip(recipes, states, strict=True):
        expected, _ = alone(recipe, small_dataset)
        assert all(map(torch.equal, state.network.parameters(), expected.network.parameters()))


@pytest.mark.usefixtures("stacked")
def test_a_stack_goes_on_from_where_its_runs_stood(small_dataset: Dataset) -> None:
    recipes = [SHORT.but(seed=seed) for seed in (0, 1)]
    whole = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    list(fit_together(recipes, small_dataset, whole))
    begun = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    for _, event in fit_together(recipes, small_dataset, begun):
        if isinstance(event, EpochDone):
            break
    list(fit_together(recipes, small_dataset, begun))
    for one, other in zip(whole, begun, strict=True):
        for ours, theirs in zip(one.network.parameters(), other.network.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.usefixtures("stacked")
def test_one_run_that_fails_leaves_the_others_alone(small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [SHORT.but(seed=seed) for seed in (0, 1)]
    states = [TrainingState.fresh(recipe, small_dataset, CPU) for recipe in recipes]
    with torch.no_grad():
        states[0].network.network[0].weight.fill_(float("nan"))
    events = list(fit_together(recipes, small_dataset, states))
    monkeypatch.undo()
    [error] = [event for run, event in events if run == 0]
    assert "The loss became nan in epoch 1, at step 0" in str(error)
    assert not any(isinstance(event, TrainingError) for run, event in events if run == 1)
    _, separately = alone(recipes[1], small_dataset)
    assert told(events, 1)[0] == pytest.approx(told([(0, event) for event in separately], 0)[0], abs=ROUNDING)
