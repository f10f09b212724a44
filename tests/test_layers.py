"""What imports what: nothing points upward, the engine does without the dashboard, and nothing is ever unpickled."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = [
    ["gpcore.errors", "gpcore.atomic_files"],
    ["gpcore.recipe", "gpcore.instance", "gpcore.data"],
    ["gpcore.nets"],
    ["gpcore.training"],
    ["gpcore.runs"],
    ["gpcore.insight", "gpcore.verdicts"],
    ["gpcore.drawing"],
    ["gpcore.figures"],
    ["gpcore.inspection"],
    ["gpcore.report", "gpcore.cli", "gpcore", "gpcore.__main__"],
    ["ui"],
    ["pages"],
    ["dashboard"],
    ["app"],
]
"""From the ground up: a module may import from its own floor and from those below."""

SOURCES = sorted(
    [
        ROOT / "app.py",
        *(path for folder in ("gpcore", "ui", "pages", "dashboard") for path in (ROOT / folder).rglob("*.py")),
    ]
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it; `from a import b` is `a.b` where that is a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else str(node.module)


NAMES = {module_name(path) for path in SOURCES}


def floor(module: str) -> int:
    """The floor of the longest name in FLOORS that the module's name starts with."""
    found = [
        (len(name), number) for number, names in enumerate(FLOORS) for name in names if f"{module}.".startswith(f"{name}.")
    ]
    return max(found)[1]


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_points_upward(path):
    own = floor(module_name(path))
    for name in imported(path):
        if (
            name.split(".")[0] in ("gpcore", "ui", "pages", "dashboard", "app") and name != "gpcore"
        ):  # whose __init__ imports nothing
            assert floor(name) <= own, f"{module_name(path)} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "gpcore" / "drawing").glob("*.py")), ids=module_name)
def test_the_drawing_kit_knows_no_subject(path):
    allowed = ("gpcore.drawing", "gpcore.recipe", "gpcore.errors", "gpcore.atomic_files")
    assert all(name.startswith(allowed) for name in imported(path) if name.startswith("gpcore"))


def names_used(path: Path) -> set[str]:
    """Every `a.b` in a file."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_is_ever_unpickled(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    assert "torch.load" not in names_used(path) or path.name == "trunks.py"  # by its checksum, and tensors alone (weights_only)
    assert not names_used(path) & {"torch.save", "pandas.read_pickle", "pd.read_pickle", "torch.hub"}
    assert "allow_pickle" not in path.read_text()


@pytest.mark.parametrize("path", [path for path in SOURCES if "gpcore" in path.parts], ids=module_name)
def test_only_the_store_knows_sqlite(path):
    assert "sqlite3" not in imported(path) or path.parent.name == "runs"


def modules_after(code: str) -> set[str]:
    """What Python holds after running some code in a process of its own."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.split())


def test_the_engine_never_imports_streamlit():
    names = sorted(name for name in NAMES if name.split(".")[0] == "gpcore" and not name.endswith("__main__"))
    held = modules_after("\n".join(f"import {name}" for name in [*names, "gpcore.__main__"]))
    assert set(names) <= held
    assert not {name for name in held if name.split(".")[0] in ("streamlit", "ui", "pages", "dashboard")}


def test_a_recipe_can_be_checked_without_pytorch():
    assert "torch" not in modules_after("import gpcore, gpcore.recipe, gpcore.errors")


def test_asking_for_help_does_not_wait_for_pytorch():
    assert "torch" not in modules_after("import gpcore.__main__")


def test_listing_runs_does_not_wait_for_pytorch():
    code = "from gpcore.cli.main import main; main(['runs', '--store', 'checkpoints'])"
    assert "torch" not in modules_after(code)


def test_compare_draws_its_charts_without_pytorch():
    code = """
from pathlib import Path
from gpcore.figures import learning_curves, seed_rows
from gpcore.verdicts.experiments import bands, curves_of, experiments
from gpcore.runs.run import Run
from gpcore.runs.store import Store
import ui.compare.single_runs, ui.compare.seed_sections, ui.compare.study_form, ui.started_workers
store = Store("checkpoints", read_only=True)
found = experiments([Run(store, record) for record in store.runs()])
assert seed_rows.over_seeds(found[0].accuracies) and learning_curves.learning_curves(bands(curves_of(found[0])))
assert found[0].every_run[0].parameters and found[0].every_run[0].classes
"""
    assert "torch" not in modules_after(code)


@pytest.mark.parametrize("page", ["train", "inside", "classify", "learn"])
def test_most_pages_do_without_scipys_statistics(page):
    names = {name for name in imported(ROOT / "pages" / f"{page}.py") if name.split(".")[0] in ("gpcore", "ui")}
    assert "scipy.stats" not in modules_after("\n".join(f"import {name}" for name in sorted(names)))


def test_no_page_waits_for_torchvision():
    names = sorted(name for name in NAMES if name.split(".")[0] in ("gpcore", "ui") and not name.endswith("__main__"))
    held = modules_after("\n".join(f"import {name}" for name in names))
    assert set(names) <= held
    assert not {"torchvision", "torch._dynamo"} & held
