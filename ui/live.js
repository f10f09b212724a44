// Draws runs while they are trained: asks ui/live_feed.py how they stand, and draws only what has changed since.

const WAIT = 550; // milliseconds between an answer and the next question: batches are told every 250
const IDLE_WAIT = 5000; // while nothing is trained; somebody else may queue a run
const PATIENCE = 2000; // the page is told again that it is out of date, should it not have heard
const HEIGHT = 320;
const FIRST_CHARTS = 2; // the others are folded away
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

/** Asks as long as the view is on the page; what fails is said, and asked again. */
async function follow(view) {
  const wake = () => view.wake?.();
  document.addEventListener("visibilitychange", wake);
  while (view.isConnected) {
    if (!document.hidden) await look(view).catch(() => say(view, "The server does not answer. Is it still running?"));
    await new Promise((goOn) => {
      view.wake = goOn;
      setTimeout(goOn, view.active ? WAIT : IDLE_WAIT);
    });
  }
  document.removeEventListener("visibilitychange", wake);
  view.followed = false;
}

async function look(view) {
  const { runs } = view.asked;
  const query = new URLSearchParams([...runs.map((run) => ["runs", run]), ["seen", view.version ?? ""]]);
  const reply = await fetch(new URL(`live?${query}`, location.href));
  if (!reply.ok) throw new Error(reply.statusText);
  if (runs !== view.asked.runs) return; // others have been chosen meanwhile
  if (reply.status === 204) say(view, "");
  else take(view, await reply.json());
  if (view.situation !== view.asked.situation) view.tellPage(view.situation);
}

function take(view, answer) {
  view.version = answer.version;
  view.situation = answer.situation;
  say(view, answer.trouble ?? "");
  if (!answer.trouble) show(view, answer);
}

function say(view, trouble) {
  const place = view.querySelector(".trouble");
  place.hidden = !trouble;
  place.textContent = trouble;
}

function show(view, answer) {
  view.active = answer.active;
  showProgress(view.querySelector(".runs"), answer);
  const [first, more] = view.querySelectorAll(".charts");
  answer.charts.forEach((chart, number) => showChart(view, number < FIRST_CHARTS ? first : more, chart));
}

function showProgress(place, { runs, more }) {
  while (place.children.length < runs.length + (more ? 1 : 0)) place.append(document.createElement("div"));
  while (place.children.length > runs.length + (more ? 1 : 0)) place.lastChild.remove();
  runs.forEach((run, number) => showRun(place.children[number], run));
  if (more) place.lastChild.textContent = `… and ${more.toLocaleString("en")} more in the queue`;
}

function showRun(row, run) {
  if (row.className !== "run" || !row.firstElementChild) {
    row.className = "run";
    row.innerHTML = '<strong></strong><span></span><div class="bar" role="progressbar"><div></div></div>';
  }
  const [title, doing, bar] = row.children;
  title.textContent = run.title;
  doing.textContent = ` · ${run.doing}`;
  bar.setAttribute("aria-valuenow", Math.round(100 * run.done));
  bar.setAttribute("aria-label", run.title);
  bar.firstChild.style.width = `${100 * run.done}%`;
}

function showChart(view, place, chart) {
  let figure = view.figures[chart.name];
  if (!figure) {
    figure = view.figures[chart.name] = Object.assign(document.createElement("div"), { className: `chart ${chart.name}` });
    figure.innerHTML = '<div class="legend"></div><div class="plot"></div><div class="promise"></div>';
    place.append(figure);
    new ResizeObserver(() => redraw(figure)).observe(figure);
  }
  const lines = JSON.stringify(chart.lines);
  if (figure.drawn === lines) return;
  Object.assign(figure, { told: chart, drawn: lines });
  redraw(figure);
}

/** Draws what a figure was told last: new numbers into the plot that is there, if it is a plot of the same runs. */
function redraw(figure) {
  const { told, clientWidth: width } = figure;
  const empty = told.lines.every((line) => !line.x.length);
  figure.querySelector(".promise").textContent = empty ? told.promise : "";
  if (!width) return;
  const made = JSON.stringify([told.lines.map(({ name, colour, dash, low }) => [name, colour, dash, !low]), empty]);
  if (figure.made !== made) {
    figure.plot?.destroy();
    figure.plot = empty ? null : makePlot(figure, told, width);
    figure.querySelector(".legend").innerHTML = "";
    figure.made = made;
  }
  if (!figure.plot) return;
  if (figure.plot.width !== width) figure.plot.setSize({ width, height: HEIGHT });
  const { min, max } = figure.plot.scales.x;
  figure.plot.setData(tableOf(told), !figure.zoomed);
  if (figure.zoomed) figure.plot.setScale("x", { min, max });
  read(figure);
}

