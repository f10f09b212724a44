"""Keeps imported modules out of garbage collection."""

import atexit
import gc
import sys

_modules_spared = 0

atexit.register(gc.unfreeze)  # some libraries check for leaks at exit


def spare_imports() -> None:
    """Hides all imported objects from the garbage collector.

    Streamlit collects garbage after every run of a page. PyTorch, Plotly and pandas keep 425,000 objects that never die;
    scanning them stops the whole server for a quarter of a second each time. Call it at the start of every run of a page: it
    returns at once unless modules were imported since the last call. Should Streamlit stop collecting, it changes nothing.
    """
    global _modules_spared
    if gc.isenabled() and len(sys.modules) != _modules_spared:  # early_imports.py disables it while it imports
        gc.collect()
        gc.freeze()
        _modules_spared = len(sys.modules)
