"""Train now, watch, leave, come back: a worker process trains what this page puts into the queue."""

import uuid
from collections.abc import Sequence

import streamlit as st

from gpcore.errors import GpcoreError
from gpcore.recipe import Recipe
from gpcore.runs.launcher import parallel
from gpcore.runs.records import RunRecord
from gpcore.runs.store import Store
from gpcore.runs.time_estimate import estimate
from gpcore.training.state import find_device
from ui import stores, widgets
from ui.train import live_view, run_actions
from ui.train.recipe_form import ask_for_recipes, chosen_recipes
from ui.wording import duration, plain

AT_ONCE = (1, 2)  # a click queues one recipe, or a pair


def queue(store: Store) -> None:
    """Queues the form's recipes, two of them as a pair, and shows their runs."""
    recipes = chosen_recipes()
    if len(recipes) in AT_ONCE:
        pair = uuid.uuid4().hex if len(recipes) > 1 else None
        for recipe in recipes:
            store.add(recipe, pair=pair)
        st.session_state[run_actions.CHOSEN] = []


def offer_training(store: Store, recipes: list[Recipe], records: Sequence[RunRecord]) -> None:
    """Shows the button that trains the chosen recipes, and the estimated time."""
    st.button(
        "Train the pair" if len(recipes) > 1 else "Train",
        type="primary",
        icon=":material/play_arrow:",
        key="train",
        disabled=len(recipes) not in AT_ONCE,
        on_click=run_actions.attempt,
        args=(queue,),
    )
    if len(recipes) > 2:
        st.error("Choose one pooling, or two to train a pair.", icon=":material/error:")
    elif recipes:
        say_how_long(store, recipes, records)


def say_how_long(store: Store, recipes: list[Recipe], records: Sequence[RunRecord]) -> None:
    """How long the new runs should take, judged by earlier ones on this machine."""
    device = str(find_device())
    expected = estimate(recipes[0], records, device)
    if expected is None:
        st.caption(
            f"No run on {plain(recipes[0].dataset)} has been measured on this machine's {device} yet, so there is no estimate."
        )
        return
    rounds = -(-len(recipes) // parallel(store))
    earlier = f"the median of {expected.runs:,} earlier runs" if expected.runs > 1 else "one earlier run"
    queued = sum(run.status == "queued" for run in records)
    st.caption(
        f"About {duration(expected.seconds * rounds)} on {device}, by {earlier} here"
        + (f"; the queue ({queued:,}) comes first." if queued else ".")
    )


# Streamlit's own Stop button appears while a page is drawn and could be mistaken for one that stops the training.
st.html("<style>[data-testid='stStatusWidget'] { display: none; }</style>")

st.title("Train, watch, leave, come back")
if widgets.switched_off("train", "Training"):
    st.stop()
with widgets.errors_shown():
    store = stores.own_store()
    records = stores.records(store.folder)

form, watch = st.columns([1.35, 2.4], gap="large")

with form, ask_for_recipes():
    try:
        recipes, problem = chosen_recipes(), ""
    except GpcoreError as error:
        recipes, problem = [], str(error)
    offer_training(store, recipes, records)
    if problem:
        st.error(plain(problem), icon=":material/error:")

with watch, widgets.errors_shown():
    run_actions.show_refusal()
    if not records:
        st.info("Nothing has been trained here yet. What you train goes on when you leave this page or close the browser.")
    else:
        shown = run_actions.choose_runs(records)
        live_view.show_live([run.id for run in shown])
        for run in shown:
            run_actions.show_actions(run, run_actions.twin_of(run, shown))
        live_view.explain([run.id for run in shown])
        with st.expander(f"All {len(records):,} runs"):
            run_actions.show_table(records)
            run_actions.ask_about_all(store)
