// Draws runs during training: polls ui/train/live_feed.py, and draws only what has changed.

const WAIT = 550; // milliseconds between an answer and the next request: batches are reported every 250
const IDLE_WAIT = 5000; // while nothing is trained; somebody else may queue a run
const PATIENCE = 2000; // milliseconds after which the page is asked again to redraw, if it has not done so
const FIRST_CHARTS = 2; // the others are folded away

/** Polls while the view is on the page; shows a failure and tries again. */
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
  answer.charts.forEach((chart, number) => showChart(number < FIRST_CHARTS ? first : more, chart));
}

function showProgress(place, { runs, more }) {
  while (place.children.length < runs.length + (more ? 1 : 0)) place.append(document.createElement("div"));
  while (place.children.length > runs.length + (more ? 1 : 0)) place.lastChild.remove();
  runs.forEach((run, number) => showRun(place.children[number], run));
  if (more) place.lastChild.textContent = `… and ${more.toLocaleString("en")} more in the queue`;
}

function showRun(row, run) {
  if (!row.classList.contains("run") || !row.firstElementChild) {
    row.className = "run";
    row.innerHTML = '<strong></strong><span></span><div class="bar" role="progressbar"><div></div></div>';
  }
  row.classList.toggle("idle", !run.active); // its bar keeps its place, so that no button moves when the run goes on
  const [title, doing, bar] = row.children;
  title.textContent = run.title;
  doing.textContent = ` · ${run.doing}`;
  bar.setAttribute("aria-valuenow", Math.round(100 * run.done));
  bar.setAttribute("aria-label", run.title);
  bar.firstChild.style.width = `${100 * run.done}%`;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const view = parentElement.querySelector(".live");
  view.toldPage = 0;
  if (JSON.stringify(view.asked?.runs) !== JSON.stringify(data.runs)) view.version = "";
  view.asked = data;
  view.active = true;
  view.querySelectorAll(".chart").forEach(redraw); // the theme may be another one
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
