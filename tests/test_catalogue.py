"""The catalogue of a store: always equal to the store, and read again only after a change."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_store import append_epoch

from gpcore.errors import StoreError
from gpcore.recipe import ARTICLE, MODERN
from gpcore.runs.catalogue import Catalogue
from gpcore.runs.database import Database
from gpcore.runs.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


def test_it_says_what_the_store_says_after_every_change(store):
    catalogue = Catalogue(store.folder)
    assert catalogue.runs() == ()
    first, second = store.add(ARTICLE), store.add(MODERN)
    assert list(catalogue.runs()) == store.runs()
    claim = store.claim()
    store.append_losses(claim, 0, [2.3], {"step": 1})
    assert list(catalogue.runs()) == store.runs()
    append_epoch(store, claim)
    assert list(catalogue.runs()) == store.runs()
    assert catalogue.runs()[0].last == store.run(first).last
    store.rename(second, "another")
    assert list(catalogue.runs()) == store.runs()
    store.delete(second)
    assert [run.id for run in catalogue.runs()] == [first]


def test_runs_that_did_not_change_are_not_read_again(store, monkeypatch):
    store.add(ARTICLE)
    catalogue = Catalogue(store.folder)
    [before] = catalogue.runs()
    store.add(MODERN)
    assert catalogue.runs()[0] is before
    monkeypatch.setattr(Database, "reading", lambda database: pytest.fail("it was read although nothing had changed"))
    assert catalogue.runs()[0] is before


def test_a_store_that_can_not_be_written_is_read_anew_when_its_file_is_replaced(store, tmp_path, monkeypatch):
    other = Store(tmp_path / "other")
    for seed in range(3):
        other.add(ARTICLE.but(seed=seed))
    store.add(ARTICLE)
    for each in (store, other):
        each.seal()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    catalogue = Catalogue(store.folder)
    assert len(catalogue.runs()) == 1
    shutil.copy(other.folder / "runs.db", store.folder / "runs.db")
    assert len(catalogue.runs()) == 3


def test_threads_share_one(store):
    catalogue = Catalogue(store.folder)
    with ThreadPoolExecutor(8) as visitors:
        for number in range(20):
            store.add(ARTICLE.but(seed=number))
            assert set(map(len, visitors.map(lambda _: catalogue.runs(), range(8)))) == {number + 1}


def test_what_is_no_store_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="can't be opened"):
        Catalogue(tmp_path)
    (tmp_path / "runs.db").write_text("no database, and long enough to be seen to be none" * 20)
    with pytest.raises(StoreError, match="is damaged or not a store"):
        Catalogue(tmp_path)
