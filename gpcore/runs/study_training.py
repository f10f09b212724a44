"""Trains the missing runs of a study: with this machine's workers, or elsewhere."""

import collections
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from subprocess import Popen

from gpcore.errors import StoreError
from gpcore.runs import launcher
from gpcore.runs.store import Store
from gpcore.runs.study import LEAVE_SECONDS, LOOK_SECONDS, Member, Study, followed, members, queue_missing, stop
from gpcore.runs.worker import Place, train_at


def train_here(study: Study, store: Store, data: Path, others: Sequence[Store] = ()) -> Iterator[list[Member]]:
    """Trains the missing runs with this machine's workers, and yields the study's state from time to time.

    Stopped and failed runs are resumed. If the caller closes the generator, the runs that the study queued are stopped.

    Raises:
        StoreError: the workers break down; or the store can't be read or written.
    """
    started: dict[int, Popen] = {}
    mine = queue_missing(study, store, others)
    looks = followed(study, store, others)
    try:
        while True:
            launcher.start_missing(store, data, started)
            standing = next(looks)
            yield standing
            if not any(member.active for member in standing):
                return
            if trouble := launcher.broken_down(store, started):
                raise StoreError(trouble)
            time.sleep(LOOK_SECONDS)
    finally:
        stop(store, mine)
        launcher.end_idle(store, started)


def train_elsewhere(
    study: Study, store: Store, place: Place, at_once: int, others: Sequence[Store] = ()
) -> Iterator[list[Member]]:
    """Trains the missing runs at another place, such as a cluster, `parallel` at once, and yields the study's state.

    Only this process writes the store. It bypasses the queue, so that no worker of this machine takes a run. Otherwise it is
    like `train_here`.
    """
    crew = _Crew(store, place, [member for member in members(study, store, others) if not member.finished])
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(at_once)]
    looks = followed(study, store, others)
    for thread in threads:
        thread.start()
    try:
        while True:
            working = any(thread.is_alive() for thread in threads)
            yield next(looks) if working else members(study, store, others)
            if not working:
                return
            time.sleep(LOOK_SECONDS)
    finally:
        crew.todo.clear()
        stop(store, crew.claimed)
        for thread in threads:
            thread.join(LEAVE_SECONDS)


class _Crew:
    """Threads that train a study's runs, each waiting for one run at a time."""

    def __init__(self, store: Store, place: Place, todo: Iterable[Member]) -> None:
        self.store, self.place = store, place
        self.todo = collections.deque(todo)
        self.claimed: list[str] = []

    def work(self) -> None:
        """Trains until nothing is left. If a run fails, the store has the reason, and the others continue."""
        with contextlib.suppress(IndexError):
            while True:
                member = self.todo.popleft()
                with contextlib.suppress(Exception):
                    self._train(member)

    def _train(self, member: Member) -> None:
        claim = self.store.claim(member.record.id) if member.record else self.store.start(member.recipe)
        if claim:
            self.claimed.append(claim.run)
            for _ in train_at(self.store, claim, self.place):
                pass
        elif self.store.run(member.name).status == "running":  # by another process, which may still fail
            time.sleep(LOOK_SECONDS)
            self.todo.append(member)
