"""One experiment over its seeds, part by part."""

from functools import partial
from typing import Any

from gpcore.figures import head_tables, learning_curves, seed_rows
from gpcore.recipe import HEAD_LABELS
from gpcore.report.parts import Chapter, Figure, Part, Source
from gpcore.verdicts import published
from gpcore.verdicts.experiments import (
    Experiment,
    bands,
    class_accuracies,
    curves_of,
    never_reached,
    overfitting_sentence,
    reachable,
    times_to,
    usual_device,
)
from gpcore.verdicts.standings import VerdictTable


def chapter(experiment: Experiment, source: Source) -> Chapter:
    """Everything about one experiment."""
    makers = {
        "Seeds": seeds,
        "Learning": learning,
        "Overfitting": overfitting,
        "Classes": classes,
        "Time": times,
        "Cost": cost,
    }
    if experiment.recipe.dataset == "fashion-mnist":
        makers["Published"] = what_others_report
    parts = {name: partial(make, experiment) for name, make in makers.items()}
    return Chapter(experiment.title, parts, [*source.studies(experiment.accuracies), source.command])


def seeds(experiment: Experiment) -> Part:
    """Every seed, the differences in pairs, and the verdict on every head."""
    table = experiment.accuracies
    return Part(
        [table.failures.strip()] if table.failed else [],
        [Figure("standings", seed_rows.over_seeds(table)), Figure("differences", seed_rows.differences(table))],
        table.rows(),
        "Left: every seed, and the mean with its 95 % interval. Right: the same seeds in pairs, with a 95 % bootstrap "
        "interval. Table: ± is Student's 95 % interval; p is the sign-flip test's, corrected p counts the family.",
        partial(_by_seed, table, "accuracy"),
    )


def _by_seed(table: VerdictTable, name: str) -> list[dict[str, Any]]:
    return [
        {"pooling": standing.pool, "seed": seed, name: number}
        for standing in table.standings
        for seed, number in standing.accuracies.items()
    ]


def learning(experiment: Experiment) -> Part:
    """Accuracy after every epoch, as a band for each head."""
    drawn = bands(curves_of(experiment))
    rows = [
        {"pooling": band.pool, "epoch": epoch, "mean": mean, "lowest": low, "highest": high, "training": training}
        for band in drawn
        for epoch, mean, low, high, training in zip(band.epochs, band.mean, band.low, band.high, band.training, strict=True)
    ]
    return Part(
        figures=[Figure("learning", [learning_curves.learning_curves(drawn)])],
        caption="Strong: validation accuracy, mean over seeds. Band: from the lowest seed to the highest, not an interval. "
        "Dotted: training accuracy. Drag across a part to enlarge it, double-click for all of it; a click on a name hides it.",
        numbers=lambda: rows,
    )


def overfitting(experiment: Experiment) -> Part:
    """Training less validation accuracy, and the article's claim about it."""
    claim, title = overfitting_sentence(experiment), "training less validation accuracy"
    return Part(
        [claim] if claim else [],
        [Figure("overfitting", seed_rows.over_seeds(experiment.overfitting, title, lowest=-1))],
        caption="How much better a network is, after its last epoch, on the images that it was trained on than on new ones; "
        "95 % intervals over seeds.",
        numbers=partial(_by_seed, experiment.overfitting, title),
    )


def classes(experiment: Experiment) -> Part:
    """The accuracy of every head on every class."""
    shares, names = class_accuracies(experiment), experiment.every_run[0].classes
    rows = [
        {"pooling": pool, "class": name, "accuracy": share}
        for pool, found in shares.items()
        for name, share in zip(names, found, strict=True)
    ]
    return Part(
        figures=[Figure("per-class", head_tables.per_class(shares, names))],
        caption="The share of each class's test images that is answered right after the last epoch, mean over the seeds.",
        numbers=lambda: rows,
    )


def times(experiment: Experiment, target: float | None = None) -> Part:
    """When every run first reached an accuracy, by default the highest that most runs reached."""
    curves, device = curves_of(experiment), usual_device(experiment)
    target = reachable(curves) if target is None else target
    reached = times_to(target, experiment, curves)
    never, names = never_reached(reached), ("epochs-to", "seconds-to")
    rows = [
        {"pooling": head.pool, "seed": seed, "epochs": epochs, "seconds": head.seconds.get(seed)}
        for head in reached
        for seed, epochs in head.epochs.items()
    ]
    return Part(
        [never] if never else [],
        [Figure(name, found) for name, found in zip(names, learning_curves.times(reached, device), strict=True)],
        caption=f"The epoch after which a run first had {target:.0%}, and its seconds until then: only of runs on {device}, "
        "since times on different devices don't compare. Whatever else ran on the machine counts too.",
        numbers=lambda: rows,
    )


def cost(experiment: Experiment) -> Part:
    """Parameters and arithmetic of every head."""
    from gpcore.verdicts.costs import COUNTED, costs  # needs PyTorch, for which the rest of the page does not wait

    rows = [
        {
            "head": HEAD_LABELS[pool],
            "parameters": found.parameters,
            "of these the head": found.head_parameters,
            "FLOPs for an image": found.flops,
            "of those the head": found.head_flops,
        }
        for pool, found in costs(experiment).items()
    ]
    return Part(table=rows, caption=f"{COUNTED} All heads have the same trunk.", numbers=lambda: rows)


def what_others_report(experiment: Experiment) -> Part:
    """The dataset's own list of results, and the heads beside them."""
    from gpcore.verdicts.costs import costs  # as above

    parameters = {pool: found.parameters for pool, found in costs(experiment).items()}
    return Part(
        figures=[Figure("published", head_tables.published(experiment.accuracies.standings, parameters))],
        table=published.rows(),
        caption=f"Grey: what others report, from {published.SOURCE}, whose authors say that they have not tested it. One "
        "number each, without seeds or intervals, and trained as each of them chose.",
        numbers=published.rows,
    )
