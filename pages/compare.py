"""Compare: which pooling wins, and by how much?"""

import pandas as pd
import streamlit as st

from gpcore.recipe import shown_dataset
from ui.compare import seed_sections, single_runs, study_form
from ui.widgets import csv_button, errors_shown, trained_runs_or_stop

st.title("Which pooling wins, and by how much?")
found = trained_runs_or_stop()
with errors_shown(go_on=True):
    several = seed_sections.show_verdict(found)
    if several:
        seed_sections.show_experiment(several)

single_runs.show(found)

st.subheader("Train more")
with errors_shown(go_on=True):
    study_form.study_form()

with st.expander(f"All {len(found):,} runs", icon=":material/table_rows:", key="all-runs", on_change="rerun") as everything:
    if everything.open:
        rows = [
            {
                "run": key,
                "recipe": run.recipe.name,
                "pooling": run.recipe.pool,
                "dataset": shown_dataset(run.recipe.dataset),
                "seed": run.recipe.seed,
                "status": run.record.status,
                "epochs": run.record.epochs_done,
                "last accuracy": run.record.last.validation_accuracy,
                "best accuracy": run.record.best_accuracy,
                "seconds per epoch": run.record.seconds / run.record.epochs_done,
                "minutes": run.record.seconds / 60,
                "device": run.record.device,
            }
            for key, run in found.items()
        ]
        percent, number = st.column_config.NumberColumn(format="percent"), st.column_config.NumberColumn(format="%.1f")
        short = st.column_config.NumberColumn("s per epoch", format="%.1f")
        columns = {"last accuracy": percent, "best accuracy": percent, "seconds per epoch": short, "minutes": number}
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns)
        csv_button("Runs", lambda: rows, "runs.csv", "runs-csv")