function tableOf({ lines }) {
  return uPlot.join(lines.map(({ x, y, low, high }) => (low ? [x, y, low, high] : [x, y])));
}

function makePlot(figure, chart, width) {
  figure.zoomed = false;
  const ink = () => getComputedStyle(figure).color;
  const grid = { stroke: "rgba(128, 135, 146, 0.22)", width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "12px sans-serif", labelFont: "12px sans-serif", labelSize: 20 };
  const options = {
    width,
    height: HEIGHT,
    ...seriesOf(chart),
    scales: { x: { time: false } },
    axes: [
      {
        ...axis,
        label: chart.x,
        incrs: WHOLE_STEPS,
        values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")),
      },
      // As much room for every label: else the whole chart moves when the first longer one comes.
      { ...axis, label: chart.y, size: 54, values: (_, ticks) => ticks.map(TICKS[chart.form]) },
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
  const plot = new uPlot(options, tableOf(chart), figure.querySelector(".plot"));
  plot.ctx.canvas.setAttribute("role", "img");
  plot.ctx.canvas.setAttribute("aria-label", `${chart.y} by ${chart.x}`);
  return plot;
}

function seriesOf(chart) {
  const series = [{}];
  const bands = [];
  const bound = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
  for (const line of chart.lines) {
    const points = { show: chart.x === "epoch", size: line.minor ? 3 : 5, fill: line.colour };
    const drawn = { stroke: line.colour, dash: line.dash, points, spanGaps: true };
    series.push({ ...drawn, width: line.minor ? 1 : chart.x === "epoch" ? 2.5 : 1.5, alpha: line.minor ? 0.6 : 1 });
    if (!line.low) continue;
    bands.push({ series: [series.length + 1, series.length], fill: `${line.colour}2e` });
    series.push(bound, bound);
  }
  return { series, bands };
}

/** Writes above a chart which curve is whose, and what each is under the pointer. */
function read(figure) {
  const { told, plot } = figure;
  if (!plot) return;
  const at = plot.cursor.left >= 0 ? plot.posToIdx(plot.cursor.left) : null;
  const x = at === null ? "" : `${told.x} ${plot.data[0][at]?.toLocaleString("en")}`;
  const legend = figure.querySelector(".legend");
  const named = told.lines.filter((line) => !line.minor);
  if (legend.children.length !== named.length + 1) {
    legend.replaceChildren(...named.map(keyOf), document.createElement("span"));
  }
  named.forEach((line, number) => {
    legend.children[number].lastChild.textContent = at === null ? "" : valueAt(line, plot.data[0][at], FORMS[told.form]);
  });
  legend.lastChild.textContent = x;
}

function keyOf(line) {
  const key = document.createElement("span");
  const stroke = Object.assign(document.createElement("i"), { style: `border-color: ${line.colour}` });
  if (line.dash.length) stroke.style.borderTopStyle = line.dash[0] > 3 ? "dashed" : "dotted";
  key.append(stroke, `${line.name} `, document.createElement("b"));
  return key;
}

/** The last value up to x: the point itself may have been joined with its neighbours; the slower of two runs has none yet. */
function valueAt(line, x, form) {
  const place = line.x.findLastIndex((step) => step <= x);
  return place < 0 || x > 2 * line.x.at(-1) - (line.x.at(-2) ?? 0) ? "–" : form(line.y[place]);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const view = parentElement.querySelector(".live");
  view.figures ??= {};
  view.toldPage = 0;
  if (JSON.stringify(view.asked?.runs) !== JSON.stringify(data.runs)) view.version = "";
  view.asked = data;
  view.active = true;
  Object.values(view.figures).forEach(redraw); // the theme may be another one
  view.tellPage = (situation) => {
    if (Date.now() < view.toldPage + PATIENCE) return;
    view.toldPage = Date.now();
    setTriggerValue("situation", situation);
  };
  view.wake?.();
  if (view.followed) return;
  view.followed = true;
  follow(view);
}
