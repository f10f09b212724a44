"""Poolscope: `streamlit run app.py`."""

import streamlit as st

from ui import collection, workers

st.set_page_config(page_title="Poolscope", page_icon=":material/filter_center_focus:", layout="wide")

page = st.navigation(
    [
        st.Page("pages/compare.py", title="Compare", icon=":material/balance:", url_path="compare", default=True),
        st.Page("pages/train.py", title="Train", icon=":material/play_circle:", url_path="train"),
        st.Page("pages/inside.py", title="Inside", icon=":material/grid_on:", url_path="inside"),
        st.Page("pages/classify.py", title="Classify", icon=":material/photo_camera:", url_path="classify"),
        st.Page("pages/learn.py", title="Learn", icon=":material/school:", url_path="learn"),
    ],
    position="top",
)
workers.go_on_at_start()
collection.spare_imports()
page.run()
