// Draws a chart (charts.py) with uPlot: `showChart` adds it to a place, or updates the existing one. Its legend names the curves,
// shows their values under the pointer, and hides one at a click; a button saves the chart as PNG.

const HEIGHT = 320;
const SAVED_SCALE = 3;
const DENSE = 30; // so many epochs need no dot for each
const FORMS = {
  loss: (value) => value.toFixed(4),
  percent: (value) => `${(100 * value).toFixed(2)} %`,
  plain: (value) => String(Number(value.toPrecision(3))),
};
const TICKS = {
  ...FORMS,
  loss: (value) => String(Number(value.toFixed(4))),
  percent: (value) => `${Number((100 * value).toFixed(1))} %`,
};
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1e3, 1e4, 1e5, 1e6].flatMap((power) => [1, 2, 5].map((step) => step * power)),
);
const CHART = `
  <div class="legend"></div><div class="read"></div><div class="plot"></div><div class="promise"></div>
  <button type="button" class="save" title="Save as PNG" aria-label="Save as PNG">↓</button>`;

function showChart(place, chart) {
  const there = [...place.children].find((figure) => figure.chart?.name === chart.name);
  const figure = there ?? makeFigure(place, chart);
  const lines = JSON.stringify(chart.lines);
  if (figure.drawn === lines) return;
  Object.assign(figure, { chart, drawn: lines });
  redraw(figure);
}

function makeFigure(place, chart) {
  const figure = Object.assign(document.createElement("div"), { className: `chart ${chart.name}`, innerHTML: CHART });
  Object.assign(figure, { chart, hiddenNames: new Set() });
  figure.querySelector(".save").onclick = () => save(figure);
  place.append(figure);
  new ResizeObserver(() => redraw(figure)).observe(figure);
  return figure;
}

/** Draws a figure's chart: updates the numbers of the existing plot if it shows the same runs. */
function redraw(figure) {
  const { chart, clientWidth: width } = figure;
  const empty = chart.lines.every((line) => !line.x.length);
  figure.querySelector(".promise").textContent = empty ? chart.promise : "";
  if (!width) return;
  const structure = JSON.stringify([chart.lines.map(({ name, colour, dash, low }) => [name, colour, dash, !low]), empty]);
  if (figure.structure !== structure) {
    figure.plot?.destroy();
    figure.zoomed = false;
    figure.plot = empty ? null : makePlot(figure, width, figure.querySelector(".plot"));
    nameLines(figure);
    figure.structure = structure;
  }
  if (!figure.plot) return;
  if (figure.plot.width !== width) figure.plot.setSize({ width, height: HEIGHT });
  const { min, max } = figure.plot.scales.x;
  figure.plot.setData(tableOf(chart), !figure.zoomed);
  if (figure.zoomed) figure.plot.setScale("x", { min, max });
  read(figure);
}

function tableOf({ lines }) {
  return uPlot.join(lines.map(({ x, y, low, high }) => (low ? [x, y, low, high] : [x, y])));
}

/** Creates a plot of a figure's chart, `scale` times as large as on the page. */
function makePlot(figure, width, target, scale = 1) {
  const chart = figure.chart;
  const ink = () => getComputedStyle(figure).color;
  const grid = { stroke: "rgba(128, 135, 146, 0.22)", width: scale };
  const font = `${12 * scale}px sans-serif`;
  const axis = { stroke: ink, grid, ticks: { ...grid, size: 10 * scale }, gap: 5 * scale, font, labelFont: font };
  const options = {
    width: width * scale,
    padding: [null, 14 * scale, null, null], // half the last number below
    height: HEIGHT * scale,
    ...seriesOf(figure, scale),
    scales: { x: { time: false } },
    axes: [
      {
        ...axis,
        label: chart.x,
        labelSize: 20 * scale,
        size: 50 * scale,
        space: 50 * scale,
        incrs: WHOLE_STEPS,
        values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")),
      },
      // As much room for every label: else the whole chart moves when the first longer one comes.
      {
        ...axis,
        label: chart.y,
        labelSize: 20 * scale,
        size: 54 * scale,
        space: 30 * scale,
        values: (_, ticks) => ticks.map(TICKS[chart.form]),
      },
    ],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false },
      points: { show: false },
      bind: {
        dblclick: (_, __, showAll) => (event) => {
          figure.zoomed = false;
          return showAll(event);
        },
      },
    },
    hooks: { setCursor: [() => read(figure)], setSelect: [(plot) => (figure.zoomed ||= plot.select.width > 0)] },
  };
  const plot = new uPlot(options, tableOf(chart), target);
  plot.ctx.canvas.setAttribute("role", "img");
  plot.ctx.canvas.setAttribute("aria-label", `${chart.y} by ${chart.x}`);
  return plot;
}

