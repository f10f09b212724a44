"""Garbage collection that leaves alone what never becomes garbage."""

import atexit
import gc
import sys

_modules_spared = 0

atexit.register(gc.unfreeze)  # at the end libraries look whether all they made is gone


def spare_imports() -> None:
    """Take everything that imports have brought into memory out of the sight of the garbage collector.

    Streamlit collects garbage after every run of a page. PyTorch, Plotly and pandas keep 425,000 objects that never die, and
    to look through them stops the whole server for a quarter of a second, every time. To be called at the start of every
    run of a page: it does something only when modules have been imported since, which is seldom.
    """
    global _modules_spared
    if gc.isenabled() and len(sys.modules) != _modules_spared:  # it is not while ui/serving/early_imports.py imports
        gc.collect()
        gc.freeze()
        _modules_spared = len(sys.modules)
