"""Single runs set against each other, part by part."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpcore.drawing.theme import POOL_COLOURS
from gpcore.figures import confusion, epoch_curves
from gpcore.figures.epoch_curves import Curve
from gpcore.report.parts import Chapter, Drawing, Figure, Part, Source
from gpcore.runs.command_lines import train_command
from gpcore.runs.run import Run

if TYPE_CHECKING:  # PyTorch, for which curves do not wait
    from jaxtyping import Float
    from torch import Tensor

    from gpcore.data.datasets import Split

    Asked = tuple[Float[Tensor, "n classes"], Split]

Ask = Callable[[Run], "Asked"]
"""Asks a run's last network about every test image of its dataset: its scores, and the images with their classes."""

TITLE = "Run against run"


def asked_now(run: Run, data: Path) -> "Asked":
    """Reads the images and the network, and computes the scores."""
    from gpcore.data.datasets import test_split_only
    from gpcore.insight.layer_maps import all_scores
    from gpcore.training.features import feature_dataset

    recipe = run.recipe
    if recipe.frozen:
        test = feature_dataset(recipe.trunk, recipe.dataset, data, test_only=True).test
    else:
        test = test_split_only(recipe.dataset, data).test
    return all_scores(run.network(), test), test


def chapter(source: Source, ask: Ask) -> Chapter:
    """Everything about the chosen runs."""
    parts: dict[str, Callable[..., Part]] = {
        "Curves": curves,
        "Confusion": matrices,
        "Calibration": partial(calibration, ask=ask),
        "Starved classes": starved,
    }
    commands = [*(train_command(run.recipe, str(source.store)) for run in source.chosen), source.command]
    return Chapter(TITLE, {title: partial(make, source.chosen) for title, make in parts.items()}, commands)


def pair(chosen: Sequence[Run], ask: Ask) -> Part:
    """The verdict on the first two runs, and what it does not rest on."""
    first, second = chosen[:2]
    if first.recipe.dataset != second.recipe.dataset:
        return Part(["The first two runs were trained on different datasets, so their accuracies can't be compared."])
    from gpcore.insight.disagreement import Disagreement, answers_of
    from gpcore.verdicts.run_comparison import PairedCount, other_differences, verdict

    asked = [(run, *ask(run)) for run in (first, second)]
    labels = asked[0][2].labels
    count = PairedCount.of(Disagreement(labels, *(answers_of(scores, labels, run.recipe.output) for run, scores, _ in asked)))
    others = other_differences(first.recipe, second.recipe)
    caution = [f"The two also differ in: {', '.join(others)}; so it is not the pooling alone."] if others else []
    return Part(
        [verdict(first.record.title, second.record.title, count), *caution],
        caption=f"{count.only_first:,} images are right only in {first.record.title}, {count.only_second:,} only in "
        f"{second.record.title}; p is McNemar's exact test on those. One seed each: the seeds above show what a seed changes.",
    )


def curves(chosen: Sequence[Run]) -> Part:
    """Accuracy and loss after every epoch."""
    drawn = [_curve(run) for run in chosen]
    article = all(run.recipe.name == "article" and run.recipe.dataset == "fashion-mnist" for run in chosen)
    told = "Strong: validation. Thin: training. Drag across a part of a chart to enlarge it, double-click for all of it."
    if article:
        told += (
            " Circles are what the article itself reports. Its accuracy is taken from the sigmoids, many of which are exactly "
            "1.0 in float32: such ties go to the lower class. The same weights score a little more on the logits."
        )
    rows = [
        {"run": curve.name} | {name: value for name, value in vars(epoch).items() if name != "confusion"}
        for curve in drawn
        for epoch in curve.epochs
    ]
    charts = [epoch_curves.accuracies(drawn, milestones=article), epoch_curves.losses(drawn)]
    return Part(figures=[Figure("curves", charts)], caption=told, numbers=lambda: rows)


def matrices(chosen: Sequence[Run]) -> Part:
    """Which class each run takes for which."""
    return Part(
        figures=[_figure(run, "confusion", confusion.confusion_matrix(_curve(run), run.classes)) for run in chosen],
        caption="Per cent of each actual class. Right answers have the colour of the pooling, mistakes are red: full red from "
        f"{confusion.WORST_CONFUSION:.0%} on.",
    )


def calibration(chosen: Sequence[Run], ask: Ask) -> Part:
    """How often the answers of each probability are right."""
    from gpcore.figures import reliability_diagram
    from gpcore.insight.reliability import Reliability

    asked = [(run, *ask(run)) for run in chosen]
    found = [(run, Reliability.of(scores, test.labels)) for run, scores, test in asked]
    images = ", ".join(sorted({f"{len(test):,}" for _, _, test in asked}))
    return Part(
        figures=[
            _figure(run, "calibration", reliability_diagram.reliability_diagram(each, POOL_COLOURS[run.recipe.pool]))
            for run, each in found
        ],
        caption=f"On {images} test images. Of the answers given with "
        "a probability of 80 %, are 80 % right? Below the diagonal a network is too sure. ECE, the expected calibration error, "
        "is the mean distance from the diagonal. Dotted: after dividing the logits by the one temperature that makes the true "
        "classes of these images likeliest, as Classify does.",
    )


def starved(chosen: Sequence[Run]) -> Part:
    """How often each class is answered after every epoch."""
    return Part(
        [
            "Why curves have plateaus: each cell shows how often a class was answered after an epoch, against how often it is "
            "true. Red is a class that has starved: the network almost never answers it. When it recovers, accuracy jumps."
        ],
        [_figure(run, "answers", confusion.answers_over_epochs(_curve(run), run.classes)) for run in chosen],
    )


def _figure(run: Run, name: str, drawing: Drawing) -> Figure:
    return Figure(f"{run.id}-{name}", drawing, run.record.title)


def _curve(run: Run) -> Curve:
    return Curve(run.record.title, run.recipe.pool, run.epochs)
