"""About this instance: its mode, its limits, its free space, its versions and licences."""

import importlib.metadata
import platform
import shutil
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from gpcore.instance import ALLOWED, RUN_YOUR_OWN, Instance
from ui import stores
from ui.wording import plain

MODES = {
    "demo": "You can view everything and classify pictures. Nothing is trained or changed.",
    "train": "Visitors with its token can train within the limits below. They can't delete other people's runs.",
    "own": "Everyone who can open this page can change its store as the command line can.",
}

LICENCES = {
    "Poolscope": "MIT",
    "FashionMNIST": "MIT, © Zalando SE",
    "PyTorch": "BSD-3-Clause",
    "Streamlit": "Apache-2.0",
    "uPlot": "MIT",
}

st.title("About this instance")
instance = Instance.read()
st.markdown(f"It runs in **{instance.mode}** mode. {MODES[instance.mode]}")
allowed = ", ".join(ALLOWED[instance.mode])
st.markdown(f"Visitors may: {allowed}." if allowed else f"Visitors change nothing. {RUN_YOUR_OWN}")

left, right = st.columns(2)
with left:
    st.subheader("Limits")
    shown = ("queue", "epochs", "parallel", "disk_gb", "worker_memory_gb", "pictures", "upload_mb", "uploads_mb", "visitors")
    limits = {name: f"{value:g}" for name, value in asdict(instance).items() if name in shown}
    st.table(limits)
    st.caption("Set in `poolscope.toml` or by environment variables: docs/security.md explains each.")
with right:
    st.subheader("Disk")
    folder = Path(instance.store)
    runs = stores.records(folder) if (folder / "runs.db").is_file() else ()
    free = shutil.disk_usage(folder if folder.is_dir() else Path.cwd()).free
    st.markdown(f"{len(runs):,} runs in its own store; {free / 1e9:,.1f} GB are free.")
    for sentence in stores.damaged():
        st.warning(plain(sentence), icon=":material/report:")
    st.subheader("Versions")
    packages = ("streamlit", "torch", "numpy", "pillow")
    st.table({"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages})
    st.subheader("Licences")
    st.table(LICENCES)
