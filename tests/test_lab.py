"""The page Lab over an empty and a filled store."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gpcore.__main__ import main
from gpcore.figures import lab as figures
from gpcore.insight.robustness import DISTURBANCES, accuracy
from gpcore.insight.standings import tables
from gpcore.recipe import MODERN
from gpcore.runs.run import open_run

PAGE = str(Path(__file__).parent.parent / "views" / "lab.py")


def opened(**link: str) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=120)
    page.query_params.update(link)
    return page.run()


def test_without_runs_it_says_what_to_do(empty_environment):
    page = opened()
    assert not page.exception
    assert "no trained runs yet" in page.info[0].value


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


def test_the_crossover_has_a_line_per_pooling_with_intervals_over_seeds():
    results = [
        (MODERN.but(pool=pool, seed=seed, dataset=f"canvas:{area}"), base + area / 1000 + seed / 100)
        for pool, base in (("gap", 0.5), ("gmp", 0.6))
        for area in (5, 50)
        for seed in range(3)
    ]
    (points,) = figures.crossover_points(tables(results)).values()
    figure = figures.crossover(points, "area")
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["GAP"].x) == [5, 50]
    assert list(lines["GMP"].y) == pytest.approx([0.615, 0.66])
    assert lines["GAP"].error_y.array[0] == pytest.approx(0.01 * 4.3027 / 3**0.5, rel=1e-3)