function seriesOf({ chart, hiddenNames }, scale) {
  const series = [{}];
  const bands = [];
  for (const line of chart.lines) {
    const shared = { label: line.name, show: !hiddenNames.has(line.name), spanGaps: true };
    series.push({ ...shared, ...(line.notes ? circles(line, scale) : stroke(line, chart.x, scale)) });
    if (!line.low) continue;
    bands.push({ series: [series.length + 1, series.length], fill: `${line.colour}2e` });
    const bound = { ...shared, stroke: "transparent", width: 0, points: { show: false } };
    series.push(bound, { ...bound });
  }
  return { series, bands };
}

function stroke(line, x, scale) {
  const dotted = x === "epoch" && line.x.length <= DENSE;
  return {
    stroke: line.colour,
    dash: line.dash.map((length) => length * scale),
    points: { show: dotted, size: (line.minor ? 3 : 5) * scale, fill: line.colour },
    width: (line.minor ? 1 : x === "epoch" ? 2.5 : 1.5) * scale,
    alpha: line.minor ? 0.6 : 1,
  };
}

function circles(line, scale) {
  const points = { show: true, size: 10 * scale, width: 2 * scale, stroke: line.colour, fill: "transparent" };
  return { stroke: line.colour, paths: () => null, points };
}

function namedLines(figure) {
  return figure.chart.lines.filter((line) => !line.minor);
}

function nameLines(figure) {
  const keys = figure.plot ? namedLines(figure).map((line) => keyOf(figure, line)) : [];
  figure.querySelector(".legend").replaceChildren(...keys);
}

function keyOf(figure, line) {
  const key = Object.assign(document.createElement("button"), { type: "button", title: "Hide or show" });
  const mark = Object.assign(document.createElement("i"), { style: `border-color: ${line.colour}` });
  if (line.notes) mark.className = "circle";
  else if (line.dash.length) mark.style.borderTopStyle = line.dash[0] > 3 ? "dashed" : "dotted";
  key.append(mark, `${line.name} `);
  if (!line.notes) key.append(document.createElement("b"));
  if (minorOf(figure, line)) key.append(" ", document.createElement("small"));
  key.setAttribute("aria-pressed", !figure.hiddenNames.has(line.name));
  key.onclick = () => {
    const { hiddenNames, plot } = figure;
    const show = hiddenNames.delete(line.name);
    if (!show) hiddenNames.add(line.name);
    key.setAttribute("aria-pressed", show);
    plot.batch(() => plot.series.forEach(({ label }, place) => label === line.name && plot.setSeries(place, { show })));
  };
  return key;
}

function minorOf({ chart }, { name }) {
  return chart.lines.find((line) => line.minor && line.name === name);
}

/** Writes each curve's value under the pointer above the chart. */
function read(figure) {
  const { chart, plot } = figure;
  if (!plot) return;
  const at = plot.cursor.left >= 0 ? plot.data[0][plot.posToIdx(plot.cursor.left)] : null;
  const form = FORMS[chart.form];
  const texts = at === null || at === undefined ? [] : [`${chart.x} ${at.toLocaleString("en")}`];
  namedLines(figure).forEach((line, number) => {
    const [strong, thin] = ["b", "small"].map((tag) => figure.querySelector(".legend").children[number]?.querySelector(tag));
    if (strong) strong.textContent = texts.length ? valueAt(line, at, form) : "";
    if (thin) thin.textContent = texts.length ? valueAt(minorOf(figure, line), at, form) : "";
    const words = line.notes?.[line.x.indexOf(at)];
    if (words && texts.length) texts.push(`${line.name} ${words}`);
  });
  figure.querySelector(".read").textContent = texts.join(" · ");
}

/** Returns the last value up to x: the point may be merged with its neighbours, and a slower run has none yet. */
function valueAt(line, x, form) {
  const place = line.x.findLastIndex((step) => step <= x);
  return place < 0 || x > 2 * line.x.at(-1) - (line.x.at(-2) ?? 0) ? "–" : form(line.y[place]);
}

/** Saves the chart as shown, with the names of its curves above, on the page's background. */
async function save(figure) {
  if (!figure.plot) return;
  const { min, max } = figure.plot.scales.x;
  const copy = makePlot(figure, figure.plot.width, document.createElement("div"), SAVED_SCALE);
  copy.setScale("x", { min, max });
  await new Promise(requestAnimationFrame); // uPlot draws pending changes once
  const drawn = copy.ctx.canvas;
  const unit = drawn.width / figure.plot.width; // device pixels of the picture for a pixel of the page
  const names = namedLines(figure).filter(({ name }) => !figure.hiddenNames.has(name));
  const top = 22 * unit * names.length;
  const picture = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height + top });
  const context = picture.getContext("2d");
  context.fillStyle = groundOf(figure);
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(drawn, 0, top);
  context.font = `${13 * unit}px sans-serif`;
  context.textBaseline = "middle";
  names.forEach(({ name, colour }, number) => {
    const middle = 22 * unit * (number + 0.5);
    context.fillStyle = colour;
    context.fillRect(8 * unit, middle - 1.5 * unit, 22 * unit, 3 * unit);
    context.fillStyle = getComputedStyle(figure).color;
    context.fillText(name, 38 * unit, middle);
  });
  copy.destroy();
  saveCanvas(picture, figure.chart.y.replaceAll(" ", "-"));
}
