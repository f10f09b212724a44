"""What does pooling see? Two networks, one image, every layer, and where the scores come from."""

import streamlit as st

from ui import scrolling, shared_networks, sharing, widgets
from ui.inside import computed, image_sections, layer_section, prediction, run_sections, view_state
from ui.inside.image_picker import pick_image, show_image
from ui.inside.view_state import Scene

SECTIONS = {
    "The evidence": image_sections.show_evidence,
    "On the image": image_sections.show_on_the_image,
    "Over the epochs": run_sections.show_epochs,
    "Swap the pooling": run_sections.show_swap,
    "Move the pooling": run_sections.show_move,
    "Where they disagree": run_sections.show_disagreement,
}

if "show" in st.query_params and "inside_seen" not in st.session_state:  # a link to a section
    scrolling.scroll_to("sections")
st.session_state.inside_seen = True

st.title("What does pooling see?")
found = widgets.trained_runs_or_stop()

with widgets.errors_shown(), st.container(key="workbench"):
    run_side, epoch_side = st.columns([2, 1.3], gap="medium", vertical_alignment="bottom")
    with run_side:
        runs = view_state.pick_runs(found)
    dataset = shared_networks.dataset(runs[0].recipe)
    with epoch_side:
        snapshots = view_state.pick_epoch(runs)
        view_state.offer_newer(snapshots)
    image_side, network_side = st.columns([1, 4.2], gap="medium")
    with image_side:
        image_place = st.container()
        differing = lambda: computed.disagreement(*snapshots, dataset).differing()  # noqa: E731
        picked = pick_image(dataset, differing, square=runs[0].recipe.frozen)
        picked = view_state.pick_change(picked)
        predicting = prediction.switch()
        sharing.show_sharing()
    scene = Scene(snapshots, dataset, picked)
    with network_side:
        hidden = prediction.ask(scene) if predicting else False
        layer_section.show_layers(scene, view_state.layers_of(snapshots[0], dataset), hidden)
    with image_place:
        show_image(picked, hidden)

with widgets.errors_shown(), st.container(key="sections"):
    for tab, show in zip(st.tabs(list(SECTIONS), key="show", bind="query-params"), SECTIONS.values(), strict=True):
        if tab.open:
            with tab, widgets.errors_shown():
                if hidden:
                    st.info("The answers are hidden: press the space bar to reveal them.", icon=":material/visibility_off:")
                else:
                    show(scene)
    view_state.keep_playing(runs)
scrolling.follow()
