"""The garbage collector, before and after modules are imported."""

import gc
import importlib
import sys
from collections.abc import Iterator

import pytest

from ui.serving import garbage


@pytest.fixture(autouse=True)
def new_module() -> Iterator[None]:
    """Python as it is after an import; afterwards the collector sees everything again."""
    sys.modules["a_module_of_this_test"] = importlib
    yield
    del sys.modules["a_module_of_this_test"]
    gc.unfreeze()


def test_what_was_imported_is_hidden_once() -> None:
    gc.unfreeze()
    garbage.spare_imports()
    hidden = gc.get_freeze_count()
    assert hidden > 10_000
    gc.unfreeze()
    garbage.spare_imports()
    assert gc.get_freeze_count() < hidden  # no module came since: nothing to do


def test_nothing_is_hidden_while_imports_go_on() -> None:
    gc.unfreeze()
    gc.disable()
    try:
        before = gc.get_freeze_count()
        garbage.spare_imports()
        assert gc.get_freeze_count() == before
    finally:
        gc.enable()
