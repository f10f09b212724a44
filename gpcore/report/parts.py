"""What *Compare* and its report show: chapters of parts, each made when it is looked at, and rendered elsewhere."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import plotly.graph_objects as go

from gpcore.drawing.charts import Chart
from gpcore.drawing.rows import Rows
from gpcore.runs.command_lines import study_commands
from gpcore.runs.run import Run
from gpcore.verdicts.standings import VerdictTable

TITLE = "Which pooling wins, and by how much?"

Drawing: TypeAlias = go.Figure | Rows | Sequence[Chart]

Table = Sequence[Mapping[str, Any]]
"""Rows under the names of their columns."""


@dataclass(frozen=True)
class Figure:
    """A drawing, a name for it on the page and as a file, and a title where several are beside each other."""

    name: str
    drawing: Drawing
    title: str = ""


@dataclass(frozen=True)
class Part:
    """Sentences, figures, a table and a caption, in this order; `numbers` are what the figures draw, as rows for a file."""

    sentences: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: Table = ()
    caption: str = ""
    numbers: Callable[[], Table] | None = None


@dataclass(frozen=True)
class Chapter:
    """Parts by their titles, each made when it is called, and the commands that reproduce them."""

    title: str
    parts: Mapping[str, Callable[[], Part]]
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Source:
    """All runs, those that are compared with each other, and where datasets and results are.

    `beside` are further stores whose runs are among those found.
    """

    found: Sequence[Run]
    chosen: Sequence[Run]
    data: Path
    store: Path
    beside: Sequence[Path] = field(default=())

    @property
    def command(self) -> str:
        """The command that writes this report again."""
        options = [("--store", self.store), *(("--also-from", other) for other in self.beside), ("--data", self.data)]
        options += [("--run", run.store.run_folder(run.id)) for run in self.chosen]
        given = [str(part) for option in options for part in option]
        return shlex.join(["python", "-m", "gpcore", "report", "--out", "report.html", *given])

    def studies(self, table: VerdictTable) -> list[str]:
        """The commands that train the runs of a table again, or find them trained."""
        return study_commands(table.experiment, table.trained, str(self.store))
