"""The wheel, built and installed into an empty environment; and what its metadata says."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import gpcore

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def listed(file: str) -> set[str]:
    lines = (ROOT / file).read_text().splitlines()
    return {str(Requirement(line)) for line in lines if line and not line.startswith(("#", "-"))}


def test_the_requirements_are_those_of_the_package() -> None:
    assert listed("requirements.txt") == {
        str(Requirement(line))
        for line in [*PROJECT["dependencies"], *EXTRAS["dashboard"], *EXTRAS["onnx"], *EXTRAS["photographs"]]
    }
    assert listed("requirements-ray.txt") == {str(Requirement(line)) for line in EXTRAS["ray"]}


def test_public_names_are_there_and_documented() -> None:
    for name in gpcore.__all__:
        assert getattr(gpcore, name).__doc__, name
    with pytest.raises(AttributeError, match="poool"):
        gpcore.poool  # noqa: B018


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel; the packages that it requires come from this one."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "gpcore", folder / "gpcore", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", ".", "--no-deps", "--no-build-isolation", "-w", "dist", cwd=folder)
    run(sys.executable, "-m", "venv", "--without-pip", "env", cwd=folder)
    [wheel] = (folder / "dist").glob("poolscope-*.whl")
    run(*pip, "--python", "env/bin/python", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    [packages] = (folder / "env" / "lib").glob("python*/site-packages")
    (packages / "required.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "env" / "bin"


def test_ten_steps_in_another_folder(installed: Path, tmp_path: Path, data_folder: Path) -> None:
    options = ["--epochs", "1", "--train-images", "640", "--device", "cpu", "--data", data_folder, "--json"]
    run(installed / "gpcore", "train", *options, cwd=tmp_path)
    code = """
import gpcore
run = gpcore.open_run("article-gap-seed0")
assert len(list(run.store.batch_losses(run.id))) == 10
assert "site-packages" in gpcore.__file__
"""
    run(installed / "python", "-c", code, cwd=tmp_path)


def test_the_wheel_holds_every_file_that_the_engine_reads(installed: Path) -> None:
    [home] = (installed.parent / "lib").glob("python*/site-packages/gpcore")
    here = {path.relative_to(ROOT / "gpcore") for path in (ROOT / "gpcore").rglob("*") if path.is_file()}
    there = {path.relative_to(home) for path in home.rglob("*")}
    assert {path for path in here if path.suffix not in (".pyc", ".md")} <= there
