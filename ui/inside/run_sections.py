"""The sections of *Inside* that are about whole runs: their epochs, their poolings swapped, and where they disagree."""

import math

import pandas as pd
import streamlit as st

from gpcore.figures import inside_curves as figures
from gpcore.figures.inside_curves import PlotLine
from gpcore.figures.twin_grids import colour_of
from gpcore.insight import placement, swap
from gpcore.insight.disagreement import Disagreement, Kind
from gpcore.insight.history import lead
from gpcore.training.evaluate import answers, output_of
from ui import scrolling
from ui.gallery import Item, show_gallery
from ui.inside import computed
from ui.inside.image_picker import TEST
from ui.inside.view_state import Scene
from ui.widgets import csv_button, errors_shown, figure_shown
from ui.wording import plain

GALLERY = 24
"""Images on a page of the gallery."""

EVERY_CLASS = "every class"

ROUNDING = 1e-5
"""Rounding error of float32 in a network's sums, as a part of the largest score."""


def show_epochs(scene: Scene) -> None:
    """Shows the accuracy after every epoch with a marker at the chosen one, and this image's lead beside it."""
    left, right = st.columns(2, gap="large")
    accuracies, fates = _accuracy_lines(scene), _fate_lines(scene)
    actual = scene.picked.actual
    with left:
        st.markdown("**Accuracy on the test images**")
        figure_shown(figures.over_epochs(accuracies, "accuracy", percent=True), "epochs-accuracy", "accuracy")
    with right:
        whose = "true class" if actual is not None else "present answer"
        st.markdown(f"**This image: how far its {whose} is ahead of the best other class**")
        figure_shown(figures.over_epochs(fates, "lead in the logit", percent=False), "epochs-image", "this-image")
        st.caption("Above zero its logit is the largest. Press play beside the epoch: the maps above move in step.")
    csv_button(
        "Both curves", lambda: _line_rows(accuracies, "accuracy") + _line_rows(fates, "lead"), "epochs.csv", "epochs-csv"
    )


def _accuracy_lines(scene: Scene) -> list[PlotLine]:
    lines = []
    for snapshot, look, name in zip(scene.snapshots, scene.looks, scene.names, strict=True):
        epochs = snapshot.run.epochs
        numbers = [epoch.epoch for epoch in epochs]
        values = [epoch.validation_accuracy for epoch in epochs]
        lines.append(PlotLine(name, colour_of(look), numbers, values, numbers.index(snapshot.epoch)))
    return lines


def _fate_lines(scene: Scene) -> list[PlotLine]:
    lines = []
    for snapshot, look, name in zip(scene.snapshots, scene.looks, scene.names, strict=True):
        epochs = computed.kept_epochs(snapshot.run)
        scores = computed.all_epochs(snapshot.run).scores(look.image)
        label = look.answer if scene.picked.actual is None else scene.picked.actual
        answered = answers(output_of(scores, look.output)).tolist()
        notes = [scene.dataset.classes[answer] for answer in answered]
        values = lead(scores, label).tolist()
        lines.append(PlotLine(name, colour_of(look), epochs, values, epochs.index(snapshot.epoch), notes=notes))
    return lines


def show_swap(scene: Scene) -> None:
    """Shows another pooling on the same class maps: this image's scores, and the accuracy over all test images."""
    strength = st.select_slider(
        "Pooling: from the mean through log-sum-exp (r) to the maximum",
        swap.STRENGTHS,
        1.0,
        figures.named,
        key="strength",
        bind="query-params",
    )
    for place, column in enumerate(st.columns(2, gap="large")):
        look = scene.looks[place]
        scores = swap.swapped(look.evidence.maps[None], strength)[0]
        answer = int(answers(output_of(scores[None], look.output)))
        with column:
            st.markdown(
                f"**{plain(scene.names[place])}'s class maps with this pooling: {plain(scene.dataset.classes[answer])}** "
                f"(as trained: {plain(scene.dataset.classes[look.answer])})"
            )
            if scores.max() > scores[answer]:
                largest = plain(scene.dataset.classes[int(scores.argmax())])
                st.caption(
                    f"{largest} has the largest score, but several sigmoids are exactly 1, and of"
                    " equal outputs the article takes the lowest class."
                )
            figure = figures.score_bars(scene.dataset.classes, scores.tolist(), look.scores.tolist(), colour_of(look))
            figure_shown(figure, f"swap-scores-{place}", f"{scene.names[place]}-swapped")
    lines = _swap_lines(scene)
    _tell_accuracies(lines, strength)
    figure_shown(figures.from_mean_to_max(lines, strength), "swap-curve", "mean-to-max")
    csv_button("Accuracy by r", lambda: _line_rows(lines, "accuracy"), "mean-to-max.csv", "swap-csv")


def _swap_lines(scene: Scene) -> list[PlotLine]:
    """Returns a line for each network on its recipe's output, and for sigmoids another one on the logits."""
    lines = []
    for snapshot, look, name in zip(scene.snapshots, scene.looks, scene.names, strict=True):
        place = swap.place_of(look.network.pool)
        marked = swap.STRENGTHS.index(place) if place in swap.STRENGTHS else None
        for output in dict.fromkeys([look.output, "logits"]):
            accuracies = computed.curve(snapshot, scene.dataset, output)
            own = output == look.output
            title = name if own else f"{name}, answers from the logits"
            dash = "solid" if own else "dot"
            lines.append(PlotLine(title, colour_of(look), swap.STRENGTHS, accuracies, marked if own else None, dash))
    return lines


