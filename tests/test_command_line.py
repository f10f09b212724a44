"""The command line's contract: JSON alone on standard output, one line for a mistake, never a traceback."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import typer

from gpcore import open_run
from gpcore.cli.main import app, main
from gpcore.data.datasets import FASHION_CLASSES
from gpcore.recipe import ARTICLE, MODERN, Recipe
from gpcore.runs.store import Store

ROOT = Path(__file__).parents[1]

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

SHORT = ["--epochs", "1", "--train-images", "128", "--device", "cpu"]


@pytest.fixture
def call(capsys, filled_store, data_folder, monkeypatch):
    """Run a command in this process and give back what it printed as JSON."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str, store: Path = filled_store):
        extra = ["--store", str(store), "--json"]
        if arguments[0] in ("train", "evaluate", "classify"):
            extra += ["--data", str(data_folder)]
        capsys.readouterr()
        assert main([*arguments, *extra]) == 0
        return json.loads(capsys.readouterr().out)

    return run


# -- what the commands print -------------------------------------------------------------------------------------------


def test_train_prints_what_it_measured(call, tmp_path):
    store = tmp_path / "runs"
    result = call("train", "--pool", "gmp", "--recipe", "modern", *SHORT, "--seed", "3", store=store)
    assert result.keys() == {
        "run", "epochs", "seconds", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy",
    }  # fmt: skip
    record = Store(store).run(result["run"])
    assert record.recipe == MODERN.but(pool="gmp", epochs=1, seed=3, train_images=128)
    assert record.status == "finished"
    assert result["epochs"] == 1
    assert result["validation_accuracy"] == record.last.validation_accuracy
    assert result["training_loss"] == record.last.training_loss
    assert result["seconds"] > 0


def test_any_field_of_a_recipe_can_be_set(call, tmp_path):
    fields = ["--set", "learning_rate=0.001", "--set", "shuffle=true", "--set", "augmentation=flip", "--set", "name=mine"]
    result = call("queue", *fields, store=tmp_path)
    expected = ARTICLE.but(learning_rate=0.001, shuffle=True, augmentation="flip", name="mine")
    assert Store(tmp_path).run(result["run"]).recipe == expected


def test_runs_lists_every_run_with_its_recipe_and_epochs(call):
    listed = call("runs")
    assert [run["run"] for run in listed] == ["article-gap-seed0", "article-gmp-seed0"]
    for run, pool in zip(listed, ("gap", "gmp"), strict=True):
        assert run["status"] == "finished"
        assert Recipe.from_json(run["recipe"]) == ARTICLE.but(pool=pool, epochs=2, train_images=512)
        assert run["recipe"]["output"] == "sigmoid"
        assert [epoch["epoch"] for epoch in run["epochs"]] == [1, 2]
        wanted = {"training_loss", "training_accuracy", "validation_loss", "validation_accuracy", "seconds"}
        assert all(wanted <= epoch.keys() for epoch in run["epochs"])


def test_an_empty_store_has_no_runs(call, empty_store):
    assert call("runs", store=empty_store) == []


