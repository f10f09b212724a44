"""Poolscope's navigation, which runs for every visitor and every change (`app.py` starts it).

The pages lie in `views`: from a folder named `pages` Streamlit would serve a page alone, without this file, to whoever opens
a fresh server by a link.
"""

from pathlib import Path

import streamlit as st

from ui import collection, workers

# A file of our own: one of Streamlit's icons would be fetched from another server, which a page without a network has not.
st.set_page_config(page_title="Poolscope", page_icon=Path("ui/icon.svg"), layout="wide")
st.html("<style>.stMainBlockContainer { padding-top: 4rem }</style>")


def compare() -> None:
    """Go to the page that opens first: it has no path of its own, and whoever writes /compare means it."""
    asked = {name: st.query_params.get_all(name) for name in st.query_params}  # several runs, each by a value of its own
    st.switch_page("views/compare.py", query_params=asked)


page = st.navigation(
    [
        st.Page("views/compare.py", title="Compare", icon=":material/balance:", url_path="first", default=True),
        st.Page(compare, url_path="compare", visibility="hidden"),
        st.Page("views/train.py", title="Train", icon=":material/play_circle:", url_path="train"),
        st.Page("views/inside.py", title="Inside", icon=":material/grid_on:", url_path="inside"),
        st.Page("views/classify.py", title="Classify", icon=":material/photo_camera:", url_path="classify"),
        st.Page("views/lab.py", title="Lab", icon=":material/science:", url_path="lab"),
        st.Page("views/learn.py", title="Learn", icon=":material/school:", url_path="learn"),
    ],
    position="top",
)
workers.go_on_at_start()
collection.spare_imports()
page.run()
