"""Experiments, their bands, times and claims, on really trained runs; reliability against a plain loop."""

import dataclasses
import statistics

import pytest
import tiny
import torch

from gpcore.errors import StoreError
from gpcore.insight.reliability import Reliability, calibration_error, reliability
from gpcore.recipe import Pool
from gpcore.runs.run import Run
from gpcore.runs.selection import default_pair, first_shown
from gpcore.runs.store import Store
from gpcore.verdicts import experiments as module
from gpcore.verdicts.costs import costs
from gpcore.verdicts.experiments import (
    Experiment,
    bands,
    class_accuracies,
    curves_of,
    experiments,
    never_reached,
    overviews,
    reachable,
    times_to,
)
from gpcore.verdicts.standings import row


@pytest.fixture(scope="module")
def experiment(fashion, tmp_path_factory) -> Experiment:
    """GAP with two seeds, GMP with two and an MLP with one, two epochs each."""
    folder = tmp_path_factory.mktemp("settings")
    images, store = tiny.make_folder(fashion, folder / "three", 20), Store(folder / "store")
    for pool, seed in (("gmp", 0), ("gap", 0), ("gap", 1), ("gmp", 1), ("mlp", 0)):
        tiny.train(store, tiny.recipe(images, epochs=2, pool=pool, seed=seed))
    store.add(tiny.recipe(images, epochs=2, pool="gap", seed=7))  # which nobody has trained
    [found] = experiments(Run(store, record) for record in store.runs())
    return found


def test_a_setting_holds_the_finished_runs_in_the_order_of_the_heads(experiment):
    assert {pool: list(by_seed) for pool, by_seed in experiment.runs.items()} == {"gap": [0, 1], "gmp": [0, 1], "mlp": [0]}
    assert list(experiment.runs) == ["gap", "gmp", "mlp"]
    assert (experiment.seeds, experiment.title) == (2, "modern on three, 2 epochs, batch size 8")
    found = {standing.pool: standing.accuracies for standing in experiment.accuracies.standings}
    assert found["gmp"][1] == experiment.runs["gmp"][1].record.last.validation_accuracy
    assert row(experiment.accuracies)["recipe"] == "modern, 2 epochs, batch size 8"
    assert row(experiment.accuracies)["MLP"].endswith("?")
    assert row(experiment.accuracies)["GeM"] == ""


def test_bands_and_times_are_those_of_plain_loops(experiment):
    curves = curves_of(experiment)
    gap = next(band for band in bands(curves) if band.pool == "gap")
    second = [run.epochs[1] for run in experiment.runs["gap"].values()]
    accuracies = [epoch.validation_accuracy for epoch in second]
    assert (gap.mean[1], gap.low[1], gap.high[1]) == (statistics.fmean(accuracies), min(accuracies), max(accuracies))
    assert gap.training[1] == statistics.fmean(epoch.training_accuracy for epoch in second)
    for head in times_to(reachable(curves), experiment, curves):
        assert head.never == 0
        for seed, epoch in head.epochs.items():
            until = experiment.runs[head.pool][seed].epochs[:epoch]
            assert until[-1].validation_accuracy >= reachable(curves)
            assert all(each.validation_accuracy < reachable(curves) for each in until[:-1])
            assert head.seconds[seed] == pytest.approx(sum(each.seconds for each in until))
    assert [head.never for head in times_to(1.1, experiment, curves)] == [2, 2, 1]


def test_seconds_are_those_of_one_device(experiment, monkeypatch):
    monkeypatch.setattr(module, "usual_device", lambda _: "cuda")
    assert all(not head.seconds and head.epochs for head in times_to(0.0, experiment, curves_of(experiment)))


def test_classes_and_costs(experiment):
    shares = class_accuracies(experiment)["mlp"]
    confusion = experiment.runs["mlp"][0].record.last.confusion
    assert shares == [line[label] / sum(line) for label, line in enumerate(confusion)]
    found = costs(experiment)
    for pool, cost in found.items():
        assert cost.parameters == experiment.runs[pool][0].parameters
    assert found["mlp"].head_parameters > 100 * found["gap"].head_parameters


def test_the_claim_on_linear_heads_is_ruled_from_the_data(experiment):
    assert "it is not settled" in module.overfitting_sentence(experiment)
    without: dict[Pool, dict[int, Run]] = {pool: runs for pool, runs in experiment.runs.items() if pool != "mlp"}
    assert module.overfitting_sentence(Experiment(experiment.recipe, without)) is None


def overfitting(some: Run, **gaps: list[float]) -> Experiment:
    """An experiment whose heads have these gaps between training and validation accuracy, seed by seed."""
    last = some.record.last

    def run(pool: str, seed: int, gap: float) -> Run:
        epoch = dataclasses.replace(last, training_accuracy=0.9, validation_accuracy=0.9 - gap)
        recipe = some.recipe.but(pool=pool.replace("_", "-"), seed=seed)
        return Run(some.store, dataclasses.replace(some.record, recipe=recipe, last=epoch))

    return experiments(run(pool, seed, gap) for pool, found in gaps.items() for seed, gap in enumerate(found))[0]


GAPS = [0.010, 0.012, 0.011, 0.013, 0.009, 0.010, 0.012, 0.011]
WIDE = [gap + 0.02 + 0.001 * seed for seed, gap in enumerate(GAPS)]
LEVEL = [gap + (-1) ** seed * 0.001 for seed, gap in enumerate(GAPS)]
NARROW = [gap / 2 for gap in GAPS]


