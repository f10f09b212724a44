"""The time that Ray adds to a run: the same recipes trained in this process and as tasks of a local cluster, one at a time.

PYTHONPATH=. python benchmarks/ray_runs.py
"""

import statistics
import tempfile
import time
from pathlib import Path

from gpcore.data.datasets import load_dataset
from gpcore.recipe import MODERN, Recipe
from gpcore.runs.ray_cluster import connected
from gpcore.runs.store import Store
from gpcore.runs.worker import Place, train_at
from gpcore.training.fit import fit

DATA = Path("data")

RUNS, EPOCHS, IMAGES = 12, 2, 500


def main() -> None:
    """Measures and prints; the two take turns, so that other load affects both."""
    recipes = [MODERN.but(epochs=EPOCHS, train_images=IMAGES, seed=seed) for seed in range(RUNS)]
    fashion = load_dataset("fashion-mnist", DATA)
    with tempfile.TemporaryDirectory() as folder:
        alone, kept = Store(f"{folder}/alone"), Store(f"{folder}/kept")
        place = Place(lambda recipe, tell: fashion, fit, "cpu")
        started = time.perf_counter()
        with connected("local", DATA, 1) as cluster:
            starting = time.perf_counter() - started
            pairs = [(seconds(alone, recipe, place), seconds(kept, recipe, cluster.place)) for recipe in recipes]
            ended = time.perf_counter()
        ending = time.perf_counter() - ended
    plain = statistics.median(here for here, _ in pairs)
    first, *further = [there - here for here, there in pairs]
    print(f"beside its {EPOCHS} epochs a run in this process takes {plain:.2f} s (median of {RUNS})")
    print(f"Ray adds {starting:.1f} s to start it and {ending:.1f} s to end it, once per study")
    print(f"Ray adds {first:.2f} s to the first run, which starts a process and sends FashionMNIST there")
    print(f"Ray adds {statistics.median(further):.2f} s to each further run ({min(further):.2f} to {max(further):.2f})")


def seconds(store: Store, recipe: Recipe, place: Place) -> float:
    """Returns the time from a run's claim to its last stored epoch, without the seconds of its epochs.

    The rest does not depend on how busy each process's core was.
    """
    started = time.perf_counter()
    claim = store.start(recipe)
    for _ in train_at(store, claim, place):
        pass
    return time.perf_counter() - started - store.run(claim.run).seconds


if __name__ == "__main__":
    main()
