"""The page Lab over an empty and a filled store."""

from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from gpcore.cli.main import main
from gpcore.data.datasets import scaled
from gpcore.figures import lab_charts as figures
from gpcore.insight.robustness import DISTURBANCES, accuracy, example
from gpcore.recipe import MODERN
from gpcore.runs.run import open_run
from gpcore.verdicts.crossover import series
from gpcore.verdicts.standings import Result, verdict_tables

PAGE = str(Path(__file__).parent.parent / "pages" / "lab.py")


def opened(**link: str) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=120)
    page.query_params.update(link)
    return page.run()


@pytest.mark.parametrize("name", ["rotation", "occlusion"])
def test_the_curves_are_the_accuracies_of_all_test_images(app_environment, filled_store, fashion, name):
    page = opened(disturbance=name)
    assert not page.exception
    assert not page.error
    run = open_run(str(filled_store / "article-gap-seed0"))
    assert f"All {len(fashion.test):,} test images" in " ".join(caption.value for caption in page.caption)
    severity = DISTURBANCES[name].severities[0]
    last = run.epochs[-1].validation_accuracy
    assert accuracy(run.network(), fashion.test, run.recipe.output, name, severity) == pytest.approx(last, abs=1e-4)


def test_an_image_is_shown_at_every_strength_from_none(fashion):
    image = scaled(fashion.test.images[2:3])
    for name, disturbance in DISTURBANCES.items():
        strip = example(image, name)
        assert len(strip) == len(disturbance.severities)
        assert torch.equal(strip[:1], image)
        assert not torch.equal(strip[-1:], image)
    sheet = figures.image_strip(strip, [f"{each:g}" for each in disturbance.severities])
    assert [matrix.name for matrix in sheet.matrices] == [f"{each:g}" for each in disturbance.severities]


def test_an_item_is_moved_over_the_canvas(app_environment):
    page = opened(lab="One item, every place", side="40")
    assert not page.exception
    assert not page.error
    page.slider(key="pieces").set_value(5).run()
    assert not page.exception


def test_linear_heads_take_no_canvas_and_say_so(app_environment, data_folder):
    options = ["--epochs", "1", "--train-images", "100", "--store", str(app_environment), "--data", str(data_folder)]
    assert main(["train", "--recipe", "modern", "--pool", "mlp", *options]) == 0
    page = opened(lab="One item, every place", run=f"{app_environment.name}/modern-mlp-seed0")
    assert not page.exception
    assert "modern-mlp-seed0 ends in linear layers, which take images of 28×28 pixels" in page.error[0].value


def test_without_runs_on_canvases_it_says_how_to_train_them(app_environment):
    page = opened(lab="Small items in clutter")
    assert not page.exception
    assert "study --pools gap,gmp" in page.info[0].value


def test_runs_on_canvases_are_drawn(app_environment, data_folder):
    for area in ("10", "50"):
        options = ["--dataset", f"canvas:{area}", "--epochs", "1", "--train-images", "100", "--store", str(app_environment)]
        assert main(["train", "--recipe", "modern", "--pool", "gmp", *options, "--data", str(data_folder)]) == 0
    page = opened(lab="Small items in clutter")
    assert not page.exception
    assert not page.error
    assert "modern, 1 epoch" in " ".join(markdown.value for markdown in page.markdown)


def on_canvases(*canvases: str) -> list[Result]:
    """Three seeds each of GAP and GMP, GMP ahead by 10 points at 5 % and behind by as many at 50 %."""
    gains = {"canvas:5:8": 0.1, "canvas:50:8": -0.1}
    return [
        Result(
            MODERN.but(pool=pool, seed=seed, dataset=canvas),
            0.5 + (pool == "gmp") * (gains.get(canvas, 0) + seed / 100) + seed / 50,
        )
        for pool in ("gmp", "gap")
        for canvas in canvases
        for seed in range(3)
    ]


def test_the_crossover_has_a_line_per_pooling_with_intervals_over_seeds():
    [found] = series(verdict_tables(on_canvases("canvas:50:8", "canvas:5:8")))
    figure = figures.crossover(found)
    lines = {trace.name: trace for trace in figure.data if "lines" in trace.mode}
    assert list(lines) == ["GAP", "GMP"]
    assert list(figure.layout.xaxis.ticktext) == ["5", "50"]
    assert list(lines["GAP"].x) == pytest.approx([-0.03, 0.97])
    assert list(lines["GMP"].y) == pytest.approx([0.63, 0.43])
    assert lines["GAP"].error_y.array[0] == pytest.approx(0.02 * 4.3027 / 3**0.5, rel=1e-3)
    seeds = next(trace for trace in figure.data if trace.mode == "markers")
    assert list(seeds.y) == pytest.approx([0.5, 0.52, 0.54, 0.5, 0.52, 0.54])
    assert found.title == "modern, 20 epochs, 8 pieces of clutter"
    assert found.sentence == "GMP less GAP, in points: +11.0 ± 2.5 at 5, -9.0 ± 2.5 at 50 % of the image."
    assert [row["less the reference"] for row in found.rows()] == ["+11.0 ± 2.5", "", "", "-9.0 ± 2.5"]


def test_no_interval_of_the_crossover_leaves_what_an_accuracy_can_be():
    wide = [Result(MODERN.but(seed=seed, dataset="canvas:5:8"), accuracy) for seed, accuracy in enumerate([0.1, 0.5, 0.9])]
    [found] = series(verdict_tables(wide))
    bars = next(trace for trace in figures.crossover(found).data if trace.mode == "lines+markers").error_y
    assert found.lines["gap"][5].mean.margin > 0.9
    assert (bars.array[0], bars.arrayminus[0]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_size_and_clutter_are_never_on_one_line():
    canvases = ["canvas:5:8", "canvas:50:8", "canvas:50:0", "canvas:50:24", "canvas"]
    by_clutter, by_size = series(verdict_tables(on_canvases(*canvases)))
    assert (by_clutter.along, by_clutter.fixed, list(by_clutter.tables)) == ("pieces", 50, [0, 8, 24])
    assert (by_size.along, by_size.fixed, list(by_size.tables)) == ("area", 8, [5, 50])
    assert by_clutter.title == "modern, 20 epochs, 50 % of the image"
    [alone] = series(verdict_tables(on_canvases("canvas:50:0")))
    assert (alone.along, list(alone.tables)) == ("area", [50])
    assert series(verdict_tables(on_canvases("canvas"))) == []