@pytest.mark.parametrize(
    ("mlp", "dropout", "ruling"),
    [
        (WIDE, WIDE, "it holds here"),
        (WIDE, LEVEL, "it was found to hold for one of them only"),
        (LEVEL, LEVEL, "no such difference was found"),
        (NARROW, LEVEL, "it does not hold here"),
        (WIDE, LEVEL[:3], "it is not settled"),
    ],
)
def test_no_difference_found_is_not_told_as_a_claim_refuted(experiment, mlp, dropout, ruling):
    found = overfitting(experiment.every_run[0], gap=GAPS, mlp=mlp, mlp_dropout=dropout)
    assert f"tested: {ruling}." in module.overfitting_sentence(found)


def test_a_linear_head_without_a_common_seed_rules_nothing(experiment):
    found = overfitting(experiment.every_run[0], gap=GAPS, mlp=GAPS)
    first, second = dict(list(found.runs["gap"].items())[:4]), dict(list(found.runs["mlp"].items())[4:])
    assert module.overfitting_sentence(Experiment(found.recipe, {"gap": first, "mlp": second})) is None


def test_the_highest_whole_per_cent_is_not_lost_to_rounding(experiment):
    [epoch, *_] = experiment.every_run[0].epochs
    for percent in range(1, 101):
        assert reachable({"gap": {0: [dataclasses.replace(epoch, validation_accuracy=percent / 100)]}}) == percent / 100
    assert reachable({"gap": {0: [dataclasses.replace(epoch, validation_accuracy=0.5799)]}}) == 0.57


def test_a_run_that_fails_does_not_lower_what_can_be_reached_and_is_told(experiment):
    [epoch, *_] = experiment.every_run[0].epochs
    curves = {
        "gap": {seed: [dataclasses.replace(epoch, validation_accuracy=each)] for seed, each in enumerate((0.1, 0.6, 0.7))},
        "gmp": {seed: [dataclasses.replace(epoch, validation_accuracy=each)] for seed, each in enumerate((0.5, 0.8))},
    }
    assert reachable(curves) == 0.5
    assert reachable({"gap": curves["gap"]}) == 0.6
    assert never_reached(times_to(0.5, experiment, {"gmp": curves["gmp"]})) is None
    assert never_reached(times_to(1.1, experiment, curves_of(experiment))) == (
        "Runs that never reached it: 2 of GAP, 2 of GMP, 1 of MLP."
    )


def test_canvases_have_a_table_of_their_own_and_no_column_is_empty(experiment):
    record = experiment.runs["gap"][0].record
    canvas = dataclasses.replace(record, recipe=record.recipe.but(dataset="canvas:5:8"))
    [on_canvas] = experiments([Run(experiment.every_run[0].store, canvas)])
    [[first], [second]] = overviews([experiment, on_canvas])
    assert list(first) == ["dataset", "GAP", "GMP", "MLP", "seeds", "recipe"]
    assert list(second) == ["dataset", "GAP", "seeds", "recipe"]
    assert overviews([]) == []


def test_of_two_runs_with_one_recipe_the_later_one_counts(experiment):
    early = experiment.runs["gap"][0]
    late = Run(early.store, dataclasses.replace(early.record, created=early.record.created + 1))
    for order in ([early, late], [late, early]):
        assert experiments(order)[0].runs["gap"][0] is late


def test_a_run_that_is_deleted_while_it_is_looked_at_is_one_sentence(own_copy):
    store = Store(own_copy)
    looked_at = [Run(store, record) for record in store.runs()]
    store.delete(looked_at[0].id)
    assert len(looked_at[1].epochs) == 2
    with pytest.raises(StoreError, match=r"article-gap-seed0 was deleted from .* meanwhile: choose another run\."):
        curves_of(Experiment(looked_at[0].recipe, {"gap": {0: looked_at[0]}}))


def test_runs_of_studies_stand_behind_those_that_follow_a_recipe(experiment, filled_store):
    """The filled store's runs are cut to two epochs, as a study's are; all of them are still there, and keep their keys."""
    shipped = {f"shipped/{run.id}": run for run in experiment.every_run}
    store = Store(filled_store, read_only=True)
    own = {f"own/{record.id}": Run(store, record) for record in store.runs()}
    found = first_shown(shipped, own)
    assert list(found) == [*own, *shipped]
    assert [found[key].recipe.pool for key in default_pair(found)] == ["gap", "gmp"]


def test_reliability_is_that_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3_000, 5, generator=generator) * 3
    labels = torch.multinomial(torch.softmax(logits / 3, 1), 1, generator=generator)[:, 0]  # so they are three times too sure
    probabilities = torch.softmax(logits, 1)
    found = reliability(probabilities, labels, bins=10)
    error = 0.0
    for number in range(10):
        inside = [i for i, p in enumerate(probabilities.max(1).values.tolist()) if number / 10 < p <= (number + 1) / 10]
        if inside:
            right = sum(int(probabilities[i].argmax() == labels[i]) for i in inside) / len(inside)
            sure = sum(probabilities[i].max().item() for i in inside) / len(inside)
            error += len(inside) / 3_000 * abs(right - sure)
    assert sum(each.images for each in found) == 3_000
    assert calibration_error(found) == pytest.approx(error)
    tempered = Reliability.of(logits, labels)
    assert tempered.temperature == pytest.approx(3, rel=0.1)
    assert calibration_error(tempered.tempered) < 0.03 < calibration_error(tempered.plain)
