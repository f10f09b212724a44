"""The report as one HTML file: figures as data, with what draws them, and no address that a browser would ask for."""

import datetime
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from gpcore.atomic_files import replacing
from gpcore.drawing import charts
from gpcore.drawing.charts import Chart
from gpcore.drawing.rows import Rows
from gpcore.errors import GpcoreError
from gpcore.report.chapters import Chapter, Part, Source, chapters

TITLE = "Which pooling wins, and by how much?"

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""What a browser may load: nothing but what is in the file."""

STYLE = """
:root { color-scheme: light dark; --text: #31333f; --page: #ffffff; --line: #80879255; --code: #80879222; }
@media (prefers-color-scheme: dark) { :root { --text: #fafafa; --page: #0e1117; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 1000px;
  margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: .3rem .6rem; border: 1px solid var(--line); text-align: left; }
.wide { overflow-x: auto; font-size: .85rem; } .wide td, .wide th { white-space: nowrap; }
pre { background: var(--code); padding: .5rem; white-space: pre-wrap; font-size: .8rem; }
summary { cursor: pointer; } details.chapter > summary { font-size: 1.4rem; font-weight: 600; margin: 1rem 0; }
"""

SCRIPT = """
const colour = () => getComputedStyle(document.documentElement).getPropertyValue('--text').trim();
function draw(place) {
  place.dataset.drawn = 'yes';
  if (place.classList.contains('charts')) showChart(place, JSON.parse(place.querySelector('script').textContent));
  else drawWithPlotly(place);
}
function drawWithPlotly(place) {
  const {data, layout} = JSON.parse(place.querySelector('script').textContent);
  layout.font = {color: colour()};
  const target = place.querySelector('.target');
  Plotly.newPlot(target, data, layout, {displaylogo: false, responsive: true});
}
function drawOpen() {
  for (const place of document.querySelectorAll('.data:not([data-drawn])'))
    if (place.offsetParent !== null) draw(place);
}
for (const part of document.querySelectorAll('details.chapter')) part.addEventListener('toggle', drawOpen);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const target of document.querySelectorAll('[data-drawn] .target')) Plotly.relayout(target, {'font.color': colour()});
  document.querySelectorAll('.chart').forEach(redraw);
});
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details')) part.open = true;
  drawOpen();
});
drawOpen();
"""


def write_report(path: Path, source: Source) -> None:
    """Write the report.

    Raises:
        GpcoreError: there is nothing to tell, or the file can't be written.
    """
    if not source.found:
        raise GpcoreError(
            f"There is no trained run in {source.store}, so nothing to report: train one, or give another --store."
        )
    try:
        with replacing(path) as temporary:
            temporary.write_text(page(source), encoding="utf-8")
    except OSError as error:
        raise GpcoreError(f"Could not write {path}: {error.strerror or error}.") from error


def page(source: Source) -> str:
    """The report as text."""
    told = chapters(source)
    body = "".join(_chapter(chapter, number < 2) for number, chapter in enumerate(told))
    made = f"Made on {datetime.date.today():%d %B %Y} from {len(source.found):,} runs by"
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    head += '<meta name="viewport" content="width=device-width">'
    return (
        f"<!doctype html><html lang='en'><head>{head}<title>{TITLE}</title><style>{STYLE}{charts.stylesheet()}</style>"
        f"<script>{get_plotlyjs()}</script><script>{charts.script()}</script></head><body><h1>{TITLE}</h1><p>{made}</p>{_commands([source.command])}"
        f"{body}<script>{SCRIPT}</script></body></html>"
    )


def _chapter(chapter: Chapter, is_open: bool) -> str:
    parts = "".join(map(_part, chapter.parts))
    return f"<details class='chapter'{' open' * is_open}><summary>{html.escape(chapter.title)}</summary>{parts}</details>"


def _part(part: Part) -> str:
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in part.lines)
    figure = _figure(part.figure) if part.figure else ""
    rows = _table(part.rows) if part.rows else ""
    reproduced = f"<details><summary>Reproduce it</summary>{_commands(part.commands)}</details>" if part.commands else ""
    return f"<section><h3>{html.escape(part.title)}</h3>{rows}{lines}{figure}{reproduced}</section>"


def _figure(figure: go.Figure | Chart | Rows) -> str:
    if isinstance(figure, Rows):
        return f"<div class='figure'>{figure.svg()}</div>"
    if isinstance(figure, Chart):
        return f"<div class='figure data charts'>{_data(json.dumps(figure.to_json()))}</div>"
    written = figure.update_layout(template="none").to_json()
    target = f"<div class='target' style='height:{figure.layout.height}px'></div>"
    return f"<div class='figure data'>{_data(written)}{target}</div>"


def _data(written: str) -> str:
    """JSON inside the page, where nothing in it may end the script."""
    return f"<script type='application/json'>{written.replace('<', chr(92) + 'u003c')}</script>"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in each.values()) + "</tr>" for each in rows
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _commands(commands: Sequence[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(commands))}</pre>"
