"""Evaluation, compared with counting one image at a time."""

import math

import pytest
import torch
from torch.nn import functional

from gpcore.data.datasets import Dataset, Split
from gpcore.errors import DatasetError
from gpcore.nets.convnet import ConvNet
from gpcore.recipe import MODERN
from gpcore.training.evaluate import SLICE, Tally, evaluate, output_of, tallies
from gpcore.training.fit import fit
from gpcore.training.state import TrainingState


@pytest.fixture(scope="module")
def network(small_dataset: Dataset) -> ConvNet:
    """Trained just long enough to answer several classes."""
    recipe = MODERN.but(epochs=4)
    state = TrainingState.fresh(recipe, small_dataset, torch.device("cpu"))
    list(fit(recipe, small_dataset, state))
    return state.network.eval()


@pytest.fixture(scope="module")
def scores(network: ConvNet, small_dataset: Dataset) -> torch.Tensor:
    with torch.no_grad():
        return network(small_dataset.test.images.float() / 255)


def answer(outputs: list[float]) -> int:
    """The lowest class among those with the largest output."""
    return outputs.index(max(outputs))


@pytest.mark.parametrize("output", ["sigmoid", "logits"])
def test_a_tally_is_what_a_loop_over_the_images_counts(output, network, scores, small_dataset):
    tally = evaluate(network, small_dataset.test, output)
    outputs = scores.sigmoid() if output == "sigmoid" else scores
    labels = small_dataset.test.labels.tolist()
    answers = [answer(row.tolist()) for row in outputs]
    assert len(set(answers)) > 2
    assert tally.images == 200
    assert tally.accuracy == sum(a == b for a, b in zip(answers, labels, strict=True)) / 200
    assert tally.logit_accuracy == sum(answer(row.tolist()) == b for row, b in zip(scores, labels, strict=True)) / 200
    for actual in range(10):
        for answered in range(10):
            count = sum((a, b) == (answered, actual) for a, b in zip(answers, labels, strict=True))
            assert tally.confusion[actual, answered] == count
    losses = [functional.cross_entropy(row, torch.tensor(label)).item() for row, label in zip(outputs, labels, strict=True)]
    assert tally.losses.tolist() == pytest.approx(losses, abs=1e-5)
    assert tally.loss == pytest.approx(sum(losses) / 200, abs=1e-6)


def test_bfloat16_counts_the_same_images_but_for_a_few(network, fashion):
    split = fashion.test.first(2000)
    exact, rough = (
        sum(rest, first) for first, *rest in (list(tallies(network, split, "logits", each)) for each in ("float32", "bfloat16"))
    )
    assert not torch.equal(exact.losses, rough.losses)
    assert rough.losses.dtype == torch.float32
    assert rough.loss == pytest.approx(exact.loss, abs=0.02)
    assert rough.accuracy == pytest.approx(exact.accuracy, abs=0.01)
    assert len(rough.losses.unique()) > 1000  # of scores in bfloat16 itself, many would be equal


def test_slices_add_up_to_the_whole(network, fashion):
    split = fashion.test.first(600)
    parts = list(tallies(network, split, "sigmoid"))
    assert [part.images for part in parts] == [250, 250, 100]
    assert SLICE["cpu"] == 250
    whole = evaluate(network, split, "sigmoid")
    assert torch.equal(whole.losses, torch.cat([part.losses for part in parts]))
    assert whole.confusion.sum() == 600


class FixedScores(ConvNet):
    """A network whose scores are given beforehand, one row per image."""

    def __init__(self, scores: torch.Tensor) -> None:
        super().__init__("gap")
        self.scores = scores

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return self.scores[: len(features)]


def tally_of(scores: list[list[float]], labels: list[int], output: str) -> Tally:
    split = Split(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), torch.tensor(labels))
    [tally] = tallies(FixedScores(torch.tensor(scores)), split, output)
    return tally


def test_sigmoids_that_round_to_the_same_one_answer_the_lower_class():
    scores = [[1.0, 20.0, 30.0], [40.0, 5.0, 90.0], [0.0, -1.0, 25.0]]
    assert torch.tensor(scores).sigmoid()[0].tolist()[1:] == [1.0, 1.0]
    on_sigmoids, on_logits = (tally_of(scores, [2, 2, 2], output) for output in ("sigmoid", "logits"))
    assert on_sigmoids.confusion.tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert on_sigmoids.accuracy == 1 / 3
    assert on_sigmoids.logit_accuracy == on_logits.accuracy == 1.0


def test_equal_outputs_answer_the_lowest_class():
    assert tally_of([[0.0] * 10], [0], "sigmoid").accuracy == 1.0
    assert tally_of([[0.0] * 10], [9], "logits").accuracy == 0.0


def test_a_class_without_images_has_no_accuracy():
    per_class = tally_of([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [0, 1], "logits").per_class()
    assert per_class[:2] == [1.0, 0.0]
    assert math.isnan(per_class[2])


def test_batch_losses_are_the_means_of_batches_in_order(network, scores, small_dataset):
    labels = small_dataset.test.labels
    expected = [
        functional.cross_entropy(part.sigmoid(), answers).item()
        for part, answers in zip(scores.split(64), labels.split(64), strict=True)
    ]
    assert evaluate(network, small_dataset.test, "sigmoid").batch_losses(64) == pytest.approx(expected, abs=1e-5)


def test_nothing_to_evaluate_is_one_clear_sentence(network, small_dataset):
    with pytest.raises(DatasetError, match=r"^There are no images to evaluate on\.$"):
        evaluate(network, small_dataset.test.first(0), "logits")


def test_evaluating_leaves_no_gradient_behind(small_dataset):
    network = ConvNet("gap")
    evaluate(network, small_dataset.test, "logits")
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_output_of_a_recipe():
    scores = torch.tensor([[0.0, 2.0]])
    assert output_of(scores, "logits") is scores
    assert output_of(scores, "sigmoid").tolist() == [pytest.approx([0.5, 1 / (1 + math.exp(-2))])]
