"""What does pooling see? Two networks, one image, every layer, and where the scores come from."""

import streamlit as st

from ui import inside_evidence, inside_grids, inside_memory, inside_runs, inside_scene, networks, widgets
from ui.image_picker import pick_image, show_image
from ui.inside_scene import Scene

st.title("What does pooling see?")
found = widgets.trained_runs_or_stop()

with widgets.errors_shown():
    runs = inside_scene.pick_runs(found)
    dataset = networks.dataset(runs[0].recipe.dataset)
    image_side, network_side = st.columns([1, 3.6], gap="large")
    with network_side:
        snapshots = inside_scene.pick_epoch(runs)
    with image_side:
        image_place = st.container()
        picked = pick_image(dataset, lambda: inside_memory.disagreement(*snapshots, dataset).differing())
        picked = inside_scene.pick_change(picked)
        with image_place:
            show_image(picked)
    scene = Scene(snapshots, dataset, picked)
    with network_side:
        inside_grids.show_layers(scene, inside_scene.layers_of(snapshots[0], dataset))

    sections = {
        "The evidence": inside_evidence.show_evidence,
        "On the image": inside_evidence.show_on_the_image,
        "Over the epochs": inside_runs.show_epochs,
        "Swap the pooling": inside_runs.show_swap,
        "Move the pooling": inside_runs.show_move,
        "Where they disagree": inside_runs.show_disagreement,
    }
    for tab, show in zip(st.tabs(list(sections), key="show", bind="query-params"), sections.values(), strict=True):
        if tab.open:
            with tab, widgets.errors_shown():
                show(scene)
    inside_scene.keep_playing(runs)
