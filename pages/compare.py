"""Compare: which pooling wins, and by how much?"""

import streamlit as st

from gpcore.report.parts import TITLE, Source
from ui import stores
from ui.compare import seed_sections, single_runs, study_form
from ui.widgets import errors_shown, trained_runs_or_stop

st.title(TITLE)
found = trained_runs_or_stop()
beside = [store.folder for store in stores.shipped_stores()]
source = Source(list(found.values()), [], stores.data_folder(), stores.own_store_folder(), beside)
with errors_shown(go_on=True):
    every = seed_sections.all_experiments(found)
    seed_sections.show_headline(every, source)
    seed_sections.show_heads(every, source)

single_runs.show_runs(found, source)

st.subheader("Train more")
with errors_shown(go_on=True):
    study_form.study_form()
