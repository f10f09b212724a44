"""What the report tells: chapters of parts, each with its figure or table and the commands that reproduce it."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from gpcore.data.datasets import test_split_only
from gpcore.drawing.charts import Chart
from gpcore.drawing.rows import Rows
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.errors import GpcoreError
from gpcore.figures import confusion, epoch_curves, head_tables, learning_curves, reliability_diagram, seed_rows
from gpcore.figures.epoch_curves import Curve
from gpcore.figures.lab_charts import crossover
from gpcore.insight.disagreement import Disagreement, answers_of
from gpcore.insight.layer_maps import all_scores
from gpcore.insight.reliability import Reliability
from gpcore.recipe import HEAD_LABELS
from gpcore.runs.command_lines import study_commands, train_command
from gpcore.runs.run import Run
from gpcore.verdicts import published
from gpcore.verdicts.costs import COUNTED, costs
from gpcore.verdicts.crossover import Series, series
from gpcore.verdicts.experiments import (
    Experiment,
    bands,
    class_accuracies,
    curves_of,
    experiments,
    never_reached,
    overfitting_sentence,
    overviews,
    reachable,
    times_to,
    usual_device,
)
from gpcore.verdicts.run_comparison import PairedCount, other_differences, verdict
from gpcore.verdicts.standings import LEGEND, RULE, VerdictTable


@dataclass(frozen=True)
class Part:
    """One figure or table under a title, with what is said about it and the commands that reproduce it."""

    title: str
    lines: list[str] = field(default_factory=list)
    figure: go.Figure | Chart | Rows | None = None
    rows: list[dict[str, Any]] | None = None
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chapter:
    """Parts about one experiment, or about the runs that were chosen."""

    title: str
    parts: list[Part]


@dataclass(frozen=True)
class Source:
    """What a report is made from: all runs, those that are set against each other, and where datasets and results lie.

    `beside` are further stores whose runs are among those found.
    """

    found: Sequence[Run]
    chosen: Sequence[Run]
    data: Path
    store: Path
    beside: Sequence[Path] = ()

    @property
    def command(self) -> str:
        """The command that makes this report again."""
        options = [("--store", self.store), *(("--also-from", other) for other in self.beside), ("--data", self.data)]
        options += [("--run", run.store.run_folder(run.id)) for run in self.chosen]
        given = [str(part) for option in options for part in option]
        return shlex.join(["python", "-m", "gpcore", "report", "--out", "report.html", *given])


def chapters(source: Source) -> list[Chapter]:
    """All that is told, the most important first."""
    several = [experiment for experiment in experiments(source.found) if experiment.seeds > 1]
    compared = [experiment for experiment in several if experiment.compared]
    told = [_verdict(compared, source)] if compared else []
    told += [_crossover(found, source) for found in series(each.accuracies for each in several)]
    apart = [each for each in several if not each.on_canvas]
    told += [Chapter(each.title, _or_why_not(each.title, partial(_experiment_parts, each, source))) for each in apart]
    together = "Run against run"
    return told + ([Chapter(together, _or_why_not(together, partial(_run_parts, source)))] if source.chosen else [])


def _verdict(compared: Sequence[Experiment], source: Source) -> Chapter:
    sentences = [f"{experiment.title}: {experiment.accuracies.sentence}" for experiment in compared if not experiment.on_canvas]
    commands = [command for experiment in compared for command in _studies(experiment.accuracies, source)]
    legend = f"Validation accuracy in per cent, mean ± 95 % interval over seeds. {LEGEND}."
    first, *further = overviews(compared)
    parts = [Part("Over seeds", [*sentences, legend], None, first, commands)]
    parts += [Part("On canvases", [], None, rows, commands) for rows in further]
    return Chapter("The verdict", [*parts, Part("The rule", [RULE])])


def _studies(table: VerdictTable, source: Source) -> list[str]:
    return study_commands(table.experiment, {one.pool: list(one.accuracies) for one in table.standings}, str(source.store))


def _crossover(found: Series, source: Source) -> Chapter:
    again = [command for table in found.tables.values() for command in _studies(table, source)]
    part = Part(found.title, [found.sentence], crossover(found), found.rows(), [*again, source.command])
    return Chapter(f"Along the {'size of the item' if found.along == 'area' else 'clutter'}", [part])


def _experiment_parts(experiment: Experiment, source: Source) -> list[Part]:
    table, seen = experiment.accuracies, curves_of(experiment)
    target, device = reachable(seen), usual_device(experiment)
    reached = times_to(target, experiment, seen)
    never = never_reached(reached)
    verdicts = [each.sentence for each in table.verdicts.values()]
    claim = overfitting_sentence(experiment)
    again = [*_studies(table, source), source.command]
    title = "training less validation accuracy"
    parts = [
        Part("Accuracy over seeds", verdicts, seed_rows.over_seeds(table), commands=again),
        Part(
            "PairedDifferences differences per seed",
            ["With 95 % bootstrap intervals."],
            seed_rows.differences(table),
            commands=again,
        ),
        Part(
            "Learning curves",
            ["Dotted: training. Bands: all seeds."],
            learning_curves.learning_curves(bands(seen)),
            commands=again,
        ),
        Part("Overfitting", [claim] if claim else [], seed_rows.over_seeds(experiment.overfitting, title, -1), commands=again),
    ]
    for number, rows in enumerate(learning_curves.times(reached, device)):
        told = [never] if never and not number else []
        parts.append(Part(f"Time to {target:.0%}, in {rows.scale}", told, rows, commands=again))
    return parts + _or_why_not("Classes and cost", lambda: _parts_with_weights(experiment, again))


def _or_why_not(title: str, make: Callable[[], list[Part]]) -> list[Part]:
    """The parts; or, where weights, a dataset or a run itself are gone, a part that says so: the rest is still worth it."""
    try:
        return make()
    except GpcoreError as error:
        return [Part(title, [str(error)])]


def _parts_with_weights(experiment: Experiment, again: list[str]) -> list[Part]:
    """What asks a run's weights for its classes and the size of its images."""
    found = costs(experiment)
    rows = [
        {"head": HEAD_LABELS[pool]}
        | {name.replace("_", " ").replace("flops", "FLOPs"): f"{value:,}" for name, value in vars(cost).items()}
        for pool, cost in found.items()
    ]
    figure = head_tables.per_class(class_accuracies(experiment), experiment.every_run[0].classes)
    parts = [
        Part("Accuracy per class", [], figure, commands=again),
        Part("Cost of the heads", [f"FLOPs are for one image. {COUNTED}"], None, rows, again),
    ]
    if experiment.recipe.dataset == "fashion-mnist":
        others = head_tables.published(experiment.accuracies.standings, {pool: cost.parameters for pool, cost in found.items()})
        parts.append(Part("What others report", [OTHERS], others, published.rows(), again))
    return parts


