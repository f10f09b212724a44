"""The report as one HTML file: figures as data, with what draws them, and no address that a browser would ask for."""

import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from gpcore.atomic_files import replacing
from gpcore.drawing import charts
from gpcore.drawing.rows import Rows
from gpcore.errors import GpcoreError
from gpcore.report.chapters import chapters
from gpcore.report.parts import TITLE, Drawing, Part, Source
from gpcore.verdicts.standings import RULE


def write_report(path: Path, source: Source) -> None:
    """Write the report; the conclusions alone, as Markdown, where the file's name ends in .md.

    Raises:
        GpcoreError: there is nothing to tell, or the file can't be written.
    """
    if not source.found:
        raise GpcoreError(
            f"There is no trained run in {source.store}, so nothing to report: train one, or give another --store."
        )
    try:
        with replacing(path) as temporary:
            text = _filled("results.md", source) if path.suffix == ".md" else page(source)
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GpcoreError(f"Could not write {path}: {error.strerror or error}.") from error


def page(source: Source) -> str:
    """The report as text."""
    return _filled("report.html", source)


def _filled(template: str, source: Source) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=template.endswith("html"), trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(title=TITLE, charts=charts, plotly=get_plotlyjs, made=made, drawings=_drawings, rule=RULE)
    date = f"{datetime.date.today():%d %B %Y}"
    return environment.get_template(template).render(source=source, chapters=chapters(source), date=date)


def made(make: Callable[[], Part]) -> Part:
    """The part; or, where weights, a dataset or a run are gone, a part with that sentence: the rest is still worth reading."""
    try:
        return make()
    except GpcoreError as error:
        return Part([str(error)])


def _drawings(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """How each drawing is drawn, and what from."""
    if isinstance(drawing, Rows):
        yield "svg", drawing.svg()
    elif isinstance(drawing, go.Figure):
        yield "plotly", _quoted(drawing.update_layout(template="none").to_json())
    else:
        yield from (("charts", _quoted(json.dumps(chart.to_json()))) for chart in drawing)


def _quoted(written: str) -> str:
    """JSON inside the page, where nothing in it may end the script."""
    return written.replace("<", "\\u003c")
