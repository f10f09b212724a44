"""The button of *Compare* that downloads all of it as one HTML file."""

from collections.abc import Sequence

import streamlit as st

from gpcore.runs.run import Run
from ui import stores


def show(found: dict[str, Run], chosen: Sequence[Run]) -> None:
    """The report is made when the button is pressed, which takes some seconds, and not before."""

    def made() -> str:
        from gpcore.report import page
        from gpcore.report.chapters import Source

        beside = [store.folder for store in stores.shipped_stores()]
        return page.page(Source(list(found.values()), chosen, stores.data_folder(), stores.own_store_folder(), beside))

    st.download_button(
        "Report (HTML)",
        made,
        "poolscope.html",
        "text/html",
        key="report",
        icon=":material/description:",
        on_click="ignore",
        help="Everything above in one file that opens without a network, with the commands that reproduce it.",
    )
