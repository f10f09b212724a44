"""What does pooling see? Two networks, one image, every layer, and where the scores come from."""

import streamlit as st

from ui import shared_networks, widgets
from ui.inside import computed, image_sections, layer_section, run_sections, view_state
from ui.inside.image_picker import pick_image, show_image
from ui.inside.view_state import Scene

st.title("What does pooling see?")
found = widgets.trained_runs_or_stop()

with widgets.errors_shown():
    runs = view_state.pick_runs(found)
    dataset = shared_networks.dataset(runs[0].recipe.dataset)
    image_side, network_side = st.columns([1, 3.6], gap="large")
    with network_side:
        snapshots = view_state.pick_epoch(runs)
    with image_side:
        image_place = st.container()
        picked = pick_image(dataset, lambda: computed.disagreement(*snapshots, dataset).differing())
        picked = view_state.pick_change(picked)
        with image_place:
            show_image(picked)
    scene = Scene(snapshots, dataset, picked)
    with network_side:
        layer_section.show_layers(scene, view_state.layers_of(snapshots[0], dataset))

    sections = {
        "The evidence": image_sections.show_evidence,
        "On the image": image_sections.show_on_the_image,
        "Over the epochs": run_sections.show_epochs,
        "Swap the pooling": run_sections.show_swap,
        "Move the pooling": run_sections.show_move,
        "Where they disagree": run_sections.show_disagreement,
    }
    for tab, show in zip(st.tabs(list(sections), key="show", bind="query-params"), sections.values(), strict=True):
        if tab.open:
            with tab, widgets.errors_shown():
                show(scene)
    view_state.keep_playing(runs)
