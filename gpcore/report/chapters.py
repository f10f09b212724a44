"""All that *Compare* shows, in its order: the most important first."""

from collections.abc import Sequence
from functools import partial

from gpcore.figures import learning_curves, seed_rows
from gpcore.recipe import ARTICLE
from gpcore.report import experiment_parts, run_parts
from gpcore.report.parts import Chapter, Figure, Part, Source
from gpcore.report.run_parts import asked_now
from gpcore.verdicts import published
from gpcore.verdicts.conclusions import Question, conclusions, milestones, question
from gpcore.verdicts.crossover import Series, series
from gpcore.verdicts.experiments import Experiment, bands, curves_of, experiments, overviews
from gpcore.verdicts.standings import LEGEND, RULE

OVERVIEW = f"Validation accuracy in per cent, mean ± 95 % interval over seeds. {LEGEND}."


def chapters(source: Source) -> list[Chapter]:
    """All chapters; what they show is computed when a part is called."""
    found = experiments(source.found)
    several = [experiment for experiment in found if experiment.seeds > 1]
    asked, compared = question(found), [experiment for experiment in several if experiment.compared]
    told = [headline(asked, source)] if asked else []
    told += [heads(compared, source), concluding(several, source)] if compared else []
    told += [crossing(each, source) for each in series(each.accuracies for each in several)]
    told += [experiment_parts.chapter(each, source) for each in several if not each.on_canvas]
    ask = partial(asked_now, data=source.data)
    if len(source.chosen) > 1:
        commands = run_parts.chapter(source, ask).commands
        told.append(Chapter("The first two runs", {"Verdict": lambda: run_parts.pair(source.chosen, ask)}, commands))
    return told + ([run_parts.chapter(source, ask)] if source.chosen else [])


def headline(asked: Question, source: Source) -> Chapter:
    """GAP against GMP: the answer, every experiment that asked, and the article's curves beside ours."""

    def answer() -> Part:
        drawn = [band for band in bands(curves_of(asked.curves)) if band.pool in ("gap", "gmp")]
        return Part(
            asked.sentences,
            [
                Figure("pairs", seed_rows.pairs(asked.tables)),
                Figure("article", [learning_curves.learning_curves(drawn, milestones=article)]),
            ],
            milestones(drawn) if article else [],
            "Left: GMP less GAP, seed by seed, with the mean and its 95 % interval; left of zero GAP is better. Right: "
            "accuracy after every epoch, bands from the lowest seed to the highest"
            + (", and circles from the article." if article else "."),
        )

    article = asked.curves.recipe == ARTICLE  # to the letter: of fewer epochs or other images the article reports nothing
    return Chapter(asked.title, {"GAP and GMP": answer}, source.studies(asked.curves.accuracies))


def heads(compared: Sequence[Experiment], source: Source) -> Chapter:
    """Every head, by dataset; canvases by themselves."""
    places = {each.on_canvas for each in compared}
    titles = [title for title, canvas in (("By dataset", False), ("On canvases", True)) if canvas in places]
    parts = {
        title: partial(Part, table=rows, caption=OVERVIEW) for title, rows in zip(titles, overviews(compared), strict=True)
    }
    parts["The rule of these verdicts"] = partial(Part, [RULE])
    return Chapter(
        "All heads, by dataset", parts, [command for each in compared for command in source.studies(each.accuracies)]
    )


def concluding(several: Sequence[Experiment], source: Source) -> Chapter:
    """What follows, each sentence with its command, and what others found."""

    def part() -> Part:
        return Part(
            [],
            table=[
                {"finding": each.sentence, "command": "; ".join(source.studies(each.tables[0]))}
                for each in conclusions(several)
            ],
        )

    others = [{"finding": claim, "source": where} for claim, where in published.LITERATURE]
    return Chapter(
        "Conclusions",
        {"Here": part, "Elsewhere": lambda: Part(table=others, caption=published.THEIRS)},
        [source.command.replace("report.html", "docs/results.md")],
    )


def crossing(found: Series, source: Source) -> Chapter:
    """Accuracy along the size of the item, or along the clutter."""

    def part() -> Part:
        from gpcore.figures.lab_charts import crossover  # draws position maps too, for which PyTorch must be there

        return Part([found.sentence], [Figure(f"crossover-{found.along}", crossover(found))], found.rows())

    title = f"Along the {'size of the item' if found.along == 'area' else 'clutter'}"
    commands = [command for table in found.tables.values() for command in source.studies(table)]
    return Chapter(title, {found.title: part}, [*commands, source.command])
