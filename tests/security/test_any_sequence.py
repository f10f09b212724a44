"""Whatever happens to a store in whatever order, nothing is lost that was kept; any bytes are answered by a sentence."""

import contextlib
import json
import random
import resource
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from starlette.requests import Request

from gpcore.data.decoding import decode
from gpcore.errors import ClaimLostError, GpcoreError, ImageError, RecipeError, StoreError
from gpcore.instance import Instance
from gpcore.nets import checkpoints
from gpcore.recipe import ARTICLE, Recipe
from gpcore.runs.catalogue import Catalogue
from gpcore.runs.records import Epoch
from gpcore.runs.run import open_run
from gpcore.runs.store import Store
from gpcore.runs.upkeep import repair

FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

EPOCHS = 3


class HardDays(RuleBasedStateMachine):
    """Queues, claims, kills, stops, deletes, renames, full disks and a second worker, against a model of what is kept."""

    runs, claims = Bundle("runs"), Bundle("claims")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store, self.other = Store(self.folder), Store(self.folder)
        self.kept: dict[str, dict] = {}

    @rule(target=runs, seed=st.integers(0, 2))
    def queue(self, seed):
        run = self.store.add(ARTICLE.but(seed=seed, epochs=EPOCHS))
        assert run not in self.kept
        self.kept[run] = {"title": run, "epochs": 0}
        return run

    @rule(target=claims, second=st.booleans())
    def claim(self, second):
        return (self.other if second else self.store).claim()

    @rule(claim=claims)
    def epoch(self, claim):
        """A worker that was replaced, or whose run is gone, writes nothing; one that lives keeps an epoch."""
        if not claim or not (known := self.kept.get(claim.run)) or known["epochs"] == EPOCHS:
            return
        number = known["epochs"] + 1
        measured = Epoch(number, 1.0, 0.5, 0.5, 1.0, 0.5, 0.5, 1e-3, 1.0, [[1, 0], [0, 1]])
        weights = self.store.weights(claim.run, number)
        with contextlib.suppress(ClaimLostError), checkpoints.staged(weights, {"w": torch.ones(3)}, {}) as staged:
            self.store.append_epoch(claim, measured, [1.0], staged)
            known["epochs"] = number

    @rule(claim=consumes(claims), status=st.sampled_from(["finished", "stopped", "failed"]))
    def leave(self, claim, status):
        if claim:
            with contextlib.suppress(ClaimLostError):
                self.store.release(claim, status)
            claim.let_go()

    @rule(claim=consumes(claims))
    def kill(self, claim):
        if claim:
            claim.lock.release()  # as the system does

    @rule(run=runs, action=st.sampled_from(["request_stop", "resume"]))
    def ask(self, run, action):
        getattr(self.store, action)(run)

    @rule(run=runs, title=st.text(min_size=1, max_size=20).filter(str.strip))
    def rename(self, run, title):
        with contextlib.suppress(UnicodeEncodeError):
            self.other.rename(run, title)
            if run in self.kept:
                self.kept[run]["title"] = title.strip()

    @rule(run=runs)
    def delete(self, run):
        self.store.delete(run)
        self.kept.pop(run, None)

    @rule()
    def stop_all(self):
        self.store.stop_all()

    @rule()
    def full_disk(self):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            with pytest.raises(StoreError):
                self.store.add(ARTICLE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @rule()
    def doctor(self):
        list(repair(self.other))

    @invariant()
    def what_was_kept_is_there(self):
        found = {run.id: run for run in self.store.runs()}
        assert found.keys() == self.kept.keys()
        for run, known in self.kept.items():
            assert (found[run].title, found[run].epochs_done) == (known["title"], known["epochs"])
            assert all(self.store.weights(run, epoch).is_file() for epoch in range(1, known["epochs"] + 1))

    def teardown(self):
        shutil.rmtree(self.folder)


def test_after_any_sequence_nothing_is_lost():
    run_state_machine_as_test(HardDays, settings=settings(FEW, max_examples=12, stateful_step_count=25))


def damaged(content: bytes, seed: int) -> bytes:
    """Some bytes changed, inserted or cut off."""
    chance, changed = random.Random(seed), bytearray(content)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(changed))
        changed[place : place + chance.choice((0, 1, 4))] = chance.randbytes(chance.choice((0, 1, 4)))
    return bytes(changed[: chance.choice((len(changed), chance.randrange(1, len(changed))))])