def test_queue_and_worker(call, tmp_path, data_folder):
    first = call("queue", "--pool", "gap", *SHORT[:4], store=tmp_path)["run"]
    second = call("queue", "--pool", "gap", *SHORT[:4], store=tmp_path)["run"]
    assert first != second
    assert [run["status"] for run in call("runs", store=tmp_path)] == ["queued", "queued"]
    done = gpcore("worker", "--once", "--parallel", "2", "--store", str(tmp_path), "--data", str(data_folder))
    assert (done.returncode, done.stdout) == (0, "")
    assert [run["status"] for run in call("runs", store=tmp_path)] == ["finished", "finished"]
    one, other = (open_run(run, tmp_path).network().state_dict() for run in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_evaluate_measures_again_what_training_measured(call, filled_store):
    run = open_run("article-gmp-seed0", filled_store)
    for options, figures in (([], run.epochs[1]), (["--epoch", "1"], run.epochs[0])):
        result = call("evaluate", run.id, *options)
        assert result["run"] == run.id
        assert (result["dataset"], result["images"]) == ("fashion-mnist", 10_000)
        assert result["accuracy"] == figures.validation_accuracy
        assert result["loss"] == pytest.approx(figures.validation_loss, abs=1e-6)
        assert list(result["per_class"]) == list(FASHION_CLASSES)
        assert sum(result["per_class"].values()) / 10 == pytest.approx(result["accuracy"])


def test_a_run_is_named_by_its_folder_too(call, filled_store, tmp_path):
    result = call("evaluate", str(filled_store / "article-gap-seed0"), store=tmp_path / "elsewhere")
    assert result["run"] == "article-gap-seed0"


def test_export_writes_what_other_programs_read(filled_store, tmp_path, small_dataset, capfd):
    onnx, figures = tmp_path / "net.onnx", tmp_path / "figures.csv"
    arguments = ["export", "article-gap-seed0", "--store", str(filled_store), "--onnx", str(onnx), "--csv", str(figures)]
    assert main(arguments) == 0
    run = open_run("article-gap-seed0", filled_store)
    images = small_dataset.test.images[:7].float() / 255
    session = onnxruntime.InferenceSession(onnx)
    scores = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    np.testing.assert_allclose(scores, run.network()(images).numpy(), atol=1e-5)
    with open(figures, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    for row, epoch in zip(rows, run.epochs, strict=True):
        assert float(row["validation_accuracy"]) == epoch.validation_accuracy


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_command_and_option(command, capsys):
    assert COMMANDS[command].help
    assert all(parameter.help for parameter in COMMANDS[command].params if not getattr(parameter, "hidden", False))
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert COMMANDS[command].help.split()[0] in printed


# -- mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = {
    "unknown command": (["trian"], "No such command 'trian'"),
    "unknown option": (["train", "--pol", "gap"], "No such option: --pol"),
    "missing argument": (["evaluate"], "Missing argument 'RUN'"),
    "missing value": (["train", "--pool"], "requires an argument"),
    "too many arguments": (["runs", "one", "two"], "unexpected extra argument"),
    "a word for a number": (["train", "--epochs", "many"], "Invalid value for '--epochs'"),
    "unknown pool": (["train", "--pool", "max"], "pool is 'max': choose one of gap, gmp, lse, avgmax,"),
    "unknown recipe": (["train", "--recipe", "ancient"], "There is no recipe 'ancient': choose one of article, modern"),
    "unknown dataset": (["train", "--dataset", "imagenet"], "dataset is 'imagenet': choose one of fashion-mnist,"),
    "missing folder": (["train", "--dataset", "folder:/no/where"], "There is no folder /no/where: give the path"),
    "no epochs": (["train", "--epochs", "0"], "epochs is 0: it must lie between 1 and 10,000."),
    "negative seed": (["queue", "--seed", "-1"], "seed is -1: it must lie between 0 and"),
    "too many images": (["train", "--train-images", "60001"], "train_images is 60,001: fashion-mnist has 60,000 training"),
    "unknown device": (["train", "--device", "tpu"], "device is 'tpu': this machine has"),
    "unknown field": (["queue", "--set", "momentum=0.9"], "a recipe has no field 'momentum'"),
    "no field": (["queue", "--set", "momentum"], "--set momentum: write it as FIELD=VALUE"),
    "field of a wrong type": (["queue", "--set", "shuffle=yes"], "shuffle is 'yes': it must be of type bool"),
    "field given twice": (["queue", "--seed", "1", "--set", "seed=2"], "seed is given twice"),
    "unknown run": (["evaluate", "nobody"], "There is no run 'nobody' in"),
    "no run's folder": (["evaluate", "/no/where/at-all"], "There is no run at /no/where/at-all"),
    "resuming what is not there": (["train", "--resume", "nobody"], "There is no run 'nobody' in"),
    "resuming what is finished": (["train", "--resume", "article-gap-seed0"], "article-gap-seed0 has finished its 2 epochs"),
    "resuming with another recipe": (["train", "--resume", "article-gap-seed0", "--pool", "gmp"], "--resume continues with"),
    "no such epoch": (["evaluate", "article-gap-seed0", "--epoch", "3"], "has no weights of epoch 3: it has 1 to 2."),
    "another kind of images": (["evaluate", "article-gap-seed0", "--dataset", "FOLDER"], "answers 10 classes"),
    "nothing to export": (["export", "article-gap-seed0"], "Say what to write: --onnx FILE, --csv FILE, or both."),
    "export to nowhere": (["export", "article-gap-seed0", "--csv", "a file/x"], "Could not write a file"),
    "onnx to nowhere": (["export", "article-gap-seed0", "--onnx", "a file/x"], "Could not write a file"),
    "no run to ask": (["classify", "photo.jpg"], "Missing option '--run'"),
    "no workers": (["worker", "--parallel", "0"], "Invalid value for '--parallel'"),
}


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """Two classes of tiny grey images."""
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "tiny" / name).mkdir(parents=True)
        for index in range(5):
            Image.new("L", (28, 28), index).save(tmp_path / "tiny" / name / f"{index}.png")
    return tmp_path / "tiny"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(mistake, own_copy, data_folder, tiny_folder, capsys, monkeypatch):
    arguments, expected = MISTAKES[mistake]
    arguments = [f"folder:{tiny_folder}" if argument == "FOLDER" else argument for argument in arguments]
    monkeypatch.chdir(own_copy.parent)
    shutil.move(own_copy, "runs")  # the store's default name
    (own_copy.parent / "data").symlink_to(data_folder)
    (own_copy.parent / "a file").touch()
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", printed.err), printed.err
    assert expected in printed.err


@pytest.mark.parametrize("command", ["runs", "evaluate nobody", "export nobody --csv x.csv"])
def test_a_store_that_is_not_there_is_not_made_by_looking(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert capsys.readouterr().err == "Error: There is no store at runs: it has no runs.db.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_one_line(own_copy, capsys):
    (own_copy / "runs.db").write_bytes(b"no database" * 500)
    assert main(["runs", "--store", str(own_copy)]) == 2
    assert re.fullmatch(r"Error: \S+/runs\.db is damaged or not a store .*\n", capsys.readouterr().err)


def test_a_run_that_fails_is_kept_with_its_reason(tmp_path, data_folder, capsys):
    arguments = ["train", *SHORT[:2], "--train-images", "60001", "--store", str(tmp_path), "--data", str(data_folder)]
    assert main(arguments) == 2
    [record] = Store(tmp_path).runs()
    assert record.status == "failed"
    assert capsys.readouterr().err.strip() == f"Error: {record.error}"


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "Usage: python -m gpcore" in printed.out + printed.err
    assert all(command in printed.out + printed.err for command in COMMANDS)


# -- real processes ----------------------------------------------------------------------------------------------------


def gpcore(*arguments: str, **changes: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "gpcore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, env=os.environ | changes)


def test_a_real_process_prints_json_alone_on_standard_output(tmp_path):
    done = gpcore("train", "--pool", "lse", *SHORT, "--store", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    result = json.loads(done.stdout)
    assert 0 <= result["validation_accuracy"] <= 1
    assert math.isfinite(result["training_loss"])
    assert "epoch 1" in done.stderr


def test_a_real_process_exits_2_with_one_line(tmp_path):
    done = gpcore("evaluate", "nobody", "--store", str(tmp_path), "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"Error: There is no store at [^\n]+\n", done.stderr)