def _tell_accuracies(lines: list[PlotLine], strength: float) -> None:
    at = swap.STRENGTHS.index(strength)
    told = [
        f"**{line.name}** {line.y[at]:.1%}" + (f" (trained: {line.y[line.marked]:.1%})" if line.marked is not None else "")
        for line in lines
        if line.dash == "solid"
    ]
    st.markdown("Accuracy over all test images with this pooling: " + ", ".join(told) + ".")


def show_move(scene: Scene) -> None:
    """The same weights with the pooling before the last layer: for GAP the same answers, for GMP others."""
    for place, column in enumerate(st.columns(2, gap="large")):
        with column, errors_shown(go_on=True):
            _show_moved(scene, place)
    st.caption(
        "As trained, the last layer makes class maps and the pooling turns each into a score. Here the same weights are used "
        "the other way round, as in most libraries: the features are pooled first, and the last layer computes the scores from "
        "them. A mean commutes with a linear layer, a maximum does not."
    )


def _show_moved(scene: Scene, place: int) -> None:
    snapshot, look, name = scene.snapshots[place], scene.looks[place], scene.names[place]
    scores, labels = computed.moved_scores(snapshot, scene.dataset), scene.dataset.test.labels
    trained = computed.scores(snapshot, scene.dataset)
    before, after = (swap.accuracy(each, labels, look.output) for each in (trained, scores))
    change = (scores - trained).abs().max().item()
    size = trained.abs().max().item()
    same = "the same function, except for rounding" if change < ROUNDING * size else "another function"
    st.markdown(
        f"**{plain(name)}: {same}.** Pooled before the last layer it answers {after:.2%} of all test images right (as trained: "
        f"{before:.2%}); the scores, which reach {size:.1f}, change by up to "
        f"{change:.{1 if change > 0.1 else 6}f}."
    )
    own = placement.moved(look.network)(look.image)[0]
    figure = figures.score_bars(scene.dataset.classes, own.tolist(), look.scores.tolist(), colour_of(look))
    figure_shown(figure, f"moved-{place}", f"{name}-moved")


def show_disagreement(scene: Scene) -> None:
    """Shows the test images on which the networks differ, and those that neither gets right; a click opens one above."""
    found = computed.disagreement(*scene.snapshots, scene.dataset)
    first, second = scene.names
    titles: dict[str, Kind] = {
        f"only {first} is right": "first",
        f"only {second} is right": "second",
        "both are wrong": "both",
        "surest mistakes": "sure",
    }
    chosen = st.segmented_control(
        "Test images on which", list(titles), default=next(iter(titles)), key="kind", bind="query-params", required=True
    )
    classes = scene.dataset.classes
    gallery_side, count_side = st.columns([2.5, 1.3], gap="large")
    with count_side:
        st.markdown("**How many there are**")
        _counts(found, titles, classes)
    with gallery_side:
        name = st.selectbox("True class", [EVERY_CLASS, *classes], key="true", bind="query-params", width=220)
        label = None if name == EVERY_CLASS else classes.index(name)
        _gallery(scene, found, titles[chosen], label)


def _counts(found: Disagreement, titles: dict[str, Kind], classes: tuple[str, ...]) -> None:
    short = {title.removesuffix(" is right").replace("are ", ""): kind for title, kind in titles.items() if kind != "sure"}
    rows = [
        {"true class": name} | {title: found.count(kind, label) for title, kind in short.items()}
        for label, name in [(None, EVERY_CLASS), *enumerate(classes)]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=36 * (len(rows) + 1))
    csv_button("These counts", lambda: rows, "disagreement.csv", "counts-csv")


def _gallery(scene: Scene, found: Disagreement, kind: Kind, label: int | None) -> None:
    indices = found.found(kind, label).tolist()
    if not indices:
        st.info("No image matches.", icon=":material/search_off:")
        return
    pages = math.ceil(len(indices) / GALLERY)
    page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    classes, names = scene.dataset.classes, scene.names
    items = [
        Item(
            index,
            scene.dataset.test.images[index],
            classes[int(found.actual[index])],
            [
                f"{name}: {classes[int(answered.labels[index])]}"
                for name, answered in zip(names, (found.first, found.second), strict=True)
            ],
        )
        for index in indices[(page - 1) * GALLERY : page * GALLERY]
    ]
    st.caption(
        f"{len(indices):,} of {len(scene.dataset.test):,} test images, the most striking first; a click opens one above."
    )
    show_gallery(items, "gallery", _open)


def _open(index: int) -> None:
    st.session_state.image, st.session_state.source = index, TEST
    st.session_state.gallery_left = True
    scrolling.scroll_to("workbench")


def _line_rows(lines: list[PlotLine], value: str) -> list[dict[str, object]]:
    return [{"network": line.name, "at": x, value: y} for line in lines for x, y in zip(line.x, line.y, strict=True)]