OTHERS = f"Grey: from {published.SOURCE}, whose authors say that they have not tested it."


def _run_parts(source: Source) -> list[Part]:
    drawn = [Curve(run.record.title, run.recipe.pool, run.epochs) for run in source.chosen]
    article = all(run.recipe.name == "article" and run.recipe.dataset == "fashion-mnist" for run in source.chosen)
    again = [*(train_command(run.recipe, str(source.store)) for run in source.chosen), source.command]
    parts = [
        *_or_why_not("Verdict", lambda: _pair_part(source, again)),
        Part("Accuracy", ["Strong: validation. Thin: training."], epoch_curves.accuracies(drawn, article), commands=again),
        Part("Loss", ["Strong: validation. Thin: training."], epoch_curves.losses(drawn), commands=again),
    ]
    for run, curve in zip(source.chosen, drawn, strict=True):
        parts += _or_why_not(run.record.title, partial(_one_run, run, curve, source.data, again))
    return parts


def _pair_part(source: Source, again: list[str]) -> list[Part]:
    if len(source.chosen) < 2 or len({run.recipe.dataset for run in source.chosen[:2]}) > 1:
        return []
    first, second = source.chosen[:2]
    test = test_split_only(first.recipe.dataset, source.data).test
    answers = [answers_of(all_scores(run.network(), test), test.labels, run.recipe.output) for run in (first, second)]
    count = PairedCount.of(Disagreement(test.labels, *answers))
    sentence = verdict(first.record.title, second.record.title, count).replace("**", "")
    others = other_differences(first.recipe, second.recipe)
    caution = [f"The two also differ in: {', '.join(others)}; so it is not the pooling alone."] if others else []
    return [Part("Verdict on the first two", [sentence, *caution], commands=again)]


def _one_run(run: Run, curve: Curve, data: Path, again: list[str]) -> list[Part]:
    title = run.record.title
    test = test_split_only(run.recipe.dataset, data).test
    found = Reliability.of(all_scores(run.network(), test), test.labels)
    diagram = reliability_diagram.reliability_diagram(found, POOL_COLOURS[run.recipe.pool])
    dotted = f"On {len(test):,} test images. Dotted: with the temperature that makes their classes likeliest."
    return [
        Part(f"{title}: what is taken for what (per cent)", [], confusion.confusion_matrix(curve, run.classes), commands=again),
        Part(f"{title}: starved classes", [], confusion.answers_over_epochs(curve, run.classes), commands=again),
        Part(f"{title}: calibration", [dotted], diagram, commands=again),
    ]
