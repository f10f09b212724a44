"""The data of the Train page's live part as JSON, which the page's own script polls.

Streamlit would run its script and redraw the page for every update. At two updates a second, that takes a third of a core in
the browser and a twentieth in the server (benchmarks/watching.py), which a small machine's training would lack.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gpcore.errors import GpcoreError, StoreError
from gpcore.figures import epoch_curves, training_curves
from gpcore.figures.training_curves import Trace
from gpcore.runs.records import Epoch, LossCurve, RunRecord
from gpcore.runs.store import Store
from gpcore.runs.time_estimate import seconds_left
from ui import started_workers, stores
from ui.wording import duration

LISTED = 12
"""Most runs shown with their progress, the others of a long queue are only counted; and most curves drawn."""

POINTS = 400
"""Points of a loss curve: about a chart's width in pixels."""


def feed(request: Request) -> Response:
    """Answers with the state of all active runs, and the curves of those named by `runs` in the query.

    The answer is empty if nothing changed since the answer whose `version` is `seen` in the query.
    """
    try:
        answer = _answer(
            stores.own_store_folder(), request.query_params.getlist("runs")[:LISTED], request.query_params.get("seen")
        )
    except GpcoreError as error:
        answer = {"situation": str(error), "trouble": str(error), "version": str(error)}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"}) if answer else Response(status_code=204)


def _answer(folder: Any, chosen: Sequence[str], seen: str | None) -> dict[str, Any] | None:
    store = Store(folder, read_only=True)
    active = store.active()
    trouble = start_workers(store) if active else ""
    shown = [store.run(run) for run in chosen]
    listed = [*shown, *(run for run in active if run.id not in chosen)][: max(LISTED, len(shown))]
    now = situation(active, trouble)
    version = _digest([now, [(run.id, run.title, run.progress, run.epochs_done) for run in (*active, *shown)]])
    if version == seen:
        return None
    traces = [_trace(store, run) for run in shown]
    drawn = (training_curves.batch_losses, epoch_curves.accuracies, training_curves.learning_rates, training_curves.seconds)
    return {
        "situation": now,
        "version": version,
        "active": bool(active),
        "runs": [_progress(run, active) for run in listed],
        "more": sum(run not in listed for run in active),
        "charts": [chart(traces).to_json() for chart in drawn],
    }


def start_workers(store: Store) -> str:
    """Starts the workers that the queue needs; returns their error, if any."""
    try:
        started_workers.start_missing(store)
    except StoreError as error:
        return str(error)
    return ""


def situation(active: Sequence[RunRecord], trouble: str) -> str:
    """A value that the rest of the page depends on: when it changes, the whole page is redrawn."""
    return _digest([trouble, [(run.id, run.status, run.stop_requested) for run in active]])


def _digest(values: Any) -> str:
    return hashlib.md5(json.dumps(values).encode(), usedforsecurity=False).hexdigest()


def _progress(run: RunRecord, active: Sequence[RunRecord]) -> dict[str, Any]:
    queued = [other.id for other in active if other.status == "queued"]
    doing = f"number {queued.index(run.id) + 1} in the queue" if run.id in queued else _doing(run)
    if run not in active:
        doing = run.status
    return {"id": run.id, "title": run.title, "done": run.done, "doing": doing, "active": run in active}


def _doing(run: RunRecord) -> str:
    """Describes an active run: its current work, speed, device and remaining time."""
    progress = run.progress
    if run.stop_requested:
        return "stopping"
    if "step" not in progress:
        return " · ".join(filter(None, (progress.get("doing", "starting"), run.device)))
    doing = "training" if progress["doing"] == "training" else f"evaluating {progress['evaluated']:.0%}"
    left = seconds_left(run)
    parts = [
        f"epoch {progress['epoch']} of {run.recipe.epochs}, {doing}",
        f"{progress['images_per_second']:,.0f} images/s" if "images_per_second" in progress else "",
        f"{duration(left)} left" if left is not None else "",
        run.device or "",
    ]
    return " · ".join(part for part in parts if part)


def _trace(store: Store, run: RunRecord) -> Trace:
    losses, epochs = _curves(str(store.folder), run.id, run.created, run.progress.get("step", 0), run.epochs_done)
    return Trace(run.title, run.recipe.pool, epochs, losses)


@functools.lru_cache(maxsize=64)
def _curves(folder: str, run: str, created: float, step: int, epochs_done: int) -> tuple[LossCurve, list[Epoch]]:
    """Returns a run's curves, read once for every step, for all viewers."""
    store = Store(folder, read_only=True)
    return store.loss_curve(run, at_most=POINTS), store.epochs(run)