@FEW
@given(seed=st.integers(0, 2**32), which=st.integers(0, 100))
def test_any_bytes_are_a_picture_or_a_sentence(seed, which):
    examples = sorted(Path("examples").glob("*.jpg"))
    with contextlib.suppress(ImageError):
        assert max(decode(damaged(examples[which % len(examples)].read_bytes(), seed), "x.jpg").size) <= 640


def test_any_weights_are_a_network_or_a_sentence(own_copy):
    path = own_copy / "article-gap-seed0" / "epoch-002.safetensors"
    whole = path.read_bytes()
    for seed in range(40):
        path.write_bytes(damaged(whole[:2000], seed) + (whole[2000:] if seed % 2 else b""))
        with contextlib.suppress(GpcoreError):
            open_run("article-gap-seed0", own_copy).network()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@FEW
@given(field=st.sampled_from([*ARTICLE.to_json(), "other"]), value=json_values)
def test_any_json_is_a_recipe_or_a_sentence(field, value):
    with contextlib.suppress(RecipeError):
        assert Recipe.from_json(ARTICLE.to_json() | {field: value}).to_json()
    with contextlib.suppress(RecipeError):
        Recipe.from_json(value)


@settings(FEW, max_examples=15)
@given(column=st.sampled_from(["id", "title", "recipe", "status", "created", "progress", "device"]), value=st.text(max_size=30))
def test_any_row_is_shown_or_named(filled_store, column, value):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(filled_store, Path(folder) / "copy"))
        with contextlib.suppress(UnicodeEncodeError), closing(sqlite3.connect(copy / "runs.db")) as connection, connection:
            connection.execute(f"UPDATE runs SET {column} = ? WHERE id = 'article-gap-seed0'", (value,))
        catalogue = Catalogue(copy)
        assert len(catalogue.runs()) + len(catalogue.damaged) == 2


@FEW
@given(runs=st.lists(st.text(max_size=12), max_size=30), seen=st.text(max_size=12))
def test_any_question_to_live_is_answered(live_feed, runs, seen):
    from urllib.parse import urlencode

    query = urlencode([*(("runs", run.encode("utf-8", "replace")) for run in runs), ("seen", seen.encode("utf-8", "replace"))])
    reply = live_feed(Request({"type": "http", "query_string": query.encode(), "headers": []}))
    assert reply.status_code in (200, 204)
    assert len(reply.body) < 20_000


@pytest.fixture
def live_feed(app_environment):
    from ui.train import live_feed

    Store(app_environment)
    return live_feed.feed


def test_a_long_list_draws_a_dozen_curves(live_feed, app_environment):
    store = Store(app_environment)
    runs = [store.add(ARTICLE.but(seed=seed)) for seed in range(40)]
    store.stop_all()
    query = "&".join(f"runs={run}" for run in runs)
    reply = live_feed(Request({"type": "http", "query_string": query.encode(), "headers": []}))
    assert len(json.loads(reply.body)["charts"][0]["lines"]) <= 24


def test_a_picture_of_few_bytes_and_many_pixels_is_refused_by_its_header():
    import io

    import PIL.Image

    for kind, options in {"WEBP": {"lossless": True, "quality": 0, "method": 0}, "PNG": {}}.items():
        file = io.BytesIO()
        PIL.Image.new("L", (6000, 5000)).save(file, kind, **options)
        with pytest.raises(ImageError, match=r"6,000×5,000 pixels: reduce it to at most 24 megapixels"):
            decode(file.getvalue(), "small.file")


def test_settings_are_checked(tmp_path):
    file = tmp_path / "poolscope.toml"
    file.write_text('mode = "demo"\nqueue = 7\nhosts = ["a.example"]\nfolders = "/a"\n')
    read = Instance.read(file, {"POOLSCOPE_QUEUE": "9", "POOLSCOPE_FOLDERS": "/x:/y"})
    assert (read.mode, read.queue, read.hosts, read.folders, read.pictures) == ("demo", 9, ("a.example",), ("/x", "/y"), 24)
    for text in ("mode = 'open'", "colour = 1", "queue = -1", "queue = 'many'", "queue ="):
        file.write_text(text)
        with pytest.raises(GpcoreError, match=r"poolscope\.toml|mode is|queue is"):
            Instance.read(file, {})
