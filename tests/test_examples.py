"""The notebooks of examples/ run cell by cell as they are, on fewer images."""

import ast
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SMALLER = {
    "article_in_ten_minutes": {"IMAGES, EPOCHS = 10_000, 3": "IMAGES, EPOCHS = 320, 1"},
    "your_own_resnet": {"[::40]": "[::150]"},
    "which_pooling_for_my_folder": {
        'POOLS, SEEDS = "all", 10': 'POOLS, SEEDS = ["gap", "gmp"], 1',
        'ROOT / "data" / "clothes"': "Path('folder')",
        'cache=ROOT / "data"': "cache=Path('cache')",
    },
}
"""What each notebook's cells say, and what they say in the test."""


def run(source, names):
    """Run a cell; what its last expression gives, as Jupyter shows it."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


def photographs(folder, each):
    """Some of the photographs that ship, of three classes."""
    for name in ("dress", "hat", "pants"):
        (folder / name).mkdir(parents=True)
        for path in sorted((ROOT / "data" / "clothes" / "train" / name).glob("*.webp"))[:each]:
            shutil.copy(path, folder / name)


@pytest.mark.parametrize("name", SMALLER)
def test_a_notebook_runs_from_its_first_cell_to_its_last(name, tmp_path, monkeypatch, capsys):
    photographs(tmp_path / "folder", 5)
    for shared in ("checkpoints", "data"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "examples" / f"{name}.ipynb").read_text())["cells"]
    text = "\n\0".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for own, smaller in SMALLER[name].items():
        assert own in text
        text = text.replace(own, smaller)
    names: dict = {}
    shown = [run(source, names) for source in text.split("\n\0")]
    drawn = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert drawn
    assert all("<" in each for each in drawn)
    assert "Largest error" in capsys.readouterr().out or name == "which_pooling_for_my_folder"
